"""A table is a manifest of parts: nothing lists on a hot path."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from labelplane_core.errors import BadManifest, SchemaVersion
from labelplane_core.tables.digest import combine_digests
from labelplane_core.tables.schema import TableSchema

__all__ = ["TableManifest", "TablePart"]

_FORM = 1


@dataclass(frozen=True, slots=True)
class TablePart:
    """One object of a table: its key, number of rows and their digest, and its block when it is a block's part."""

    key: str
    rows: int
    digest: str
    block: int | None = None


@dataclass(frozen=True, slots=True)
class TableManifest:
    """What a table is made of.

    Attributes:
        schema: The name of the table's schema.
        version: The schema's version.
        parts: The parts, in the order of the table's rows.
        classes: The task's classes, where columns follow their order.
        block_size: Items in a block, in the index manifest; None elsewhere.
    """

    schema: str
    version: int
    parts: tuple[TablePart, ...]
    classes: tuple[str, ...] = ()
    block_size: int | None = None

    @classmethod
    def of(
        cls,
        schema: TableSchema,
        parts: Iterable[TablePart],
        *,
        classes: Iterable[str] = (),
        block_size: int | None = None,
    ) -> "TableManifest":
        """Return the manifest of a table of `schema`."""
        return cls(schema.name, schema.version, tuple(parts), tuple(classes), block_size)

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def digest(self) -> str:
        """The whole table's digest, however it is cut."""
        return combine_digests(part.digest for part in self.parts)

    @property
    def blocks(self) -> tuple[int, ...]:
        """The blocks that have a part, in the order of the parts."""
        return tuple(part.block for part in self.parts if part.block is not None)

    def to_json(self) -> bytes:
        """Return the manifest as JSON; equal manifests give equal bytes."""
        record = {"form": _FORM, **asdict(self), "rows": self.rows, "digest": self.digest}
        return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, schema: TableSchema, *, key: str) -> "TableManifest":
        """Return the manifest in `data`.

        Raises:
            SchemaVersion: It is of another schema, or of another version of it.
            BadManifest: It is not a manifest, or its totals are not those of its parts; messages name `key`.
        """
        record = _load(data, key)
        try:
            manifest = _from_record(record)
        except (KeyError, TypeError, ValueError) as error:
            raise BadManifest(f"{key}: not a manifest of a table: {error!r}") from error
        if (manifest.schema, manifest.version) != (schema.name, schema.version):
            raise SchemaVersion(
                f"{key}: expected a table {schema.name!r} of version {schema.version}, "
                f"found {manifest.schema!r} of version {manifest.version}: write it anew with this release"
            )
        if (record.get("rows"), record.get("digest")) != (manifest.rows, manifest.digest):
            raise BadManifest(
                f"{key}: the totals are not those of the parts: the file was changed by hand or is damaged"
            )
        return manifest


def _load(data: bytes, key: str) -> dict[str, Any]:
    try:
        record = json.loads(data)
    except ValueError as error:
        raise BadManifest(f"{key}: not JSON: {error}") from error
    if not isinstance(record, dict) or record.get("form") != _FORM:
        raise BadManifest(f"{key}: not a manifest of form {_FORM}")
    return record


def _from_record(record: dict[str, Any]) -> TableManifest:
    parts = tuple(_part(part) for part in record["parts"])
    classes = tuple(str(name) for name in record["classes"])
    size = record["block_size"]
    return TableManifest(
        str(record["schema"]), int(record["version"]), parts, classes, None if size is None else int(size)
    )


def _part(record: dict[str, Any]) -> TablePart:
    block = record["block"]
    return TablePart(
        str(record["key"]), int(record["rows"]), str(record["digest"]), None if block is None else int(block)
    )
