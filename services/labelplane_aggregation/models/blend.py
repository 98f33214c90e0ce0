"""Dawid-Skene of three levels: the crowd's errors, each annotator's blend of habits, and rows of one's own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.models._class_rows import ClassRows
from labelplane_aggregation.models._climb import Climb, climb
from labelplane_aggregation.models._continuing import carry, race
from labelplane_aggregation.models._em import Bounds, ClimbingModel, Estimate
from labelplane_aggregation.models._pooling import learn_pool
from labelplane_aggregation.models._steps import Steps
from labelplane_aggregation.models.fit import Fit
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Blend"]

_TYPICAL = np.array([0.45, 0.45, 0.1])
"""Shares of knowing, erring as the crowd does and habit before anything is known."""

_TYPICAL_VOTES = 10.0
"""Pseudo-votes by which the crowd's shares follow those."""

_WARM_UP = 3
"""EM steps that estimate the crowd's shares, which are then held."""

_SPLITS = 2
"""EM steps of the blends in every M-step."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Blend(ClimbingModel):
    r"""Every vote is known, wrong as the crowd is wrong, or a habit; with many votes annotators get rows of their own.

    Model. Item j has class y_j ~ pi. For each vote annotator i draws one of three: with share s_i0 the answer is the
    class y_j; with s_i1 it is drawn from the crowd's confusion C[y_j]; with s_i2 from the annotator's own habit g_i. So

        m_i[k, l] = s_i0 [l = k] + s_i1 C[k, l] + s_i2 g_i[l],

    classes + 2 numbers an annotator and one matrix for all. One coin (errors spread evenly), MACE (knowing or habit)
    and a confusion shared by everybody are special cases. With `own_mass` = a, annotator i answers by a confusion of
    their own, theta_i[k] ~ Dirichlet(1 + a m_i[k]): Dawid and Skene's model with each row shrunk by a votes to what the
    annotator's blend foretells. Without (None), theta_i = m_i. A vote of weight w counts w times.

    Priors. s_i ~ Dirichlet(1 + mixing_mass * s), g_i ~ Dirichlet(1 + habit / classes), C[k] ~ Dirichlet(1 + M c[k])
    with c the one coin of the crowd; a learned pi has Dirichlet(1 + class_smoothing). M is learned once from the vote
    shares (gold in their place) by the marginal likelihood of C's rows: where classes are confused alike, M is large.
    The crowd's shares s are learned in three EM steps; both are then held (empirical Bayes).

    Steps. First the blends alone: E: class posterior ~ pi[k] prod_i m_i[k, z_ij]^w. M: two EM steps on which of the
    three each expected vote was (they raise the M-step's objective), and pi. Then, with `own_mass`, from there, m held:
    theta_i[k, l] ~ expected votes + a m_i[k, l]. Hence in both phases F = log-likelihood + log priors never falls;
    `objective_` is that of the last phase. O((votes + items + annotators x classes) x classes) an iteration.

    Source: the hierarchy is in the manner of M. Venanzi, J. Guiver, G. Kazai, P. Kohli and M. Shokouhi, Community-Based
    Bayesian Aggregation Models for Crowdsourcing, WWW 2014, with a blend of three where that has communities.

    Attributes:
        max_iterations: of each phase, at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        own_mass: votes by which rows of one's own are shrunk to the blend, above 0; None for the blend alone.
        mixing_mass: pseudo-votes by which an annotator's shares follow the crowd's, above 0.
        habit: pseudo-votes, spread evenly over the classes, of every habit, above 0.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> Blend().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    own_mass: float | None = 10.0
    mixing_mass: float = 2.0
    habit: float = 3.0

    def fit_both(
        self, votes: Any, *, gold: Any = None, item_prior: ArrayLike | None = None, start: Fit | None = None
    ) -> tuple[Fit, Fit]:
        """Return the fit of the blends alone and the one with rows of one's own, for the price of the second.

        Arguments and errors as for `fit`; `own_mass` must not be None.
        """
        matrix, known = self._prepare(votes, gold, has_item_prior=item_prior is not None)
        carried = None if start is None else carry(start, matrix, known)
        rows = self._rows(matrix, item_prior)
        with Steps(matrix, known, threads=self.threads) as steps:
            found, continued = self._race(matrix, steps, rows, carried)
            alone = self._conclude(matrix, known, rows, found, continued=continued)
            own = self._conclude(matrix, known, rows, self._own(steps, rows), continued=continued)
        return alone, own

    def fit(
        self, votes: Any, *, gold: Any = None, item_prior: ArrayLike | None = None, start: Fit | None = None
    ) -> Fit:
        """Estimate classes and annotators, as every model does; `start` is raced by the blends' objective."""
        if self.own_mass is not None:
            return self.fit_both(votes, gold=gold, item_prior=item_prior, start=start)[1]
        return ClimbingModel.fit(self, votes, gold=gold, item_prior=item_prior, start=start)

    def _race(
        self, votes: VoteMatrix, steps: Steps, rows: ClassRows, start: NDArray[np.float64] | None
    ) -> tuple[Estimate, bool]:
        """Learn the blends from `start` or anew, whichever is better, and leave what was found in `steps`."""

        def run(posterior: NDArray[np.float64] | None, max_iterations: int) -> Estimate:
            model = replace(self, max_iterations=max_iterations)
            return model._blend(votes, steps, rows, posterior)  # noqa: SLF001 - itself, with another bound

        found, continued = race(run, start, self.max_iterations)
        if continued:
            steps.log_confusion[:] = np.log(found.confusion.transpose(0, 2, 1))
            steps.go_on_from(found.posterior)
            rows.maximise(steps.totals)
        return found, continued

    def _bounds(self) -> Bounds:
        own = self.own_mass
        return {
            "own_mass": (own is None or 0.0 < own < np.inf, "above 0, or None"),
            "mixing_mass": (0.0 < self.mixing_mass < np.inf, "above 0"),
            "habit": (0.0 < self.habit < np.inf, "above 0"),
        }

    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        rows: ClassRows,
        start: NDArray[np.float64] | None,
    ) -> Estimate:
        with Steps(votes, known, threads=self.threads) as steps:
            return self._blend(votes, steps, rows, start)

    def _blend(self, votes: VoteMatrix, steps: Steps, rows: ClassRows, start: NDArray[np.float64] | None) -> Estimate:
        """Learn the blends; leaves the posterior and their logarithms in `steps`."""
        steps.go_on_from(votes.shares())
        blends = _Blends(self, steps)

        def step() -> tuple[float, float]:
            penalty = blends.maximise(steps) + rows.maximise(steps.totals)
            return steps.expect(rows.log_rows), penalty

        for _ in range(_WARM_UP):
            step()
            blends.learn_typical()
        steps.go_on_from(start)
        climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
        return _estimate_of(steps, climbed)

    def _own(self, steps: Steps, rows: ClassRows) -> Estimate:
        """Give annotators rows of their own, from the blends that `steps` holds."""
        from labelplane_aggregation.models import _blend_kernels

        if self.own_mass is None:
            raise ValueError("own_mass is None")
        mean = np.exp(steps.log_confusion)
        mass, penalties = self.own_mass, np.empty(len(mean))
        voting = steps.counts.sum(axis=(1, 2)) > 0.0

        def step() -> tuple[float, float]:
            _blend_kernels.draw_towards(steps.counts, mean, mass, steps.log_confusion, penalties)
            penalty = math.fsum(penalties[voting]) + rows.maximise(steps.totals)
            return steps.expect(rows.log_rows), penalty

        return _estimate_of(steps, climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance))


