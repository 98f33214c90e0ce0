"""Tables in object storage: parts that are written once, and the manifests that readers follow."""

import asyncio
from collections.abc import Sequence

import pyarrow as pa

from labelplane_core.storage import ObjectStore, put_once
from labelplane_core.tables import TableManifest, TablePart, TableSchema, read_table, table_digest, write_table

__all__ = ["TableStore"]

_READS_AT_ONCE = 16


class TableStore:
    """Reads and writes tables of one store. Parquet and digests are worked in threads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def read_manifest(self, ref: str, schema: TableSchema) -> TableManifest:
        """Return the manifest at `ref`; errors as `ObjectStore.get` and `TableManifest.from_json`."""
        stored = await self._store.get(ref)
        return TableManifest.from_json(stored.data, schema, key=ref)

    async def read(self, ref: str, schema: TableSchema) -> pa.Table:
        """Return the whole table whose manifest lies at `ref`, in the order of its parts."""
        manifest = await self.read_manifest(ref, schema)
        return await self.read_parts(manifest.parts, schema)

    async def read_parts(self, parts: Sequence[TablePart], schema: TableSchema) -> pa.Table:
        """Return these parts as one table; an empty one for none."""
        at_once = asyncio.Semaphore(_READS_AT_ONCE)

        async def one(part: TablePart) -> pa.Table:
            async with at_once:
                return await self.read_part(part.key, schema)

        tables = await asyncio.gather(*(one(part) for part in parts))
        return pa.concat_tables(tables) if tables else schema.empty()

    async def read_part(self, key: str, schema: TableSchema) -> pa.Table:
        """Return one part; errors as `ObjectStore.get` and `read_table`."""
        stored = await self._store.get(key)
        return await asyncio.to_thread(read_table, stored.data, schema, key=key)

    async def write_part(
        self, key: str, table: pa.Table, schema: TableSchema, *, block: int | None = None
    ) -> TablePart:
        """Write a part unless it is there already, and return the part that stands under `key`.

        What another process wrote first is kept, so the part that is returned may hold its rows.
        """
        data = await asyncio.to_thread(write_table, table, schema, key=key)
        if not await put_once(self._store, key, data):
            return await self.describe_part(key, schema, block=block)
        return TablePart(key, len(table), await asyncio.to_thread(table_digest, table, schema), block)

    async def describe_part(self, key: str, schema: TableSchema, *, block: int | None = None) -> TablePart:
        """Return the part that lies under `key`, for a manifest."""
        table = await self.read_part(key, schema)
        return TablePart(key, len(table), await asyncio.to_thread(table_digest, table, schema), block)

    async def write_table(
        self,
        table: pa.Table,
        schema: TableSchema,
        *,
        part_key: str,
        manifest_key: str,
        classes: Sequence[str] = (),
        before: Sequence[TablePart] = (),
    ) -> str:
        """Write a table in one piece after the parts `before`, and return its manifest's key."""
        part = await self.write_part(part_key, table, schema)
        manifest = TableManifest.of(schema, (*before, part), classes=classes)
        return await self.write_manifest(manifest_key, manifest)

    async def write_manifest(self, key: str, manifest: TableManifest) -> str:
        """Write a manifest and return its key; each generation of an operation writes under a key of its own."""
        await self._store.put(key, manifest.to_json())
        return key
