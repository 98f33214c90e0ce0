"""Reading every item once: those that can be used go into the index, the others are listed with their fault."""

import asyncio
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from labelplane_aggregation.preparing.listing import Listing
from labelplane_core.errors import BadItem, LinkLeavesRoot, ObjectNotFound
from labelplane_core.storage import ObjectStore
from labelplane_core.tables import INDEX, ITEM_ERRORS
from labelplane_core.tasks import TaskKind

__all__ = ["BlockReader", "ItemFault", "faults_table"]

_READS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class ItemFault:
    """An item that cannot be used, and why."""

    item_id: str
    uri: str | None
    reason: str
    message: str


class BlockReader:
    """Makes the blocks of an index from a listing. At most 16 items are in memory at once."""

    def __init__(
        self,
        data: ObjectStore,
        kind: TaskKind,
        listing: Listing,
        *,
        gold: Sequence[str],
        roles: Sequence[str],
        metadata_fields: Sequence[str],
        block_size: int,
    ) -> None:
        self._data = data
        self._kind = kind
        self._listing = listing
        self._gold = gold
        self._roles = roles
        self._metadata_fields = metadata_fields
        self._block_size = block_size
        self._at_once = asyncio.Semaphore(_READS_AT_ONCE)

    def rows(self, block: int) -> range:
        """Return the places of a block's items in the listing."""
        start = block * self._block_size
        return range(start, min(start + self._block_size, len(self._listing)))

    async def read(self, block: int) -> tuple[pa.Table, list[ItemFault]]:
        """Return a block's rows of the index, and the items that are left out of it."""
        rows = self.rows(block)
        found = await self._digests(rows)
        usable = [row for row, each in zip(rows, found, strict=True) if isinstance(each, str)]
        digests = [each for each in found if isinstance(each, str)]
        return self._table(block, usable, digests), [each for each in found if isinstance(each, ItemFault)]

    async def faults(self, block: int, present: pa.Table) -> list[ItemFault] | None:
        """Return the faults of the items that an existing part of the block lacks; None when it is of other items."""
        ids = [self._listing.item_ids[row] for row in self.rows(block)]
        there = set(present.column("item_id").to_pylist())
        if present.column("item_id").to_pylist() != [item_id for item_id in ids if item_id in there]:
            return None
        lacking = [row for row, item_id in zip(self.rows(block), ids, strict=True) if item_id not in there]
        found = await self._digests(lacking)
        faults = [each for each in found if isinstance(each, ItemFault)]
        return faults if len(faults) == len(lacking) else None

    async def _digests(self, rows: Sequence[int]) -> list[str | ItemFault]:
        """Return the digest of each item's bytes, or its fault."""
        texts = self._listing.texts
        if texts is not None:
            return await asyncio.to_thread(lambda: [self._checked(row, texts[row]) for row in rows])
        return list(await asyncio.gather(*(self._fetched(row) for row in rows)))

    async def _fetched(self, row: int) -> str | ItemFault:
        assert self._listing.uris is not None
        uri = self._listing.uris[row]
        async with self._at_once:
            try:
                raw = (await self._data.get(uri)).data
            except ObjectNotFound:
                message = f"{self._listing.place(row)}: there is no file {uri!r} below the data set's address"
                return ItemFault(self._listing.item_ids[row], uri, ObjectNotFound.reason, message)
            except LinkLeavesRoot as error:
                return ItemFault(self._listing.item_ids[row], uri, error.reason, str(error))
            return await asyncio.to_thread(self._checked, row, raw)

    def _checked(self, row: int, raw: bytes | str) -> str | ItemFault:
        """Decode an item for its faults alone."""
        try:
            self._kind.decode(raw)
        except BadItem as error:
            uri = None if self._listing.uris is None else self._listing.uris[row]
            return ItemFault(self._listing.item_ids[row], uri, error.reason, f"{self._listing.place(row)}: {error}")
        return hashlib.sha256(raw.encode() if isinstance(raw, str) else raw).hexdigest()

    def _table(self, block: int, rows: Sequence[int], digests: Sequence[str]) -> pa.Table:
        listing = self._listing
        return pa.table(
            {
                "block": pa.array(np.full(len(rows), block), pa.int32()),
                "item_id": _texts(listing.item_ids, rows),
                "uri": _texts(listing.uris, rows),
                "text": _texts(listing.texts, rows),
                "digest": pa.array(digests, pa.string()),
                "gold": pa.array([self._gold[row] or None for row in rows], pa.string()),
                "gold_role": _texts(self._roles, rows),
                "meta": pa.array([self._metadata(row) for row in rows], pa.string()),
            },
            schema=INDEX.arrow,
        )

    def _metadata(self, row: int) -> str:
        values = {name: _plain(self._listing.fields[name][row]) for name in self._metadata_fields}
        return json.dumps(values, ensure_ascii=False, default=str)


def faults_table(faults: Sequence[ItemFault]) -> pa.Table:
    """Return the faults as `ITEM_ERRORS`."""
    columns: dict[str, Any] = {
        name: [getattr(fault, name) for fault in faults] for name in ("item_id", "uri", "reason", "message")
    }
    return pa.table(columns, schema=ITEM_ERRORS.arrow)


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: there is neither NaN nor infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _texts(values: Sequence[str] | None, rows: Sequence[int]) -> pa.Array:
    return pa.array([None if values is None else values[row] for row in rows], pa.string())
