"""Items as algorithms see them: fetched from the data set and decoded."""

import asyncio
from collections.abc import Sequence

import pyarrow as pa

from labelplane_core.errors import BadItem
from labelplane_core.storage import ObjectStore
from labelplane_core.tasks import DecodedItem, TaskKind

__all__ = ["ItemReader"]

_READS_AT_ONCE = 32


class ItemReader:
    """Reads items of the index from the data set's store. Decoding happens in threads."""

    def __init__(self, data: ObjectStore, kind: TaskKind) -> None:
        self._data = data
        self._kind = kind
        self._at_once = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(self, rows: pa.Table) -> list[DecodedItem]:
        """Return the items of index rows (columns item_id, uri, text), in their order.

        Raises:
            BadItem: an item that Prepare could read cannot be read any more; the message names it.
        """
        raw = await self.read_raw(rows)
        return await asyncio.to_thread(self._decode_all, rows.column("item_id").to_pylist(), raw)

    async def read_raw(self, rows: pa.Table) -> list[bytes | str]:
        """Return the bytes or texts of index rows, in their order."""
        pairs = zip(rows.column("uri").to_pylist(), rows.column("text").to_pylist(), strict=True)
        return list(await asyncio.gather(*(self._fetch(uri, text) for uri, text in pairs)))

    async def _fetch(self, uri: str | None, text: str | None) -> bytes | str:
        if uri is None:
            return text or ""
        async with self._at_once:
            return (await self._data.get(uri)).data

    def _decode_all(self, item_ids: Sequence[str], raw: Sequence[bytes | str]) -> list[DecodedItem]:
        return [self._decode(item_id, each) for item_id, each in zip(item_ids, raw, strict=True)]

    def _decode(self, item_id: str, raw: bytes | str) -> DecodedItem:
        try:
            return self._kind.decode(raw)
        except BadItem as error:
            raise BadItem(f"item {item_id} could be read when the job was prepared and cannot now: {error}") from error
