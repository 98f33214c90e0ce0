"""Tables to and from Parquet, refusing what is not of the schema."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from labelplane_core.errors import BadTable, SchemaVersion
from labelplane_core.tables.schema import TableSchema, written_as

__all__ = ["conform", "read_table", "write_table"]


def conform(table: pa.Table, schema: TableSchema, *, key: str = "table") -> pa.Table:
    """Return `table` with exactly the schema's columns, in its order and with its metadata.

    Values may be cast where nothing is lost (int64 to int32, large_string to string).

    Raises:
        BadTable: A column is missing, unknown, of another type or holds nulls that it must not; the message names
            `key` and column.
    """
    missing = [name for name in schema.columns.names if name not in table.column_names]
    unknown = [name for name in table.column_names if name not in schema.columns.names]
    if missing or unknown or len(set(table.column_names)) != table.num_columns:
        wanted = f"a table {schema.name!r} has the columns {schema.columns.names}"
        raise BadTable(f"{key}: {wanted}; missing {missing}, unknown {unknown}")
    columns = [_conform_column(table.column(field.name), field, key) for field in schema.columns]
    return pa.table(columns, schema=schema.arrow)


def write_table(table: pa.Table, schema: TableSchema, *, key: str = "table") -> bytes:
    """Return `table` as Parquet (zstd), after `conform`; equal tables give equal bytes under one version of pyarrow."""
    sink = io.BytesIO()
    pq.write_table(conform(table, schema, key=key), sink, compression="zstd")
    return sink.getvalue()


def read_table(data: bytes, schema: TableSchema, *, key: str) -> pa.Table:
    """Return the table in `data`.

    Raises:
        SchemaVersion: It was written under another schema or version.
        BadTable: It is no Parquet, or its columns are not the schema's; messages name `key`.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        name, version = written_as(file.schema_arrow)
        if (name, version) != (schema.name, str(schema.version)):
            raise SchemaVersion(
                f"{key}: expected a table {schema.name!r} of version {schema.version}, "
                f"found {name or 'no name'!r} of version {version or 'none'}: write it anew with this release"
            )
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise BadTable(f"{key}: not a readable Parquet file: {str(error)[:200]}") from error
    return conform(table, schema, key=key)


def _conform_column(column: "pa.ChunkedArray[Any]", field: "pa.Field[Any]", key: str) -> "pa.ChunkedArray[Any]":
    if column.null_count and not field.nullable:
        raise BadTable(f"{key}: column {field.name!r} must not hold nulls, {column.null_count} found")
    try:
        return column if column.type == field.type else column.cast(field.type)
    except pa.ArrowException as error:
        raise BadTable(
            f"{key}: column {field.name!r} must be {field.type}, not {column.type}: {str(error)[:200]}"
        ) from error
