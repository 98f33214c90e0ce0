"""The model of Dawid and Skene, fitted by penalised EM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.models._class_rows import ClassPrior, ClassRows
from labelplane_aggregation.models._climb import Climb, climb
from labelplane_aggregation.models._continuing import carry, race
from labelplane_aggregation.models._em import check_class_prior, check_settings
from labelplane_aggregation.models._evidence import NO_GOLD, read_gold, read_rows
from labelplane_aggregation.models._pooling import pool, right_share
from labelplane_aggregation.models._steps import ConfusionPrior, Steps
from labelplane_aggregation.models.fit import Fit, Reliabilities, conclude
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["ClassPrior", "DawidSkene", "ShrinkTo"]

_COIN_STEPS = 5
"""EM steps of the one-coin model that estimate the accuracies for `ShrinkTo.ANNOTATOR`; more changed no label."""


class ShrinkTo(StrEnum):
    """What an annotator's confusion is taken for as long as few of their votes are known."""

    POOLED = "pooled"
    """All annotators' votes together."""
    ANNOTATOR = "annotator"
    """The pooled errors at the annotator's own overall accuracy: tells random annotators apart after a few votes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What one climb found."""

    posterior: NDArray[np.float64]
    climbed: Climb
    class_prior: NDArray[np.float64]
    reliability: Reliabilities


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DawidSkene:
    r"""Every annotator has a confusion matrix; items' classes and matrices are estimated together.

    Model. Item j has class y_j ~ pi. Annotator i answers l to an item of class k with probability theta_i[k, l],
    independently given the class. A vote of weight w counts w times. Rows have the prior
    theta_i[k] ~ Dirichlet(1 + a_i[k]), a_i[k, l] = shrinkage_mass * m_i[k, l] + smoothing, and a learned pi has
    Dirichlet(1 + class_smoothing). So theta is the mode under pseudo-votes a, the same as the posterior mean under
    Dirichlet(a): each row is shrunk to its prior mean m_i by `shrinkage_mass` votes.

    Prior mean. m_i is the pooled confusion: all annotators' votes counted against the start (the vote shares, gold in
    its place), its rows shrunk by ten pseudo-votes to the overall accuracy with evenly spread errors. It is estimated
    once, before EM, and then held (empirical Bayes). Full matrices have classes x classes numbers an annotator, more
    than a cold start has votes; without a shared mean (one pseudo-vote a cell) EM then fits a few classes to
    everything. `shrink_to="annotator"` first fits one accuracy for each annotator (five EM steps of the one-coin
    model) and takes m_i = the pooled errors at that accuracy; EM starts from that posterior.

    Objective, recorded in each iteration:

        F = sum_j log sum_k pi[k] prod_i theta_i[k, z_ij]^w_ij          (observed data: `log_likelihood_`)
          + sum_ikl a_i[k, l] log theta_i[k, l] + sum_k class_smoothing log pi[k]

    with an item of gold class k giving log pi[k] prod_i ... alone, and the last sum only for a learned prior. F never
    falls: a is constant through EM, the E-step makes the expected complete-data log-likelihood plus its entropy touch
    F from below (Jensen), and the M-step, in closed form the exact maximum of that bound plus the log prior,
    theta_i[k, l] ~ n_i[k, l] + a_i[k, l], pi[k] ~ n[k] + class_smoothing, can only raise it (Dempster, Laird and
    Rubin 1977, theorem 1, with a prior). A pooled mean updated in every round would void this: F itself would change.

    Item prior. `fit(item_prior=p)` has a classifier's P(y_j = k | x_j) stand in place of pi[k] for each item (Raykar et
    al. 2010, section 2; there the classifier is refitted in the M-step, here it is given). The class prior then enters
    nowhere: a classifier trained on representative labels carries it already. Give `class_prior` or `item_prior`,
    not both: a fixed class prior beside an item prior is refused. To add a prior shift, multiply it into p.

    Sources: A. P. Dawid and A. M. Skene, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm,
    Applied Statistics 28 (1979). V. C. Raykar et al., Learning From Crowds, JMLR 11 (2010).

    Attributes:
        max_iterations: at least 1.
        tolerance: EM has converged when an iteration raises the objective by at most this share of it (of 1 nat,
            when it is smaller than that); 0 runs on until nothing rises.
        shrinkage_mass: pseudo-votes by which each row is shrunk to its prior mean, 0 or more; 0 is maximum likelihood.
        shrink_to: the prior mean, see `ShrinkTo`.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        smoothing: pseudo-votes of every cell, above 0: keeps probabilities off zero.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> DawidSkene().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    max_iterations: int = 100
    tolerance: float = 1e-6
    shrinkage_mass: float = 2.0
    shrink_to: ShrinkTo | str = ShrinkTo.POOLED
    class_prior: ClassPrior | str | ArrayLike = ClassPrior.LEARNED
    smoothing: float = 1e-9
    class_smoothing: float = 1.0
    threads: int | None = None
    seed: int = 0

    def fit(
        self, votes: Any, *, gold: Any = None, item_prior: ArrayLike | None = None, start: ArrayLike | Fit | None = None
    ) -> Fit:
        """Estimate classes and confusions.

        Args:
            votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
            gold: mapping or frame item -> class: these items' posterior is that class throughout, and teaches the
                confusions. Items without a vote are left out.
            item_prior: (items, classes) probabilities of a classifier, rows as `VoteMatrix.item_ids`; they stand in
                place of the class prior. Probabilities under 1e-9 are taken for 1e-9.
            start: (items, classes) posterior to start from, rows as `VoteMatrix.item_ids`; else the vote shares. Or an
                earlier fit with the same classes: its parameters are the start, unless beginning anew reaches a higher
                objective in as many iterations (`Fit.continued_` says which).

        Returns:
            The result; `posterior_` belongs to `reliability_` and to the last entry of `objective_`.

        Raises:
            InvalidVotesError: the votes cannot be read.
            InvalidGoldError: gold names an unknown class, or two for one item.
            InvalidPriorError: `item_prior`, `start` or `class_prior` are no probabilities of the right shape.
            InvalidSettingError: a parameter is out of its bounds.

        Complexity: O((votes + items + annotators x classes) x classes) an iteration; memory O(votes + items x classes
        + annotators x classes^2).
        """
        self._check(has_item_prior=item_prior is not None)
        matrix = VoteMatrix.of(votes)
        known = read_gold(gold, matrix)
        carried = carry(start, matrix, known) if isinstance(start, Fit) else None
        first = matrix.shares() if start is None or isinstance(start, Fit) else read_rows(start, matrix, what="start")

        def run(posterior: NDArray[np.float64] | None, max_iterations: int) -> _Found:
            rows = ClassRows(
                matrix, class_prior=self.class_prior, smoothing=self.class_smoothing, item_prior=item_prior
            )
            model = replace(self, max_iterations=max_iterations)
            return model._estimate(matrix, known, rows, first=first, start=posterior)  # noqa: SLF001 - itself, with another bound

        found, continued = race(run, carried, self.max_iterations)
        return conclude(
            matrix,
            found.posterior,
            found.climbed,
            class_prior=found.class_prior,
            reliability=found.reliability,
            n_gold=int((known != NO_GOLD).sum()),
            seed=self.seed,
            continued=continued,
        )

    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        priors: ClassRows,
        *,
        first: NDArray[np.float64],
        start: NDArray[np.float64] | None,
    ) -> _Found:
        """Learn the prior means from the posterior `first`, and climb from `start`, or from there."""
        with Steps(votes, known, threads=self.threads) as steps:
            steps.go_on_from(first)
            confusion = self._confusion_prior(votes, steps, priors)
            steps.go_on_from(start)
            climbed = self._climb(steps, priors, confusion)
        class_prior = priors.reported(steps.posterior)
        return _Found(steps.posterior, climbed, class_prior, _reliabilities(votes, steps, class_prior))

    def _check(self, *, has_item_prior: bool) -> None:
        bounds = {
            "max_iterations": (self.max_iterations >= 1, "at least 1"),
            "tolerance": (0.0 <= self.tolerance < np.inf, "0 or more"),
            "shrinkage_mass": (0.0 <= self.shrinkage_mass < np.inf, "0 or more"),
            "smoothing": (0.0 < self.smoothing < np.inf, "above 0"),
            "class_smoothing": (0.0 < self.class_smoothing < np.inf, "above 0"),
            "threads": (self.threads is None or self.threads >= 1, "at least 1, or None"),
            "shrink_to": (self.shrink_to in set(ShrinkTo), f"one of {', '.join(ShrinkTo)}"),
        }
        check_settings(self, bounds)
        check_class_prior(self.class_prior, has_item_prior=has_item_prior)

    def _climb(self, steps: Steps, priors: ClassRows, confusion: ConfusionPrior) -> Climb:
        """Run EM from `steps.counts`."""

        def step() -> tuple[float, float]:
            penalty = steps.maximise(confusion) + priors.maximise(steps.totals)
            return steps.expect(priors.log_rows), penalty

        return climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)

    def _confusion_prior(self, votes: VoteMatrix, steps: Steps, priors: ClassRows) -> ConfusionPrior:
        """Estimate the prior mean from the start's counts; for `ShrinkTo.ANNOTATOR` move the start too."""
        if not self.shrinkage_mass:
            return ConfusionPrior.flat(votes.n_annotators, votes.n_classes, smoothing=self.smoothing)
        if self.shrink_to == ShrinkTo.POOLED:
            pooled = pool(steps.counts)
            hits = np.tile(np.diagonal(pooled), (votes.n_annotators, 1))
        else:
            accuracy = self._toss(votes, steps, priors)
            pooled = pool(steps.counts)
            hits = np.repeat(accuracy[:, None], votes.n_classes, axis=1)
        return ConfusionPrior(_errors(pooled), hits, self.shrinkage_mass, self.smoothing)

    def _toss(self, votes: VoteMatrix, steps: Steps, priors: ClassRows) -> NDArray[np.float64]:
        """Fit one accuracy an annotator; leaves its posterior and counts in `steps`, and returns the accuracies."""
        overall = right_share(steps.counts.sum(axis=0))
        others = max(votes.n_classes - 1, 1)
        for _ in range(_COIN_STEPS):
            hits = np.trace(steps.counts, axis1=1, axis2=2) + self.shrinkage_mass * overall
            accuracy = hits / (steps.counts.sum(axis=(1, 2)) + self.shrinkage_mass)
            steps.log_confusion[:] = np.log((1.0 - accuracy) / others)[:, None, None]
            diagonal = np.arange(votes.n_classes)
            steps.log_confusion[:, diagonal, diagonal] = np.log(accuracy)[:, None]
            priors.maximise(steps.totals)
            steps.expect(priors.log_rows)
        learned: NDArray[np.float64] = accuracy
        return learned


def _errors(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how wrong answers are spread: the pooled confusion without its diagonal, columns summing to one."""
    errors = pooled.copy()
    np.fill_diagonal(errors, 0.0)
    sums = errors.sum(axis=0, keepdims=True)
    np.divide(errors, sums, out=errors, where=sums > 0.0)
    return errors


def _reliabilities(votes: VoteMatrix, steps: Steps, class_prior: NDArray[np.float64]) -> Reliabilities:
    """Read the annotators' matrices; accuracy is over items drawn by the class prior."""
    confusion = np.exp(steps.log_confusion.transpose(0, 2, 1))
    return Reliabilities(
        votes.annotator_ids,
        accuracy=np.diagonal(confusion, axis1=1, axis2=2) @ class_prior,
        confusion=confusion,
        n_votes=np.bincount(votes.annotators, minlength=votes.n_annotators),
    )
