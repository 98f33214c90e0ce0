"""The two steps of EM over sparse votes, and the memory they work in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._chunks import Chunks
from labelplane_aggregation.models._evidence import clamp
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["ConfusionPrior", "Steps"]


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionPrior:
    """Dirichlet prior of every annotator's confusion rows, written as pseudo-votes.

    Attributes:
        pooled: (answers, true classes): how a wrong answer is spread; off the diagonal each column sums to one.
        hits: (annotators, true classes): prior mean of the right answer.
        mass: pseudo-votes of a row, spread by the prior mean.
        smoothing: pseudo-votes of every cell on top, above 0, so that no probability is 0.
    """

    pooled: NDArray[np.float64]
    hits: NDArray[np.float64]
    mass: float
    smoothing: float

    @classmethod
    def flat(cls, n_annotators: int, n_classes: int, *, smoothing: float) -> Self:
        """Return the prior that only keeps probabilities off zero."""
        return cls(np.zeros((n_classes, n_classes)), np.zeros((n_annotators, n_classes)), 0.0, smoothing)


class Steps:
    """E-step and M-step on one set of votes.

    The items are cut into chunks (`Chunks`): the result is the same bit for bit for any number of threads. Use as a
    context: it holds a thread pool. Memory: 4 bytes a vote, 8 a cell of the posterior, and 16 a cell of the annotators'
    confusions and 8 more for each chunk after the first, together at most 8 bytes a vote.

    Attributes:
        posterior: (items, classes), written by `expect`; write the start here first and call `tally`.
        totals: (classes,): sum of the posterior.
        counts: (annotators, answers, true classes): expected votes. Both are kept up by `expect` and `tally`.
        log_confusion: the same axes, written by `maximise`.
    """

    def __init__(self, votes: VoteMatrix, gold: NDArray[np.int32], *, threads: int | None = None) -> None:
        from labelplane_aggregation.models import _kernels

        self._kernels = _kernels
        self._gold = gold
        self._size = (votes.n_annotators, votes.n_classes, votes.n_classes)
        cells = votes.annotators * np.int32(votes.n_classes) + votes.answers
        self._votes = (votes.offsets, cells, votes.weights)
        self._chunks = Chunks(votes.offsets, n_sums=votes.n_annotators * votes.n_classes**2, threads=threads)
        self._chunk_counts = np.empty((len(self._chunks), votes.n_annotators * votes.n_classes, votes.n_classes))
        self._chunk_totals = np.empty((len(self._chunks), votes.n_classes))
        self.posterior = np.empty((votes.n_items, votes.n_classes))
        self.log_confusion = np.empty(self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._chunks.close()

    @property
    def counts(self) -> NDArray[np.float64]:
        """Expected votes by annotator, answer and true class."""
        counts: NDArray[np.float64] = self._chunk_counts[0].reshape(self._size)
        return counts

    @property
    def totals(self) -> NDArray[np.float64]:
        """Expected items by class."""
        totals: NDArray[np.float64] = self._chunk_totals[0]
        return totals

    def clamp(self) -> None:
        """Put all of a gold item's posterior on its class."""
        clamp(self.posterior, self._gold)

    def go_on_from(self, posterior: NDArray[np.float64] | None) -> None:
        """Set the posterior, gold in its place, and the expected votes; None leaves everything as it is."""
        if posterior is not None:
            self.posterior[:] = posterior
            self.clamp()
            self.tally()

    def tally(self) -> None:
        """Sum up a `posterior` that was written from outside."""

        def work(chunk: int, begin: int, end: int) -> None:
            sums = (self._chunk_counts[chunk], self._chunk_totals[chunk])
            self._kernels.tally(begin, end, *self._votes, self.posterior, *sums)

        self._chunks.run(work, self._chunk_counts, self._chunk_totals)

    def expect(self, log_prior: NDArray[np.float64]) -> float:
        """Set `posterior` from `log_confusion` and `log_prior`; return the observed-data log-likelihood in nats.

        `log_prior` is (1, classes) for all items or (items, classes).
        """
        confusion = self.log_confusion.reshape(self._chunk_counts[0].shape)

        def work(chunk: int, begin: int, end: int) -> float:
            sums = (self._chunk_counts[chunk], self._chunk_totals[chunk])
            known = (confusion, log_prior, self._gold)
            return float(self._kernels.expect(begin, end, *self._votes, *known, self.posterior, *sums))

        return math.fsum(self._chunks.run(work, self._chunk_counts, self._chunk_totals))

    def maximise(self, prior: ConfusionPrior) -> float:
        """Set `log_confusion` to its best for `counts` under `prior`; return the log prior, constants left out."""
        penalties = np.empty(len(self.counts))
        self._kernels.maximise(
            self.counts, prior.pooled, prior.hits, prior.mass, prior.smoothing, self.log_confusion, penalties
        )
        return math.fsum(penalties)
