"""E-step of the models in which a vote is either for the true class or for another, whatever that is."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._chunks import Chunks
from labelplane_aggregation.models._evidence import clamp
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["HitSteps"]


class HitSteps:
    """E-step on one set of votes, for P(answer | class) that depends on whether they are the same, and the answer.

    An annotator's vote for l says log P(l | y = l) - log P(l | y other) for class l and nothing on the others: one
    addition a vote, where a full confusion needs one a class. Use as a context: it holds a thread pool.

    Attributes:
        posterior: (items, classes): the vote shares with gold in place, then what `expect` finds.
        hits: (annotators, answers): expected right votes by the posterior.
        votes: (annotators, answers): weight of all votes; held.
        totals: (classes,): sum of the posterior.
    """

    def __init__(self, votes: VoteMatrix, gold: NDArray[np.int32], *, threads: int | None) -> None:
        from labelplane_aggregation.models import _kernels

        self._kernels = _kernels
        self._gold = gold
        self._offsets, self._answers, self._weights = votes.offsets, votes.answers, votes.weights
        self._cells = votes.annotators * np.int32(votes.n_classes) + votes.answers
        size = votes.n_annotators * votes.n_classes
        self._shape = (votes.n_annotators, votes.n_classes)
        self._chunks = Chunks(votes.offsets, n_sums=size, threads=threads)
        self._chunk_hits = np.empty((len(self._chunks), size))
        self._chunk_totals = np.empty((len(self._chunks), votes.n_classes))
        self.votes = np.bincount(self._cells, weights=votes.weights, minlength=size).reshape(self._shape)
        self.posterior = votes.shares()
        clamp(self.posterior, gold)
        self._tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._chunks.close()

    @property
    def hits(self) -> NDArray[np.float64]:
        """Expected right votes by annotator and answer."""
        hits: NDArray[np.float64] = self._chunk_hits[0].reshape(self._shape)
        return hits

    @property
    def totals(self) -> NDArray[np.float64]:
        """Expected items by class."""
        totals: NDArray[np.float64] = self._chunk_totals[0]
        return totals

    def expect(
        self, log_right: NDArray[np.float64], log_wrong: NDArray[np.float64], log_prior: NDArray[np.float64]
    ) -> float:
        """Set `posterior`, `hits` and `totals`; return the log-likelihood of the votes in nats.

        Args:
            log_right: (annotators, answers): log P(answer | it is the class).
            log_wrong: (annotators, answers): log P(answer | the class is another).
            log_prior: (1, classes) for all items or (items, classes).
        """
        gains, losses = (log_right - log_wrong).ravel(), np.ascontiguousarray(log_wrong).ravel()

        def work(chunk: int, begin: int, end: int) -> float:
            votes = (self._offsets, self._cells, self._answers, self._weights)
            sums = (self._chunk_hits[chunk], self._chunk_totals[chunk])
            known = (gains, losses, log_prior, self._gold)
            return float(self._kernels.expect_hits(begin, end, *votes, *known, self.posterior, *sums))

        return math.fsum(self._chunks.run(work, self._chunk_hits, self._chunk_totals))

    def go_on_from(self, posterior: NDArray[np.float64] | None) -> None:
        """Set the posterior, gold in its place, and the expected votes; None leaves the vote shares."""
        if posterior is not None:
            self.posterior[:] = posterior
            clamp(self.posterior, self._gold)
            self._tally()

    def _tally(self) -> None:
        def work(chunk: int, begin: int, end: int) -> None:
            votes = (self._offsets, self._cells, self._answers, self._weights)
            sums = (self._chunk_hits[chunk], self._chunk_totals[chunk])
            self._kernels.tally_hits(begin, end, *votes, self.posterior, *sums)

        self._chunks.run(work, self._chunk_hits, self._chunk_totals)
