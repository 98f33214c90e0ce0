"""Blocks of items through a model on a server: several requests at once, answers in the order of the items."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy.typing as npt

from labelplane_core.features import InputSpec
from labelplane_core.models import ModelOutput
from labelplane_core.tasks import DecodedItem
from labelplane_scoring.inference import joined
from labelplane_scoring.served.batch_sizes import BatchSizes
from labelplane_scoring.served.errors import BatchTooLarge

__all__ = ["ServedInference", "ServedModel"]

_AT_ONCE: Final = 8
"""Requests in flight of one process: one is answered while others travel or are encoded."""


class ServedModel(Protocol):
    """A model on a server, made ready."""

    async def run(self, batch: npt.NDArray[Any]) -> ModelOutput:
        """Return the model's output for a batch of encoded items; `BatchTooLarge` for one that is too large."""
        ...

    async def leave(self) -> None:
        """Say that the model is not needed any more."""
        ...


@dataclass(slots=True)
class ServedInference:
    """Infers by a server.

    Attributes:
        model: on the server, made ready.
        spec: how items are encoded.
        sizes: of the requests; they adapt.
    """

    model: ServedModel
    spec: InputSpec
    sizes: BatchSizes
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def infer(self, items: Sequence[DecodedItem]) -> ModelOutput:
        """Return the model's output for all items, in their order; at least one item."""
        requests: list[asyncio.Task[ModelOutput]] = []
        start = 0
        try:
            async with asyncio.TaskGroup() as group:
                while start < len(items):
                    await self._slots.acquire()
                    part = items[start : start + self.sizes.size]
                    requests.append(group.create_task(self._request(part)))
                    requests[-1].add_done_callback(lambda _: self._slots.release())
                    start += len(part)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return joined([each.result() for each in requests])

    async def close(self) -> None:
        """Leave the model."""
        await self.model.leave()

    async def _request(self, items: Sequence[DecodedItem]) -> ModelOutput:
        batch = await asyncio.to_thread(self.spec.encode, items)
        began = time.perf_counter()
        try:
            output = await self.model.run(batch)
        except BatchTooLarge:
            if len(items) == 1:
                raise
            self.sizes = self.sizes.refused(len(items))
            half = len(items) // 2
            return joined([await self._request(items[:half]), await self._request(items[half:])])
        self.sizes = self.sizes.measured(len(items), time.perf_counter() - began)
        return output