def _estimate_of(steps: Steps, climbed: Climb) -> Estimate:
    """Return what `steps` holds; the posterior is copied, for a later phase overwrites it."""
    return Estimate(steps.posterior.copy(), np.exp(steps.log_confusion.transpose(0, 2, 1)), climbed)


class _Blends:
    """The crowd's confusion, and every annotator's shares and habit."""

    def __init__(self, model: Blend, steps: Steps) -> None:
        from labelplane_aggregation.models import _blend_kernels

        self._kernels = _blend_kernels
        n_annotators, n_classes, _ = steps.counts.shape
        self._mixing_mass, self._habit = model.mixing_mass, model.habit
        self._crowd, self._crowd_prior = learn_pool(steps.counts)
        self._crowd_counts = np.empty_like(self._crowd)
        self._typical = _TYPICAL.copy()
        self._shares = np.tile(self._typical, (n_annotators, 1))
        self._habits = np.full((n_annotators, n_classes), 1.0 / n_classes)
        self._totals = steps.counts.sum(axis=(1, 2))
        self._voting = self._totals > 0.0

    def maximise(self, steps: Steps) -> float:
        """Set the blends to better ones for the expected votes; return their log prior, constants left out."""
        for _ in range(_SPLITS):
            self._kernels.split(
                steps.counts,
                self._crowd,
                self._typical,
                self._mixing_mass,
                self._habit,
                self._shares,
                self._habits,
                self._crowd_counts,
            )
            pseudo = self._crowd_counts + self._crowd_prior
            self._crowd = pseudo / pseudo.sum(axis=0, keepdims=True)
        self._kernels.blend(self._shares, self._habits, self._crowd, steps.log_confusion)
        return self._penalty()

    def learn_typical(self) -> None:
        """Learn what share of all votes is known, the crowd's or habit."""
        votes = self._totals @ self._shares + _TYPICAL_VOTES * _TYPICAL
        self._typical = votes / votes.sum()

    def _penalty(self) -> float:
        """Return the log prior without constants, as whose an annotator's who does not vote counts."""
        habit = self._habit / self._habits.shape[1]
        return float(
            self._mixing_mass * (np.log(self._shares[self._voting]) @ self._typical).sum()
            + habit * np.log(self._habits[self._voting]).sum()
            + (self._crowd_prior * np.log(self._crowd)).sum()
        )
