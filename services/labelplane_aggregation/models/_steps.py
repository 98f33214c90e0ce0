"""The two steps of EM over sparse votes, and the memory they work in."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._evidence import NO_GOLD
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["ConfusionPrior", "Steps"]

_Result = TypeVar("_Result")

_CHUNK_VOTES = 50_000
"""Fewer votes than this are done before a thread has woken up."""

_MAX_CHUNKS = 8
"""Beyond it the steps wait for memory."""


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

    The items are cut into chunks whose number depends on the votes alone. Each chunk has its own sums, added up in
    the chunks' order, so that the result is the same bit for bit for any number of threads. Use as a context: it
    holds a thread pool. Memory: 4 bytes a vote, 8 a cell of the posterior, and 16 a cell of the annotators'
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
        self._chunks = _cut(votes.offsets, _count_chunks(votes))
        workers = min(len(self._chunks), threads or _available_threads())
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None
        self._chunk_counts = np.empty((len(self._chunks), votes.n_annotators * votes.n_classes, votes.n_classes))
        self._chunk_totals = np.empty((len(self._chunks), votes.n_classes))
        self.posterior = np.empty((votes.n_items, votes.n_classes))
        self.log_confusion = np.empty(self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

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
        known = np.flatnonzero(self._gold != NO_GOLD)
        self.posterior[known] = 0.0
        self.posterior[known, self._gold[known]] = 1.0

    def tally(self) -> None:
        """Sum up a `posterior` that was written from outside."""

        def work(chunk: int, begin: int, end: int) -> None:
            sums = (self._chunk_counts[chunk], self._chunk_totals[chunk])
            self._kernels.tally(begin, end, *self._votes, self.posterior, *sums)

        self._run(work)

    def expect(self, log_prior: NDArray[np.float64]) -> float:
        """Set `posterior` from `log_confusion` and `log_prior`; return the observed-data log-likelihood in nats.

        `log_prior` is (1, classes) for all items or (items, classes).
        """
        confusion = self.log_confusion.reshape(self._chunk_counts[0].shape)

        def work(chunk: int, begin: int, end: int) -> float:
            sums = (self._chunk_counts[chunk], self._chunk_totals[chunk])
            known = (confusion, log_prior, self._gold)
            return float(self._kernels.expect(begin, end, *self._votes, *known, self.posterior, *sums))

        return math.fsum(self._run(work))

    def maximise(self, prior: ConfusionPrior) -> float:
        """Set `log_confusion` to its best for `counts` under `prior`; return the log prior, constants left out."""
        penalties = np.empty(len(self.counts))
        self._kernels.maximise(
            self.counts, prior.pooled, prior.hits, prior.mass, prior.smoothing, self.log_confusion, penalties
        )
        return math.fsum(penalties)

    def _run(self, work: Callable[[int, int, int], _Result]) -> list[_Result]:
        """Do `work` on every chunk with its sums at zero, then add the sums up into those of the first chunk."""
        self._chunk_counts[:] = 0.0
        self._chunk_totals[:] = 0.0
        places = [(chunk, begin, end) for chunk, (begin, end) in enumerate(self._chunks)]
        if self._pool is None:
            results = [work(*place) for place in places]
        else:
            results = [future.result() for future in [self._pool.submit(work, *place) for place in places]]
        for chunk in range(1, len(self._chunks)):
            self._chunk_counts[0] += self._chunk_counts[chunk]
            self._chunk_totals[0] += self._chunk_totals[chunk]
        return results


def _available_threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _count_chunks(votes: VoteMatrix) -> int:
    """Return how many chunks the votes are worth; their sums must not outweigh the votes themselves."""
    affordable = 1 + votes.n_votes // (votes.n_annotators * votes.n_classes**2)
    return max(1, min(_MAX_CHUNKS, votes.n_votes // _CHUNK_VOTES, affordable))


def _cut(offsets: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the items into at most `parts` ranges of like many votes."""
    marks = np.searchsorted(offsets, np.linspace(0, offsets[-1], parts + 1)[1:-1])
    return list(pairwise(np.unique([0, *marks, len(offsets) - 1]).tolist()))
