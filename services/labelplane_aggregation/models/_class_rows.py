"""What stands before the votes: the class prior, or an item's own."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.models._evidence import read_class_prior, read_rows
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["ClassPrior", "ClassRows"]

_FLOOR = 1e-9
"""Least probability of an item prior: a classifier that says 0 must not overrule any number of people."""


class ClassPrior(StrEnum):
    """Where the class prior comes from, when it is not given as numbers."""

    LEARNED = "learned"
    """The mean posterior, learned with the rest."""
    UNIFORM = "uniform"
    """Every class alike."""


class ClassRows:
    """Log probabilities of the classes before any vote.

    Attributes:
        log_rows: one row for all items, (1, classes), or a row for each, (items, classes).
    """

    def __init__(
        self,
        votes: VoteMatrix,
        *,
        class_prior: ClassPrior | str | ArrayLike,
        smoothing: float,
        item_prior: ArrayLike | None,
    ) -> None:
        self._smoothing = smoothing
        self._is_learned = False
        self._has_items = item_prior is not None
        if item_prior is not None:
            rows = read_rows(item_prior, votes, what="item_prior")
            np.maximum(rows, _FLOOR, out=rows)
            rows /= rows.sum(axis=1, keepdims=True)
            self.log_rows = np.log(rows, out=rows)
        elif isinstance(class_prior, str):
            self._is_learned = class_prior == ClassPrior.LEARNED
            self.log_rows = np.full((1, votes.n_classes), -np.log(votes.n_classes))
        else:
            self.log_rows = np.log(read_class_prior(class_prior, votes))[None, :]

    def maximise(self, totals: NDArray[np.float64]) -> float:
        """Learn the class prior from expected items, where it is learned; return its log prior without constants."""
        if not self._is_learned:
            return 0.0
        sums = totals + self._smoothing
        self.log_rows = np.log(sums / sums.sum())[None, :]
        return self._smoothing * float(self.log_rows.sum())

    def reported(self, posterior: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the class prior that was used, or the mean posterior beside an item prior."""
        shares: NDArray[np.float64] = posterior.mean(axis=0) if self._has_items else np.exp(self.log_rows[0])
        return shares
