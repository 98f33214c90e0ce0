"""One accuracy an annotator: the model of Dawid and Skene with a single coin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._class_rows import ClassRows
from labelplane_aggregation.models._climb import climb
from labelplane_aggregation.models._em import Bounds, ClimbingModel, Estimate
from labelplane_aggregation.models._hits import HitSteps
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["OneCoin", "spread_evenly"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OneCoin(ClimbingModel):
    r"""Every annotator is right with one probability, and wrong answers are spread evenly.

    Model. Item j has class y_j ~ pi. Annotator i answers y_j with probability p_i, and each other class with
    (1 - p_i) / (classes - 1), independently given the class. A vote of weight w counts w times. p_i has the prior
    Beta(1 + a, 1 + b), a = shrinkage_mass * m + smoothing, b = shrinkage_mass * (1 - m) + smoothing, where m is the
    share of right votes by the start (vote shares, gold in their place), held through EM. A learned pi has
    Dirichlet(1 + class_smoothing). One number an annotator: for few votes, many classes, or many annotators.

    Steps. E: the class posterior is pi[k] prod_i P(z_ij | k)^w_ij, normalised. M: p_i = (h_i + a) / (n_i + a + b) with
    h_i the expected right votes of n_i; pi[k] ~ expected items + class_smoothing. Both are exact, so the objective

        F = sum_j log sum_k pi[k] prod_i P(z_ij | k)^w_ij + sum_i a log p_i + b log(1 - p_i)
            + sum_k class_smoothing log pi[k]

    never falls (Dempster, Laird and Rubin 1977). O(votes + items x classes) an iteration.

    Sources: the homogeneous case in A. P. Dawid and A. M. Skene, Applied Statistics 28 (1979); named so in Y. Zhang,
    X. Chen, D. Zhou and M. I. Jordan, Spectral Methods meet EM, JMLR 17 (2016), section 2.

    Attributes:
        max_iterations: at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        shrinkage_mass: votes by which each accuracy is shrunk to the crowd's, 0 or more; 0 is maximum likelihood.
        smoothing: pseudo-votes right and wrong, above 0: keeps accuracies off zero and one.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> OneCoin().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    shrinkage_mass: float = 2.0
    smoothing: float = 1e-9

    def _bounds(self) -> Bounds:
        return {
            "shrinkage_mass": (0.0 <= self.shrinkage_mass < np.inf, "0 or more"),
            "smoothing": (0.0 < self.smoothing < np.inf, "above 0"),
        }

    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        rows: ClassRows,
        start: NDArray[np.float64] | None,
    ) -> Estimate:
        with HitSteps(votes, known, threads=self.threads) as steps:
            coins = _Coins(self, steps)
            steps.go_on_from(start)

            def step() -> tuple[float, float]:
                penalty = coins.maximise(steps.hits) + rows.maximise(steps.totals)
                return steps.expect(coins.log_right, coins.log_wrong, rows.log_rows), penalty

            climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
        return Estimate(steps.posterior, spread_evenly(coins.accuracy, votes.n_classes), climbed)


class _Coins:
    """The annotators' accuracies under their Beta prior, and what their votes then say."""

    def __init__(self, model: OneCoin, steps: HitSteps) -> None:
        self._counts = steps.votes.sum(axis=1)
        overall = (float(steps.hits.sum()) + 1.0) / (float(self._counts.sum()) + 2.0)
        self._right = model.shrinkage_mass * overall + model.smoothing
        self._wrong = model.shrinkage_mass * (1.0 - overall) + model.smoothing
        self.accuracy = np.full(len(self._counts), overall)
        self.log_right, self.log_wrong = np.empty(steps.votes.shape), np.empty(steps.votes.shape)

    def maximise(self, hits: NDArray[np.float64]) -> float:
        """Set the accuracies to their best for expected right votes; return their log prior, constants left out."""
        right = hits.sum(axis=1) + self._right
        wrong = np.maximum(self._counts - hits.sum(axis=1), 0.0) + self._wrong  # rounding may leave less than none
        self.accuracy = right / (right + wrong)
        inaccuracy = wrong / (right + wrong)
        others = max(hits.shape[1] - 1, 1)
        self.log_right[:] = np.log(self.accuracy)[:, None]
        self.log_wrong[:] = np.log(inaccuracy / others)[:, None]
        return self._right * float(np.log(self.accuracy).sum()) + self._wrong * float(np.log(inaccuracy).sum())


def spread_evenly(accuracy: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """Return the confusions, (annotators, classes, classes), of annotators who err evenly."""
    if n_classes == 1:
        return np.ones((len(accuracy), 1, 1))
    confusion = np.empty((len(accuracy), n_classes, n_classes))
    confusion[:] = ((1.0 - accuracy) / (n_classes - 1))[:, None, None]
    diagonal = np.arange(n_classes)
    confusion[:, diagonal, diagonal] = accuracy[:, None]
    return confusion
