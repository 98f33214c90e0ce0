"""The labels as files that other programs read.

Every format has one row for each item: `item`, `label`, `confidence` (0 to 1), `state` ("human", "accepted" or
"predicted"), then the item's metadata by their own names.

CSV holds texts exactly as they are, so that ids join with those of the data set. It is meant for programs: a
spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, so import such a file with its columns set
to text when ids or metadata come from people you do not trust (OWASP, "CSV injection"). An apostrophe in front would be
safe there and break every other reader.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from labelplane_core.errors import BadTable
from labelplane_report.columns import Column, one_array, rows_of
from labelplane_report.errors import BadExport, UnknownExportFormat

__all__ = ["EXPORT_FORMATS", "ExportFormat", "export_format", "export_table"]

_BASE = ("item", "label", "confidence", "state")
_BATCH_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """How a table becomes a file and a file a table again.

    Attributes:
        name: As jobs write it, in lower case.
        suffix: The file name's ending, with its dot.
        write: Writes a table of `export_table` to a binary sink, batch by batch. `BadExport` for what it cannot hold.
        read: Reads a file back into a table of the given schema; what `write` wrote comes back equal.
    """

    name: str
    suffix: str
    write: Callable[[pa.Table, BinaryIO], None]
    read: Callable[[BinaryIO, pa.Schema], pa.Table]


def export_table(labels: pa.Table, index: pa.Table, *, metadata_fields: Sequence[str] = ()) -> pa.Table:
    """Return what is exported: one row for each item of `labels`, in the order of `index`.

    A metadata field whose values are all texts, all numbers or all booleans keeps its type; otherwise it holds texts,
    lists and objects as JSON. A field named as one of the first four columns becomes `meta_<name>`. O(items).

    Args:
        labels: A LABELS table.
        index: The INDEX table.
        metadata_fields: The fields of `meta` to add; empty for all, in order of first appearance.

    Raises:
        BadTable: A label is of an item that is not in the index, or `meta` is no JSON object; messages name it.
    """
    ids = one_array(labels, "item_id")
    places = rows_of(ids, one_array(index, "item_id"))
    if len(places) and places.min() < 0:
        raise BadTable(f"labels: item {ids[int(places.argmin())].as_py()!r} is not in the index")
    order = pc.call_function("sort_indices", [pa.array(places)])
    ordered = labels.select(["item_id", "label", "confidence", "state"]).take(order).rename_columns(list(_BASE))
    rows = index.select(["item_id", "meta"]).take(pa.array(places).take(order))
    for name, column in _metadata(rows, metadata_fields).items():
        ordered = ordered.append_column(f"meta_{name}" if name in _BASE else name, column)
    return ordered


def export_format(name: str, *, formats: Mapping[str, ExportFormat] | None = None) -> ExportFormat:
    """Return the format with this name, in any case.

    Args:
        name: Such as "Csv".
        formats: Where to look, by lower-case name; None for `EXPORT_FORMATS`. A task kind's own formats are added by
            `{**EXPORT_FORMATS, ...}`.

    Raises:
        UnknownExportFormat: There is none; the message lists those there are.
    """
    known = EXPORT_FORMATS if formats is None else formats
    if name.lower() not in known:
        raise UnknownExportFormat(f"no export format is named {name!r}; there are {', '.join(sorted(known))}")
    return known[name.lower()]


def _metadata(rows: pa.Table, wanted: Sequence[str]) -> dict[str, Column]:
    records = [_record(item, text) for item, text in zip(*rows.to_pydict().values(), strict=True)]
    names = wanted or tuple(dict.fromkeys(name for record in records for name in record))
    return {name: _typed([record.get(name) for record in records]) for name in names}


def _record(item: str, text: str) -> dict[str, Any]:
    try:
        record = json.loads(text or "{}")
    except ValueError as error:
        raise BadTable(f"index: the metadata of item {item!r} are not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadTable(f"index: the metadata of item {item!r} are JSON, but no object")
    return record


def _typed(values: list[Any]) -> Column:
    """Return the values as one column of their common simple type, else as texts."""
    kinds = {type(value) for value in values if value is not None}
    simple = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    if len(kinds) == 1 and (kind := kinds.pop()) in simple:
        return pa.array(values, simple[kind])
    if kinds == {int, float}:
        return pa.array(values, pa.float64())
    texts = [value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False) for value in values]
    return pa.array(texts, pa.string())


def _write_csv(table: pa.Table, sink: BinaryIO) -> None:
    # Texts are quoted and nulls are not, so an empty text and a missing one stay apart.
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(batch_size=_BATCH_ROWS))


def _read_csv(source: BinaryIO, schema: pa.Schema) -> pa.Table:
    options = pa_csv.ConvertOptions(
        column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
    )
    try:
        parsing = pa_csv.ParseOptions(newlines_in_values=True)
        return pa_csv.read_csv(source, parse_options=parsing, convert_options=options).select(schema.names)
    except (pa.ArrowException, KeyError) as error:
        raise BadExport(f"not a CSV file with the columns {schema.names}: {str(error)[:200]}") from error


def _write_jsonl(table: pa.Table, sink: BinaryIO) -> None:
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        sink.writelines(line.encode() for line in _json_lines(batch.to_pylist()))


def _json_lines(rows: Iterable[dict[str, Any]]) -> Iterable[str]:
    for row in rows:
        try:
            yield json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BadExport(f"jsonl cannot hold the row of item {row.get('item')!r}: {error}") from error


def _read_jsonl(source: BinaryIO, schema: pa.Schema) -> pa.Table:
    try:
        return pa.Table.from_pylist([json.loads(line) for line in source], schema=schema)
    except (ValueError, pa.ArrowException) as error:
        raise BadExport(f"not a file of JSON lines with the columns {schema.names}: {str(error)[:200]}") from error


def _write_parquet(table: pa.Table, sink: BinaryIO) -> None:
    pq.write_table(table, sink, compression="zstd")


def _read_parquet(source: BinaryIO, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(pa.BufferReader(source.read())).select(schema.names).cast(schema)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise BadExport(f"not a Parquet file with the columns {schema.names}: {str(error)[:200]}") from error


EXPORT_FORMATS: Mapping[str, ExportFormat] = MappingProxyType(
    {
        "csv": ExportFormat("csv", ".csv", _write_csv, _read_csv),
        "jsonl": ExportFormat("jsonl", ".jsonl", _write_jsonl, _read_jsonl),
        "parquet": ExportFormat("parquet", ".parquet", _write_parquet, _read_parquet),
    }
)
"""The formats of labels that are one class for each item, by name."""
