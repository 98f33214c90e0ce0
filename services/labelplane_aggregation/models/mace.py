"""Annotators who either know the class or guess: MACE, fitted by variational EM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._class_rows import ClassRows
from labelplane_aggregation.models._climb import climb
from labelplane_aggregation.models._dirichlet import Dirichlets
from labelplane_aggregation.models._em import Bounds, ClimbingModel, Estimate
from labelplane_aggregation.models._hits import HitSteps
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Mace"]

_START_KNOWS = 0.5
"""Competence from which the first split into knowing and guessing is made: neither is preferred."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mace(ClimbingModel):
    r"""Every vote is either the true class or a guess of an annotator's own habit.

    Model. Item j has class y_j ~ pi. For each vote annotator i knows with probability c_i and then answers y_j; else
    the annotator guesses and answers l with probability g_i[l], whatever y_j is. So P(l | k) = c_i [l = k] + (1 - c_i)
    g_i[l]. A vote of weight w counts w times. Priors c_i ~ Beta(knowing, guessing), g_i ~ Dirichlet(habit, ...); a
    learned pi has Dirichlet(1 + class_smoothing). It finds annotators who always give the same answer.

    Steps (variational EM; class and knowing of a vote are summed out together, c and g are independent Beta and
    Dirichlet). E: with C = exp E log c_i, C' = exp E log(1 - c_i), G[l] = exp E log g_i[l], the class posterior is
    pi[k] prod_i (C [l = k] + C' G[l])^w, normalised; a right vote for l was known with probability C / (C + C' G[l]).
    M: the pseudo-counts of c_i and g_i are their priors plus the expected known votes and guesses; pi[k] ~ expected
    items + class_smoothing. The objective is the bound on the evidence

        F = sum_j log sum_k pi[k] prod_i (C [l = k] + C' G[l])^w - KL(c) - KL(g) + sum_k class_smoothing log pi[k]

    which never falls, since each step maximises it in its own block. `log_likelihood_` is the first sum. The start is
    the vote shares (gold in their place), so that no random restarts are needed. O(votes + items x classes +
    annotators x classes) an iteration. The paper fixes pi uniform: `class_prior="uniform"`.

    Source: D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, Learning Whom to Trust with MACE, NAACL-HLT 2013,
    sections 2 and 3. Its priors are Beta(0.5, 0.5), as here, and Dirichlet(10); 3 finds one-answer annotators sooner.

    Attributes:
        max_iterations: at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        knowing: prior pseudo-votes of knowing, above 0.
        guessing: prior pseudo-votes of guessing, above 0.
        habit: prior pseudo-guesses of each class, above 0.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> Mace().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    knowing: float = 0.5
    guessing: float = 0.5
    habit: float = 3.0

    def _bounds(self) -> Bounds:
        return {
            "knowing": (0.0 < self.knowing < np.inf, "above 0"),
            "guessing": (0.0 < self.guessing < np.inf, "above 0"),
            "habit": (0.0 < self.habit < np.inf, "above 0"),
        }

    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        rows: ClassRows,
        start: NDArray[np.float64] | None,
    ) -> Estimate:
        with HitSteps(votes, known, threads=self.threads) as steps:
            guesses = _Guesses(self, steps)
            steps.go_on_from(start)

            def step() -> tuple[float, float]:
                penalty = guesses.maximise(steps.hits) + rows.maximise(steps.totals)
                return steps.expect(guesses.log_right, guesses.log_wrong, rows.log_rows), penalty

            climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
        return Estimate(steps.posterior, guesses.confusion(), climbed)


class _Guesses:
    """Beta of every annotator's knowing and Dirichlet of the guesses, and what votes then say."""

    def __init__(self, model: Mace, steps: HitSteps) -> None:
        n_annotators, n_classes = steps.votes.shape
        self._votes = steps.votes
        self._knowing = Dirichlets(np.array([model.knowing, model.guessing]), n_annotators)
        self._habits = Dirichlets(np.full(n_classes, model.habit), n_annotators)
        self._known_share = np.full(steps.votes.shape, _START_KNOWS / (_START_KNOWS + (1 - _START_KNOWS) / n_classes))
        self.log_right, self.log_wrong = np.empty(steps.votes.shape), np.empty(steps.votes.shape)

    def maximise(self, hits: NDArray[np.float64]) -> float:
        """Set both distributions to their best for expected right votes; return minus their divergences."""
        known = hits * self._known_share
        guessed = np.maximum(self._votes - known, 0.0)  # rounding may leave less than none
        self._knowing.count(np.stack([known.sum(axis=1), guessed.sum(axis=1)], axis=1))
        self._habits.count(guessed)
        knows, guesses = self._knowing.expected_log.T
        self.log_wrong[:] = guesses[:, None] + self._habits.expected_log
        self.log_right[:] = np.logaddexp(knows[:, None], self.log_wrong)
        np.exp(knows[:, None] - self.log_right, out=self._known_share)
        return -self._knowing.divergence() - self._habits.divergence()

    def confusion(self) -> NDArray[np.float64]:
        """Return the mean confusions, (annotators, classes, classes)."""
        knows = self._knowing.mean[:, 0]
        confusion: NDArray[np.float64] = knows[:, None, None] * np.eye(self._votes.shape[1])
        confusion += ((1.0 - knows)[:, None] * self._habits.mean)[:, None, :]
        return confusion
