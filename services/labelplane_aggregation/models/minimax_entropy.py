"""Minimax conditional entropy: annotators and items both have tables of confusion."""

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
from labelplane_aggregation.models._pooling import pool
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["MinimaxEntropy"]

_STEPS = 5
"""Steps in every table of one side before the other side's turn."""

_CONFUSION_MASS = 2.0
"""Pseudo-votes by which a reported confusion follows the annotator's table."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MinimaxEntropy(ClimbingModel):
    r"""An answer follows the annotator's confusion and the item's own: hard items draw everybody to a wrong class.

    Model. Item j has class y_j ~ pi. P(z_ij = l | y_j = k) ~ exp(s_i[k, l] + t_j[k, l]), normalised over l. The table
    s_i is the annotator's, t_j the item's. This is the dual form of the principle: of all ways to explain the votes
    that give each annotator and each item its observed confusions, take labels of least entropy under the model of most
    entropy. A vote of weight w counts w times. Priors: s_i[k, l] ~ Normal(c[k, l], 1 / a), t_j[k, l] ~ Normal(0, 1 / b)
    with c the logarithm of the pooled confusion by the start (vote shares, gold in their place), held; a = `pull` x
    classes^2 and b = a x votes an annotator / votes an item, as in the paper. A learned pi has
    Dirichlet(1 + class_smoothing).

    Steps (generalised EM). E: the class posterior is pi[k] prod_i P(z_ij | k)^w, normalised. M: five steps in every s_i
    with the t held, then five in every t_j with the s held, each the maximum of a quadratic lower bound (a concave
    function whose curvature is bounded, Boehning 1992); pi[k] ~ expected items + class_smoothing. Hence

        F = sum_j log sum_k pi[k] prod_i P(z_ij | k)^w - a/2 sum_i |s_i - c|^2 - b/2 sum_j |t_j|^2
            + sum_k class_smoothing log pi[k]

    never falls. O(votes x classes^2) exponentials an iteration: the slow, exact option. Memory 8 bytes x (items +
    annotators) x classes^2. The paper shrinks annotators' tables to 0, hence somebody of few votes to guessing; here to
    the crowd's.

    Source: D. Zhou, Q. Liu, J. Platt and C. Meek, Aggregating Ordinal Labels from Crowds by Minimax Conditional
    Entropy, ICML 2014 (of its two models the one for classes without order).

    Attributes:
        max_iterations: at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        pull: how firmly tables are held near their means, above 0. From 1/4 on, annotators of one answer may draw
            items into it: towards the crowd's table they are taken for like the others.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> MinimaxEntropy().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    tolerance: float = 1e-5
    pull: float = 0.1

    def _bounds(self) -> Bounds:
        return {"pull": (0.0 < self.pull < np.inf, "above 0")}

    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        rows: ClassRows,
        start: NDArray[np.float64] | None,
    ) -> Estimate:
        with _Tables(self, votes, known) as tables:
            tables.go_on_from(start)

            def step() -> tuple[float, float]:
                penalty = tables.maximise() + rows.maximise(tables.totals)
                return tables.expect(rows.log_rows), penalty

            climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
            return Estimate(tables.posterior, tables.confusions(), climbed)


class _Tables:
    """Tables of annotators and items, and the posterior under them. Use as a context: it holds thread pools."""

    def __init__(self, model: MinimaxEntropy, votes: VoteMatrix, gold: NDArray[np.int32]) -> None:
        from labelplane_aggregation.models import _minimax_kernels

        self._kernels = _minimax_kernels
        self._votes, self._gold = votes, gold
        n_classes = votes.n_classes
        self._by_item = Chunks(votes.offsets, n_sums=n_classes, threads=model.threads)
        self._order = np.argsort(votes.annotators, kind="stable")
        self._offsets = np.zeros(votes.n_annotators + 1, np.int64)
        np.cumsum(np.bincount(votes.annotators, minlength=votes.n_annotators), out=self._offsets[1:])
        self._by_annotator = Chunks(self._offsets, n_sums=0, threads=model.threads)
        self._chunk_totals = np.zeros((len(self._by_item), n_classes))
        self.posterior = votes.shares()
        clamp(self.posterior, gold)
        self.totals[:] = self.posterior.sum(axis=0)
        self._mean = np.log(pool(self._counts()).T)
        self._of_annotators = np.tile(self._mean, (votes.n_annotators, 1, 1))
        self._of_items = np.zeros((votes.n_items, n_classes, n_classes))
        self._pull = model.pull * n_classes**2
        self._item_pull = self._pull * _voters(votes.items, votes) / _voters(votes.annotators, votes)

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

    def maximise(self) -> float:
        """Climb in the annotators' tables and then in the items'; return their log prior, constants left out."""
        votes = self._votes
        votes_of = (votes.answers, votes.weights, votes.items, self.posterior)
        in_order, nothing = np.arange(votes.n_votes), np.zeros_like(self._mean)

        def fit_annotators(_: int, begin: int, end: int) -> None:
            where = (begin, end, self._offsets, self._order, votes.items, *votes_of)
            self._kernels.climb_rows(*where, self._of_items, self._mean, self._pull, _STEPS, self._of_annotators)

        def fit_items(_: int, begin: int, end: int) -> None:
            where = (begin, end, votes.offsets, in_order, votes.annotators, *votes_of)
            self._kernels.climb_rows(*where, self._of_annotators, nothing, self._item_pull, _STEPS, self._of_items)

        self._by_annotator.run(fit_annotators)
        self._by_item.run(fit_items)
        off = float(np.square(self._of_annotators - self._mean).sum())
        return -0.5 * (self._pull * off + self._item_pull * float(np.square(self._of_items).sum()))

    def expect(self, log_prior: NDArray[np.float64]) -> float:
        """Set the posterior, (items, classes); return the observed-data log-likelihood in nats."""
        votes = self._votes
        given = (votes.offsets, votes.annotators, votes.answers, votes.weights, self._of_annotators, self._of_items)

        def work(chunk: int, begin: int, end: int) -> float:
            known = (log_prior, self._gold, self.posterior, self._chunk_totals[chunk])
            return float(self._kernels.expect(begin, end, *given, *known))

        return math.fsum(self._by_item.run(work, self._chunk_totals))

    def confusions(self) -> NDArray[np.float64]:
        """Return each annotator's expected answers by class, shrunk to what their table gives on an item of its own."""
        tables = np.exp(self._of_annotators)
        tables /= tables.sum(axis=2, keepdims=True)
        counts = self._counts().transpose(0, 2, 1) + _CONFUSION_MASS * tables
        confusions: NDArray[np.float64] = counts / counts.sum(axis=2, keepdims=True)
        return confusions

    def _counts(self) -> NDArray[np.float64]:
        """Return expected votes, (annotators, answers, true classes)."""
        votes = self._votes
        cells = votes.annotators.astype(np.int64) * votes.n_classes + votes.answers
        size = votes.n_annotators * votes.n_classes
        columns = [
            np.bincount(cells, weights=votes.weights * self.posterior[votes.items, true], minlength=size)
            for true in range(votes.n_classes)
        ]
        counts = np.stack(columns, axis=1).reshape(votes.n_annotators, votes.n_classes, votes.n_classes)
        return counts.astype(np.float64, copy=False)


def _voters(places: NDArray[np.int32], votes: VoteMatrix) -> float:
    """Return how many items or annotators have a vote that counts, at least 1."""
    return float(max(len(np.unique(places[votes.weights > 0.0])), 1))
