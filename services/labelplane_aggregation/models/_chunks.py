"""Sharing items among threads so that the result does not depend on their number."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chunks"]

_Result = TypeVar("_Result")

_CHUNK_VOTES = 50_000
"""Fewer votes than this are done before a thread has woken up."""

_MAX_CHUNKS = 8
"""Beyond it the steps wait for memory."""


class Chunks:
    """Ranges of items of like many votes, worked on at the same time.

    The number of ranges depends on the votes alone. Each has its own sums, added up in the ranges' order, so that the
    result is the same bit for bit for any number of threads. It holds a thread pool: close it.
    """

    def __init__(self, offsets: NDArray[np.int64], *, n_sums: int, threads: int | None) -> None:
        """Cut the rows whose votes `offsets` count, as far as `n_sums` numbers of sums a range do not outweigh them."""
        self._ranges = _cut(offsets, _count_chunks(int(offsets[-1]), n_sums))
        workers = min(len(self._ranges), threads or _available_threads())
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def __len__(self) -> int:
        """Return the number of ranges."""
        return len(self._ranges)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, work: Callable[[int, int, int], _Result], *sums: NDArray[np.float64]) -> list[_Result]:
        """Do `work(chunk, begin, end)` on every range, with `sums` at zero; then add them up into their first row.

        `sums` have one row a chunk, to which the work of that chunk adds.
        """
        for table in sums:
            table[:] = 0.0
        places = [(chunk, begin, end) for chunk, (begin, end) in enumerate(self._ranges)]
        if self._pool is None:
            results = [work(*place) for place in places]
        else:
            results = [future.result() for future in [self._pool.submit(work, *place) for place in places]]
        for table in sums:
            for row in table[1:]:
                table[0] += row
        return results


def _available_threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _count_chunks(n_votes: int, n_sums: int) -> int:
    affordable = 1 + n_votes // max(n_sums, 1)
    return max(1, min(_MAX_CHUNKS, n_votes // _CHUNK_VOTES, affordable))


def _cut(offsets: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the items into at most `parts` ranges of like many votes."""
    marks = np.searchsorted(offsets, np.linspace(0, offsets[-1], parts + 1)[1:-1])
    return list(pairwise(np.unique([0, *marks, len(offsets) - 1]).tolist()))
