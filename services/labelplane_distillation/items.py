"""Items on their way from the data set to a learner: labelled ones at once, the others window by window."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pyarrow as pa

from labelplane_core.features import InputSpec
from labelplane_core.items import ItemReader
from labelplane_distillation.learning import Inputs, Rows, Window

__all__ = [
    "MAX_LABELLED_BYTES",
    "MAX_WINDOW_BYTES",
    "MAX_WINDOW_ITEMS",
    "IndexedItems",
    "StreamedWindows",
    "most_items",
]

MAX_LABELLED_BYTES = 2 << 30
"""Encoded labelled items in memory; of more, a seeded sample is trained on."""

MAX_WINDOW_ITEMS = 16_384
MAX_WINDOW_BYTES = 256 << 20
"""Items without votes in memory at a time; of more, every epoch draws others."""

_READ_AT_ONCE = 1024


class IndexedItems:
    """Reads and encodes items by their row in the index, for the loop or, blocking, for other threads."""

    def __init__(self, reader: ItemReader, index: pa.Table, *, loop: asyncio.AbstractEventLoop) -> None:
        self._reader = reader
        self._index = index
        self._loop = loop

    async def encode(self, rows: Rows, spec: InputSpec) -> Inputs:
        """Return the encoded items of these rows, (len(rows), ...)."""
        parts = [np.empty((0, *spec.shape), dtype=spec.dtype)]
        for start in range(0, len(rows), _READ_AT_ONCE):
            table = self._index.take(pa.array(rows[start : start + _READ_AT_ONCE]))
            decoded = await self._reader.read(table)
            parts.append(await asyncio.to_thread(spec.encode, decoded))
        return np.concatenate(parts)

    async def sample(self, rows: Rows, count: int) -> list[Any]:
        """Return up to `count` decoded items, spread evenly over `rows`."""
        places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64))
        return list(await self._reader.read(self._index.take(pa.array(rows[places]))))

    def encode_blocking(self, rows: Rows, spec: InputSpec) -> Inputs:
        """Do as `encode`, from a thread that is not the loop's."""
        encoded: Inputs = run_in_loop(self._loop, self.encode(rows, spec))
        return encoded


class StreamedWindows:
    """Items without votes with the teacher's word for each, at most one window of them in memory.

    Args:
        rows: the items' rows of the index.
        read: returns the window of rows: the student's inputs and the teacher's log-probabilities.
        limit: items of a window. When there are more, each epoch draws its own; else all epochs share one.
        seed: entropy of the draws.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        read: Callable[[Rows], Window],
        limit: int,
        seed: tuple[int, ...],
    ) -> None:
        self._rows = rows
        self._read = read
        self._limit = limit
        self._seed = seed
        self._kept: tuple[int, Window] | None = None

    def window(self, epoch: int) -> Window:
        """Return the window of an epoch."""
        number = epoch if len(self._rows) > self._limit else 0
        if self._kept is None or self._kept[0] != number:
            self._kept = None  # so that two windows are never held at once
            self._kept = (number, self._read(self._draw(number)))
        return self._kept[1]

    def _draw(self, number: int) -> Rows:
        if len(self._rows) <= self._limit:
            return self._rows
        generator = np.random.default_rng([*self._seed, number])
        return np.sort(generator.choice(self._rows, size=self._limit, replace=False))


def most_items(spec: InputSpec, *, bytes_at_most: int) -> int:
    """Return how many encoded items fit into so many bytes; at least one."""
    return max(1, bytes_at_most // (int(np.prod(spec.shape)) * spec.dtype.itemsize))


def run_in_loop(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on the loop of another thread and wait for its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
