"""The stage Prepare."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from labelplane_aggregation.errors import TooManyItemErrors
from labelplane_aggregation.preparing.claim import claim_prefix
from labelplane_aggregation.preparing.earlier import earlier_rounds
from labelplane_aggregation.preparing.gold import AUDIT, GATE, known_classes, split_gold
from labelplane_aggregation.preparing.listing import Listing, read_listing
from labelplane_aggregation.preparing.reading import BlockReader, ItemFault, faults_table
from labelplane_aggregation.requests import PrepareRequest
from labelplane_core.errors import EmptyDataset
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.seeds import generator
from labelplane_core.shards import BLOCK_SIZE, n_blocks
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, ITEM_ERRORS, TableManifest, TablePart, read_table, write_table

__all__ = ["Prepare"]


class Prepare:
    """Claims the prefix, indexes the data set once, and finds the rounds that an earlier object of the job left."""

    def __init__(self, parts: ServiceParts, *, block_size: int = BLOCK_SIZE) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._data = parts.data
        self._tables = TableStore(parts.store)
        self._block_size = block_size

    async def run(self, request: PrepareRequest, context: OperationContext) -> Outcome:
        """Index the data set, unless it is indexed already, and return what stands."""
        await claim_prefix(self._store, self._layout, request)
        if not await self._store.exists(self._layout.index_manifest):
            await self._index(request, context)
        earlier = await earlier_rounds(self._store, self._layout)
        manifest = await self._tables.read_manifest(self._layout.index_manifest, INDEX)
        figures = await self._figures(manifest)
        return Outcome(
            {**earlier.results, "index": self._layout.index_manifest, "data_hash": manifest.digest},
            {**earlier.figures, **figures},
        )

    async def _index(self, request: PrepareRequest, context: OperationContext) -> None:
        """Write the index part by part; parts that an earlier run left are kept."""
        work = await self._plan(request)
        for block in range(n_blocks(len(work.listing), block_size=self._block_size)):
            context.check()
            part, faults = await self._block(work.reader, block)
            work.parts.append(part)
            work.faults.extend(faults)
            context.progress(work.reader.rows(block).stop, len(work.listing), "items")
            if len(work.faults) > request.dataset.max_item_errors:
                await self._write_faults(work)
                raise TooManyItemErrors(_too_many(work.faults, request.dataset.max_item_errors))
        await self._write_faults(work)
        manifest = TableManifest.of(INDEX, work.parts, block_size=self._block_size)
        if not manifest.rows:
            raise EmptyDataset(f"none of the {len(work.listing)} items can be used: {work.faults[0].message}")
        await self._tables.write_manifest(self._layout.index_manifest, manifest)

    async def _plan(self, request: PrepareRequest) -> "_Work":
        dataset = request.dataset
        gold_fields = (dataset.gold_field,) if dataset.gold_field else ()
        fields = tuple(dict.fromkeys((*gold_fields, *dataset.metadata_fields)))
        listing = await read_listing(self._data, request.task, dataset, fields=fields)
        gold = [""] * len(listing)
        if dataset.gold_field:
            gold = known_classes(listing.fields[dataset.gold_field], listing, request.task, field=dataset.gold_field)
        rng = generator(request.seed, "gold")
        reader = BlockReader(
            self._data,
            request.task.kind,
            listing,
            gold=gold,
            roles=split_gold(gold, gate_share=dataset.gold_gate_share, rng=rng),
            metadata_fields=dataset.metadata_fields,
            block_size=self._block_size,
        )
        return _Work(listing, reader, [], [])

    async def _block(self, reader: BlockReader, block: int) -> tuple[TablePart, list[ItemFault]]:
        key = self._layout.index_part(block)
        if await self._store.exists(key):
            faults = await reader.faults(block, await self._tables.read_part(key, INDEX))
            if faults is not None:
                return await self._tables.describe_part(key, INDEX, block=block), faults
            # The data set has changed since an unfinished run wrote the part, which nobody has read yet.
            await self._store.delete(key)
        table, faults = await reader.read(block)
        return await self._tables.write_part(key, table, INDEX, block=block), faults

    async def _write_faults(self, work: "_Work") -> None:
        data = await asyncio.to_thread(write_table, faults_table(work.faults), ITEM_ERRORS)
        await self._store.put(self._layout.index_errors, data)

    async def _figures(self, manifest: TableManifest) -> dict[str, float]:
        index = await self._tables.read_parts(manifest.parts, INDEX)
        stored = await self._store.get(self._layout.index_errors)
        errors = await asyncio.to_thread(read_table, stored.data, ITEM_ERRORS, key=self._layout.index_errors)
        return {
            "items": float(manifest.rows),
            "gold_gate": _count(index.column("gold_role"), GATE),
            "gold_audit": _count(index.column("gold_role"), AUDIT),
            "item_errors": float(len(errors)),
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One indexing under way."""

    listing: Listing
    reader: BlockReader
    parts: list[TablePart]
    faults: list[ItemFault]


def _count(column: Any, value: str) -> float:
    return float(pc.sum(pc.equal(column, value)).as_py() or 0)


def _too_many(faults: list[ItemFault], allowed: int) -> str:
    first = "; ".join(f"{fault.item_id} ({fault.message})" for fault in faults[:3])
    return (
        f"{len(faults)} items cannot be read, dataset.maxItemErrors allows {allowed}: {first}. "
        "Mend them or raise the bound; all are listed in errors.parquet"
    )
