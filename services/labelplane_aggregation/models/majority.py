"""Majority vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._climb import Climb
from labelplane_aggregation.models._evidence import NO_GOLD, clamp, read_gold
from labelplane_aggregation.models._steps import ConfusionPrior, Steps
from labelplane_aggregation.models.fit import Fit, Reliabilities, conclude
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["MajorityVote", "judge", "shares_of"]

_SMOOTHING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorityVote:
    """The answer with the largest share of the votes' weight; every annotator is believed alike.

    The posterior is the vote shares. They are frequencies and no calibrated probabilities: three votes of three say
    1.0 whoever cast them. An annotator's accuracy is the mean share of the annotator's own answers: their agreement
    with all votes, their own included, hence too high where items have few votes. A confusion's row is uniform for a
    class that none of the annotator's items may be.

    Attributes:
        seed: of the generator that breaks ties.

    Example:
        >>> fit = MajorityVote().fit({"item": ["a", "a", "a"], "annotator": ["x", "y", "z"], "label": [1, 1, 0]})
        >>> fit.labels_.to_pylist()
        ['1']
    """

    seed: int = 0

    def fit(self, votes: Any, *, gold: Any = None) -> Fit:
        """Count the votes.

        Args:
            votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
            gold: mapping or frame item -> class: these items' posterior is that class.

        Returns:
            The result; `objective_` and `log_likelihood_` are empty, `n_iter_` is 0.

        Raises:
            InvalidVotesError: the votes cannot be read.
            InvalidGoldError: gold names an unknown class, or two for one item.

        Complexity: O(votes x classes + items x classes).
        """
        matrix = VoteMatrix.of(votes)
        known = read_gold(gold, matrix)
        posterior = shares_of(matrix, known)
        return conclude(
            matrix,
            posterior,
            Climb((), (), converged=True),
            class_prior=posterior.mean(axis=0),
            reliability=judge(matrix, known, posterior),
            n_gold=int((known != NO_GOLD).sum()),
            seed=self.seed,
        )


def shares_of(votes: VoteMatrix, known: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return each item's vote shares, (items, classes), with all of a gold item's on its class."""
    shares = votes.shares()
    clamp(shares, known)
    return shares


def judge(votes: VoteMatrix, known: NDArray[np.int32], posterior: NDArray[np.float64]) -> Reliabilities:
    """Return how every annotator's votes agree with a posterior."""
    with Steps(votes, known, threads=1) as steps:
        steps.posterior[:] = posterior
        steps.tally()
        steps.maximise(ConfusionPrior.flat(votes.n_annotators, votes.n_classes, smoothing=_SMOOTHING))
    return _agreement(votes, steps)


def _agreement(votes: VoteMatrix, steps: Steps) -> Reliabilities:
    hits: NDArray[np.float64] = np.trace(steps.counts, axis1=1, axis2=2)
    totals = steps.counts.sum(axis=(1, 2))
    accuracy = np.full(votes.n_annotators, 1.0 / votes.n_classes)
    np.divide(hits, totals, out=accuracy, where=totals > 0.0)
    return Reliabilities(
        votes.annotator_ids,
        accuracy=accuracy,
        confusion=np.exp(steps.log_confusion.transpose(0, 2, 1)),
        n_votes=np.bincount(votes.annotators, minlength=votes.n_annotators),
    )
