"""Majority vote in which annotators who agree with the others count more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models._climb import Climb
from labelplane_aggregation.models._em import check_settings
from labelplane_aggregation.models._evidence import NO_GOLD, read_gold
from labelplane_aggregation.models.fit import Fit, conclude
from labelplane_aggregation.models.majority import judge, shares_of
from labelplane_aggregation.models.votes import MAX_WEIGHT, VoteMatrix

__all__ = ["WeightedMajorityVote"]

_PRIOR_VOTES = 2.0
"""Pseudo-votes by which an annotator's agreement follows the crowd's: one vote makes nobody perfect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMajorityVote:
    """The answer with the largest share of the votes, each counted by its annotator's weight.

    The weights are given, or learned: every annotator counts alike at first; then, in each of `rounds` rounds, by how
    often their answers were those that the round before decided (ties not counted, gold always), shrunk to the crowd's
    agreement by two votes. With one round that is worker agreement with aggregate (Wawa). The posterior is the weighted
    shares: frequencies and no calibrated probabilities. It assumes that being with the many is being right, and of each
    annotator one number; it needs no iteration to converge, and is fooled by many who are wrong alike. A vote of weight
    w counts w times the annotator's weight.

    Attributes:
        rounds: 1 to 100; without effect where weights are given.
        weights: annotator -> weight, 0 to 1e9; annotators who are not named count 1. None: learned.
        seed: of the generator that breaks ties.

    Example:
        >>> votes = {"item": ["a", "a", "a"], "annotator": ["x", "y", "z"], "label": [1, 0, 0]}
        >>> WeightedMajorityVote(weights={"x": 3.0}).fit(votes).labels_.to_pylist()
        ['1']
    """

    rounds: int = 10
    weights: Mapping[str, float] | None = None
    seed: int = 0

    def fit(self, votes: Any, *, gold: Any = None) -> Fit:
        """Count the votes, weighted.

        Args:
            votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
            gold: mapping or frame item -> class: these items' posterior is that class, and teaches the weights.

        Returns:
            The result; `objective_` and `log_likelihood_` are empty, `n_iter_` is 0.

        Raises:
            InvalidVotesError: the votes cannot be read.
            InvalidGoldError: gold names an unknown class, or two for one item.
            InvalidSettingError: `rounds` or a weight is out of its bounds.

        Complexity: O(rounds x (votes + items x classes)).
        """
        check_settings(self, {"rounds": (1 <= self.rounds <= 100, "from 1 to 100")})
        matrix = VoteMatrix.of(votes)
        known = read_gold(gold, matrix)
        weights = self._given(matrix) if self.weights is not None else self._learn(matrix, known)
        posterior = shares_of(_weighted(matrix, weights), known)
        return conclude(
            matrix,
            posterior,
            Climb((), (), converged=True),
            class_prior=posterior.mean(axis=0),
            reliability=judge(matrix, known, posterior),
            n_gold=int((known != NO_GOLD).sum()),
            seed=self.seed,
        )

    def _given(self, votes: VoteMatrix) -> NDArray[np.float64]:
        given = self.weights or {}
        for name, weight in given.items():
            if not 0.0 <= weight <= MAX_WEIGHT:
                raise InvalidSettingError(f"weights: {name!r}: {weight!r}: must be from 0 to {MAX_WEIGHT:g}")
        return np.array([given.get(str(name), 1.0) for name in votes.annotator_ids.to_pylist()], np.float64)

    def _learn(self, votes: VoteMatrix, known: NDArray[np.int32]) -> NDArray[np.float64]:
        weights = np.ones(votes.n_annotators)
        for _ in range(self.rounds):
            weights = _agreements(votes, shares_of(_weighted(votes, weights), known))
        return weights


def _weighted(votes: VoteMatrix, weights: NDArray[np.float64]) -> VoteMatrix:
    """Return the votes, each counted by its annotator's weight too."""
    return replace(votes, weights=np.minimum(votes.weights * weights[votes.annotators], MAX_WEIGHT))


def _agreements(votes: VoteMatrix, posterior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how often each annotator's answers are those decided; a tied item says nothing of anybody."""
    best = posterior >= posterior.max(axis=1, keepdims=True) * (1.0 - 1e-12)
    weights = votes.weights * (best.sum(axis=1) == 1)[votes.items]
    hits = weights * best[votes.items, votes.answers]
    overall = (hits.sum() + 1.0) / (weights.sum() + 2.0)
    n_annotators = votes.n_annotators
    right = np.bincount(votes.annotators, weights=hits, minlength=n_annotators) + _PRIOR_VOTES * overall
    agreements: NDArray[np.float64] = right / (
        np.bincount(votes.annotators, weights=weights, minlength=n_annotators) + _PRIOR_VOTES
    )
    return agreements
