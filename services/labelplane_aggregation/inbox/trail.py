"""Records that are appended for good, in batches numbered without a gap."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labelplane_core.errors import AlreadyExists, ObjectNotFound
from labelplane_core.storage import ObjectStore

__all__ = ["Record", "Trail"]

Record = dict[str, Any]
"""A JSON object."""


@dataclass(slots=True, eq=False)
class _Waiting:
    record: Record
    is_written: bool = False


class Trail:
    """Appends records, and tells of each once it is durable, in the order of the store.

    Records that come while a put is under way share the next one. A record may stand there twice when its caller went
    away at the wrong moment, so whoever is told must take one that it knows for nothing new.
    """

    def __init__(self, store: ObjectStore, key: Callable[[int], str], *, tell: Callable[[Record], None]) -> None:
        self._store = store
        self._key = key
        self._tell = tell
        self._next = 0
        self._waiting: list[_Waiting] = []
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Tell of the records that have been written since, by whichever process."""
        async with self._lock:
            await self._catch_up()

    async def append(self, record: Record) -> None:
        """Write a record and return when it is durable."""
        mine = _Waiting(record)
        self._waiting.append(mine)
        async with self._lock:
            if mine.is_written:
                return
            batch, self._waiting = self._waiting, []
            try:
                await self._write(batch)
            except BaseException:
                # The others wait for the lock and write theirs themselves.
                self._waiting = [each for each in batch if each is not mine] + self._waiting
                raise

    async def _write(self, batch: list[_Waiting]) -> None:
        data = "".join(f"{json.dumps(each.record, ensure_ascii=False)}\n" for each in batch).encode()
        while True:
            try:
                await self._store.create(self._key(self._next), data)
            except AlreadyExists:
                await self._catch_up()
            else:
                break
        self._next += 1
        for each in batch:
            each.is_written = True
            self._tell(each.record)

    async def _catch_up(self) -> None:
        while True:
            try:
                stored = await self._store.get(self._key(self._next))
            except ObjectNotFound:
                return
            for line in stored.data.splitlines():
                self._tell(json.loads(line))
            self._next += 1
