"""Which items are held out, from whom: the validation items of a job, and the folds of a cross-fit."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelplane_distillation.losses import Floats, normalised_entropy

__all__ = ["Folds", "assign_folds", "draw_validation", "weigh_items"]

MIN_WEIGHT = 0.02
"""Weight of an item whose posterior is uniform: it still says that no class is sure."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Folds:
    """The folds of a cross-fitted ensemble.

    Attributes:
        fold: (N,) fold of each item, 0 to `members` - 1; -1 for validation items, which no member sees.
        members: how many networks there are.
        held_out: how many folds each member does not see: member k misses folds k to k + held_out - 1 (modulo members).
            1 for one member, which sees all folds.
    """

    fold: Rows
    members: int
    held_out: int

    def rows_of(self, member: int) -> Rows:
        """Return the items that one member is trained on."""
        is_seen = (self.fold - member) % self.members >= self.held_out
        return np.flatnonzero((self.fold >= 0) & (is_seen | (self.members == 1)))

    def pick_out_of_fold(self, member_values: Floats) -> tuple[Rows, Floats]:
        """Pick for every item the values of members that were not trained on it.

        Args:
            member_values: (S, N, K) values of every member for every item.

        Returns:
            The rows of the n items that have such members, and their values (held_out, n, K). With one member these are
            the validation items alone.
        """
        rows = np.arange(len(self.fold)) if self.members > 1 else np.flatnonzero(self.fold < 0)
        first = np.maximum(self.fold[rows], 0)
        honest = (first - np.arange(self.held_out)[:, None]) % self.members
        return rows, member_values[honest, rows]


def draw_validation(item_ids: Sequence[str], share: float, *, seed: int) -> npt.NDArray[np.bool_]:
    """Return which items are held out, about `share` of them.

    An item's draw depends on the seed and its id alone, so an item that was held out in one round is held out in every
    later one, and models of different rounds can be compared on the same items.
    """
    key = hashlib.blake2b(f"validation/{seed}".encode(), digest_size=16).digest()
    draws = [hashlib.blake2b(item.encode(), digest_size=8, key=key).digest() for item in item_ids]
    numbers = np.array([int.from_bytes(draw, "big") for draw in draws], dtype=np.float64)
    return np.asarray(numbers < share * 2.0**64)


def assign_folds(
    classes: Rows, is_validation: npt.NDArray[np.bool_], *, members: int, held_out: int, generator: np.random.Generator
) -> Folds:
    """Deal the items into folds of equal size, each class evenly."""
    fold = np.full(len(classes), -1, dtype=np.int64)
    rows = generator.permutation(np.flatnonzero(~is_validation))
    dealt = rows[np.argsort(classes[rows], kind="stable")]
    fold[dealt] = np.arange(len(dealt)) % members
    return Folds(fold=fold, members=members, held_out=held_out)


def weigh_items(posteriors: Floats) -> Floats:
    """Return each item's weight in training: 1 - normalised entropy of its posterior, at least 0.02."""
    return np.maximum(1.0 - normalised_entropy(posteriors), MIN_WEIGHT)
