"""Annotators' abilities and items' difficulties: GLAD, fitted by generalised EM."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._chunks import Chunks
from labelplane_aggregation.models._class_rows import ClassRows
from labelplane_aggregation.models._climb import climb
from labelplane_aggregation.models._em import Bounds, ClimbingModel, Estimate
from labelplane_aggregation.models._evidence import clamp
from labelplane_aggregation.models.one_coin import spread_evenly
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Glad"]

_QUANTILES = (np.arange(32) + 0.5) / 32
"""Of the items' eases, over which an annotator's accuracy is the mean."""


_ACCURACY_MASS = 2.0
"""Pseudo-votes by which an annotator's accuracy follows the ability."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Glad(ClimbingModel):
    r"""An answer is right by the annotator's ability times the item's ease; errors are spread evenly.

    Model. Item j has class y_j ~ pi and ease b_j > 0, annotator i ability a_i. A vote for l has P(l | y_j = k) ~
    exp(a_i b_j [l = k]): right with probability exp(a_i b_j) / (exp(a_i b_j) + classes - 1). For two classes that is
    the paper's sigma(a_i b_j); for more, ability 0 is chance (1 / classes), as it is for two, where the paper's formula
    would have 1/2. A negative ability is adversarial. A vote of weight w counts w times. Priors: a_i ~ Normal(m,
    ability_spread), log b_j ~ Normal(0, ease_spread); m is the ability at which the crowd agrees with the start (vote
    shares, gold in their place) as often as it does; held. A learned pi has Dirichlet(1 + class_smoothing).

    Steps (generalised EM). E: the class posterior is pi[k] prod_i P(z_ij | k)^w, normalised. M: two Newton steps for
    every a_i with the b held (a concave function of each), then two for every log b_j with the a held, each halved
    until it does not lower the expected log-likelihood with the prior; pi[k] ~ expected items + class_smoothing. Hence

        F = sum_j log sum_k pi[k] prod_i P(z_ij | k)^w - sum_i (a_i - m)^2 / 2 ability_spread^2
            - sum_j (log b_j)^2 / 2 ease_spread^2 + sum_k class_smoothing log pi[k]

    never falls. O(votes + items x classes) an iteration, three to five exponentials a vote and number.

    An annotator's accuracy is the expected share of right votes, with two pseudo-votes at what the ability gives over
    all items (the ability alone says too much, for eases are fitted to the same votes). Where items differ in ease, it
    forgives errors on hard ones; with few votes an item it can hardly learn ease, and is close to the one-coin model.

    Source: J. Whitehill, P. Ruvolo, T. Wu, J. Bergsma and J. Movellan, Whose Vote Should Count More: Optimal
    Integration of Labels from Labelers of Unknown Expertise, NIPS 2009, sections 2 and 3.

    Attributes:
        max_iterations: at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        ability_spread: standard deviation of abilities, above 0.
        ease_spread: standard deviation of log-eases, above 0; near 0 all items are alike.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> Glad().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    ability_spread: float = 1.0
    ease_spread: float = 1.0

    def _bounds(self) -> Bounds:
        return {
            "ability_spread": (0.0 < self.ability_spread < np.inf, "above 0"),
            "ease_spread": (0.0 < self.ease_spread < np.inf, "above 0"),
        }

    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        rows: ClassRows,
        start: NDArray[np.float64] | None,
    ) -> Estimate:
        with _Strengths(self, votes, known) as strengths:
            strengths.go_on_from(start)

            def step() -> tuple[float, float]:
                penalty = strengths.maximise() + rows.maximise(strengths.totals)
                return strengths.expect(rows.log_rows), penalty

            climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
            return Estimate(strengths.posterior, spread_evenly(strengths.accuracies(), votes.n_classes), climbed)


class _Strengths:
    """Abilities and eases, and the posterior under them. Use as a context: it holds thread pools."""

    def __init__(self, model: Glad, votes: VoteMatrix, gold: NDArray[np.int32]) -> None:
        from labelplane_aggregation.models import _glad_kernels

        self._kernels = _glad_kernels
        self._votes, self._gold = votes, gold
        self._spreads = (model.ability_spread, model.ease_spread)
        self._order = np.argsort(votes.annotators, kind="stable")
        self._offsets = np.zeros(votes.n_annotators + 1, np.int64)
        np.cumsum(np.bincount(votes.annotators, minlength=votes.n_annotators), out=self._offsets[1:])
        self._by_item = Chunks(votes.offsets, n_sums=votes.n_classes, threads=model.threads)
        self._by_annotator = Chunks(self._offsets, n_sums=0, threads=model.threads)
        self._log_others = math.log(votes.n_classes - 1) if votes.n_classes > 1 else -math.inf
        self._chunk_totals = np.zeros((len(self._by_item), votes.n_classes))
        self.posterior = votes.shares()
        clamp(self.posterior, gold)
        self.totals[:] = self.posterior.sum(axis=0)
        self._right = self.posterior[votes.items, votes.answers]
        self._mean = _typical_ability(self._right, votes)
        self._abilities = np.full(votes.n_annotators, self._mean)
        self._log_eases = np.zeros(votes.n_items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._by_item.close()
        self._by_annotator.close()

    @property
    def totals(self) -> NDArray[np.float64]:
        """Expected items by class."""
        totals: NDArray[np.float64] = self._chunk_totals[0]
        return totals

    def go_on_from(self, posterior: NDArray[np.float64] | None) -> None:
        """Set the posterior, gold in its place; None leaves the vote shares."""
        if posterior is not None:
            self.posterior[:] = posterior
            clamp(self.posterior, self._gold)
            self.totals[:] = self.posterior.sum(axis=0)
            self._right = self.posterior[self._votes.items, self._votes.answers]

    def maximise(self) -> float:
        """Climb in abilities and then in eases; return their log prior, constants left out."""
        votes = self._votes
        evidence = (votes.weights, self._right, self._log_others)
        eases = np.exp(self._log_eases)
        ability_spread, ease_spread = self._spreads

        def fit_abilities(_: int, begin: int, end: int) -> None:
            where = (begin, end, self._offsets, self._order, votes.items, eases)
            self._kernels.fit_abilities(*where, *evidence, self._mean, ability_spread, self._abilities)

        def fit_eases(_: int, begin: int, end: int) -> None:
            where = (begin, end, votes.offsets, in_order, votes.annotators, self._abilities)
            self._kernels.fit_eases(*where, *evidence, ease_spread, self._log_eases)

        in_order = np.arange(votes.n_votes)
        self._by_annotator.run(fit_abilities)
        self._by_item.run(fit_eases)
        return -0.5 * float(
            np.square((self._abilities - self._mean) / ability_spread).sum()
            + np.square(self._log_eases / ease_spread).sum()
        )

    def expect(self, log_prior: NDArray[np.float64]) -> float:
        """Set the posterior, (items, classes); return the observed-data log-likelihood in nats."""
        votes = self._votes
        given = (votes.offsets, votes.annotators, votes.answers, votes.weights, self._abilities)
        eases = np.exp(self._log_eases)

        def work(chunk: int, begin: int, end: int) -> float:
            known = (log_prior, self._gold, self.posterior, self._right, self._chunk_totals[chunk])
            return float(self._kernels.expect(begin, end, *given, eases, *known))

        return math.fsum(self._by_item.run(work, self._chunk_totals))

    def accuracies(self) -> NDArray[np.float64]:
        """Return each annotator's expected share of right votes, shrunk to what the ability gives over the items."""
        eases = np.exp(np.quantile(self._log_eases, _QUANTILES))
        odds = self._abilities[:, None] * eases - self._log_others
        typical = np.exp(-np.logaddexp(0.0, -odds)).mean(axis=1)
        annotators, weights = self._votes.annotators, self._votes.weights
        counts = np.bincount(annotators, weights=weights, minlength=len(typical))
        hits = np.bincount(annotators, weights=weights * self._right, minlength=len(typical))
        accuracies: NDArray[np.float64] = (hits + _ACCURACY_MASS * typical) / (counts + _ACCURACY_MASS)
        return accuracies


def _typical_ability(right: NDArray[np.float64], votes: VoteMatrix) -> float:
    """Return the ability at which votes are right as often as by the start, on an item of ease 1."""
    hits = float(votes.weights @ right) + 1.0
    misses = float(votes.weights @ (1.0 - right)) + 1.0
    return math.log(hits / misses * max(votes.n_classes - 1, 1))
