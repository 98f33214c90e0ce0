"""The cheapest next vote: whether one more vote on an item is worth its price, and by whom.

The value of votes is the error that they are expected to remove before they are seen (Howard, "Information Value
Theory", 1966). With an item's posterior p and a pool of annotators whose votes are independent given the class, each
P(z | y) = C[y, z], the share of wrong labels falls by h more votes z_1 ... z_h by

    gain_h = sum over z of max_y p_y C[y, z_1] ... C[y, z_h]  -  max_y p_y,

where the first term is the chance that the label is right that one would give then. One vote alone is often worth
nothing, since it turns no label over where two would: so a vote is worth the best mean gain of a few,
max_h gain_h / h, as in the look-ahead of Kamar, Hacker and Horvitz, "Combining Human and Machine Intelligence in
Large-scale Crowdsourcing", 2012. An item is done when no pool's vote is worth its price, or at its most votes; so how
many votes an item has is a result. Pure: no storage, no clock, no randomness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.errors import InvalidSettingError

__all__ = ["NO_POOL", "NextVotes", "Pool", "StoppingRule", "next_votes", "pooled_confusion", "value_of_a_vote"]

FloatArray = NDArray[np.float64]

NO_POOL = -1
"""In `NextVotes.pools`: no further vote."""

_MOST_OUTCOMES = 2000
"""Of a look-ahead: with many classes it is shorter, and never shorter than one vote."""

_CHUNK = 4_000_000
"""Numbers in memory at once."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pool:
    """Annotators of whom one may be asked; which one is chance.

    Attributes:
        name: how the pool is called.
        confusion: (classes, classes), rows sum to one: P(answer = column | true class = row), over the pool.
        price: of one vote, in units of what a wrong label costs: the least fall of an item's chance of a wrong label
            that a vote must promise. Above 0.
    """

    name: str
    confusion: FloatArray
    price: float

    def __post_init__(self) -> None:
        shape = self.confusion.shape
        if len(shape) != 2 or shape[0] != shape[1] or not np.allclose(self.confusion.sum(axis=1), 1.0, atol=1e-6):
            raise InvalidSettingError(f"pool {self.name}: confusion must be square and its rows add up to 1: {shape}")
        if not 0 < self.price < 1:
            raise InvalidSettingError(
                f"pool {self.name}: price must be above 0 and below 1, the cost of a wrong label, got {self.price}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """Bounds on an item's votes: it gets the least in any case and never more than the most."""

    least: int
    most: int
    look_ahead: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise InvalidSettingError(f"votes of an item: 1 <= least <= most, got {self.least} and {self.most}")
        if self.look_ahead < 1:
            raise InvalidSettingError(f"look_ahead must be at least 1, got {self.look_ahead}")


@dataclass(frozen=True, slots=True, eq=False)
class NextVotes:
    """What to ask next.

    Attributes:
        pools: int64, (items,): the pool to ask for one more vote, `NO_POOL` where the item is done.
        net: float64, (items,): what that vote is worth beyond its price; infinite below the least votes, 0 when done.
    """

    pools: NDArray[np.int64]
    net: FloatArray

    def best(self, bound: int) -> NDArray[np.int64]:
        """Return the rows of at most `bound` items that want a vote, the most worthwhile first, equals in order."""
        order = np.argsort(-self.net, kind="stable")
        rows: NDArray[np.int64] = order[self.pools[order] != NO_POOL][: max(bound, 0)]
        return rows


def next_votes(
    posteriors: FloatArray, n_votes: NDArray[np.int64], pools: Sequence[Pool], rule: StoppingRule
) -> NextVotes:
    """Return for every item whether one more vote is worth its price, and which pool's is worth most beyond it.

    Args:
        posteriors: (items, classes), rows sum to one, those of items without a vote included.
        n_votes: (items,) how many votes each has.
        pools: at least one; of equals the first is asked.
        rule: bounds on an item's votes.

    Raises:
        InvalidSettingError: no pool, or one of other classes.

    Complexity: O(items x classes x outcomes) for each pool, with at most 2,000 outcomes; memory is bounded.
    """
    if not pools or any(len(pool.confusion) != posteriors.shape[1] for pool in pools):
        raise InvalidSettingError(f"pools: at least one, each with a confusion of {posteriors.shape[1]} classes")
    net = np.stack([value_of_a_vote(posteriors, pool.confusion, rule.look_ahead) - pool.price for pool in pools])
    best = net.argmax(axis=0)
    worth = net.max(axis=0, initial=-np.inf)
    below = n_votes < rule.least
    is_done = (n_votes >= rule.most) | ((worth <= 0) & ~below)
    value = np.where(below, np.inf, worth)
    return NextVotes(np.where(is_done, NO_POOL, best), np.where(is_done, 0.0, value))


def value_of_a_vote(posteriors: FloatArray, confusion: FloatArray, look_ahead: int = 1) -> FloatArray:
    """Return (items,): how much a vote lowers the chance of a wrong label, the best mean of 1 to `look_ahead` votes."""
    found = np.zeros(len(posteriors))
    now = posteriors.max(axis=1, initial=0.0)
    for votes in range(1, look_ahead + 1):
        if votes > 1 and comb(len(confusion) + votes - 1, votes) > _MOST_OUTCOMES:
            break
        outcomes = _outcomes(confusion, votes)
        for rows in _chunks(len(posteriors), outcomes.size):
            right = (posteriors[rows, None, :] * outcomes).max(axis=2).sum(axis=1)
            found[rows] = np.maximum(found[rows], (right - now[rows]) / votes)
    return found


def pooled_confusion(confusions: FloatArray, n_votes: NDArray[np.int64], *, mass: float = 2.0) -> FloatArray:
    """Return (classes, classes): the confusion of an annotator of a pool, each weighed by how much they vote.

    Args:
        confusions: (annotators, classes, classes).
        n_votes: (annotators,) votes that each rests on; without any vote, all classes are answered alike.
        mass: votes of an annotator who guesses, added: a pool that is little known promises little.
    """
    n_classes = confusions.shape[-1]
    weighed = np.einsum("a,akl->kl", n_votes.astype(np.float64), confusions) + mass / n_classes
    pooled: FloatArray = weighed / weighed.sum(axis=1, keepdims=True)
    return pooled


def _outcomes(confusion: FloatArray, votes: int) -> FloatArray:
    """Return (outcomes, classes): P(outcome | class) of every multiset of answers."""
    answers = np.array(list(combinations_with_replacement(range(len(confusion)), votes)))
    counts = (answers[:, :, None] == np.arange(len(confusion))).sum(axis=1)
    ways = factorial(votes) / np.array([factorial(n) for n in range(votes + 1)])[counts].prod(axis=1)
    likely: FloatArray = ways[:, None] * confusion.T[answers].prod(axis=1)
    return likely


def _chunks(n_items: int, size: int) -> Iterator[slice]:
    """Yield the items in runs whose tables stay small."""
    step = max(1, _CHUNK // size)
    return (slice(start, start + step) for start in range(0, n_items, step))
