"""The model of Dawid and Skene with its parameters averaged over instead of chosen: variational Bayes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._class_rows import ClassRows
from labelplane_aggregation.models._climb import climb
from labelplane_aggregation.models._dirichlet import Dirichlets
from labelplane_aggregation.models._em import Bounds, ClimbingModel, Estimate
from labelplane_aggregation.models._pooling import pool
from labelplane_aggregation.models._steps import Steps
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["VariationalBayes"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VariationalBayes(ClimbingModel):
    r"""Every annotator has a confusion matrix, of which a whole distribution is learned.

    Model. Item j has class y_j ~ pi. Annotator i answers l to an item of class k with probability theta_i[k, l],
    independently given the class. A vote of weight w counts w times. Rows have the prior theta_i[k] ~ Dirichlet(a[k]),
    a[k, l] = shrinkage_mass * m[k, l] + smoothing, where m is the pooled confusion by the start (vote shares, gold in
    their place), held as in `DawidSkene`. A learned pi has Dirichlet(1 + class_smoothing).

    Steps (mean field: classes and matrices independent). E: the class posterior is pi[k] prod_i exp(w E log
    theta_i[k, z_ij]), normalised, where E log theta[k, l] = digamma(A[k, l]) - digamma(sum of row A[k]). M: A_i = a +
    expected votes; pi[k] ~ expected items + class_smoothing. The objective is the bound on the evidence

        F = sum_j log sum_k pi[k] prod_i exp(w E log theta_i[k, z_ij]) - sum_ik KL(theta_i[k])
            + sum_k class_smoothing log pi[k]

    which never falls, since each step maximises it in its own block. `log_likelihood_` is the first sum. An annotator
    of few votes says less here than by the mode: E log theta is below log E theta, the more so the fewer the votes.
    Reliabilities are posterior means. O((votes + items + annotators x classes) x classes) an iteration, one digamma for
    each cell of the matrices.

    Source: H.-C. Kim and Z. Ghahramani, Bayesian Classifier Combination, AISTATS 2012, section 2 (independent BCC),
    by variational inference as in E. Simpson, S. Roberts, I. Psorakis and A. Smith, Dynamic Bayesian Combination of
    Multiple Imperfect Classifiers (2013), section 3.

    Attributes:
        max_iterations: at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        shrinkage_mass: prior pseudo-votes of a row, spread as the pooled confusion; 0 or more.
        smoothing: prior pseudo-votes of every cell on top, above 0.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> VariationalBayes().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    shrinkage_mass: float = 4.0
    smoothing: float = 0.5

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
        with Steps(votes, known, threads=self.threads) as steps:
            steps.posterior[:] = votes.shares()
            steps.clamp()
            steps.tally()
            prior = self.shrinkage_mass * pool(steps.counts).T + self.smoothing
            matrices = Dirichlets(prior, votes.n_annotators)
            steps.go_on_from(start)

            def step() -> tuple[float, float]:
                matrices.count(steps.counts.transpose(0, 2, 1))
                steps.log_confusion[:] = matrices.expected_log.transpose(0, 2, 1)
                penalty = rows.maximise(steps.totals) - matrices.divergence()
                return steps.expect(rows.log_rows), penalty

            climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
        return Estimate(steps.posterior, matrices.mean, climbed)
