"""Tables of any of the three formats as columns of plain values, each row with its place in the file."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from labelplane_aggregation.errors import BadDataset
from labelplane_core.errors import EmptyDataset

__all__ = ["TABLE_SUFFIXES", "Columns", "as_text", "read_columns"]

TABLE_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
"""Endings of the tables that can list items."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A table's columns by name, as Python values; `place` says where a row stands, for messages."""

    key: str
    values: Mapping[str, Sequence[Any]]
    n_rows: int
    place: Callable[[int], str]

    def __getitem__(self, name: str) -> Sequence[Any]:
        """Return a column; `BadDataset` lists the columns there are."""
        if name not in self.values:
            raise BadDataset(f"{self.key}: no column {name!r}; there are {', '.join(map(repr, self.values))}")
        return self.values[name]


def read_columns(data: bytes, *, key: str) -> Columns:
    """Return the table in `data`, read as its key ends.

    Raises:
        BadDataset: it is no such table; the message names file and line.
        EmptyDataset: it has no row.
    """
    suffix = PurePosixPath(key).suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise BadDataset(f"{key}: a table ends in one of {', '.join(TABLE_SUFFIXES)}")
    columns = _READERS[suffix](data, key)
    if not columns.n_rows:
        raise EmptyDataset(f"{key}: the table has no row: nothing is to be labelled")
    return columns


def as_text(value: Any) -> str:
    """Return a cell as text: nothing for null and NaN, whole numbers without a decimal point."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is the one value that differs from itself
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _read_csv(data: bytes, key: str) -> Columns:
    names = _csv_header(data, key)
    options = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=[])
    try:
        table = pa_csv.read_csv(
            io.BytesIO(data), parse_options=pa_csv.ParseOptions(newlines_in_values=True), convert_options=options
        )
    except pa.ArrowException as error:
        raise BadDataset(f"{key}: not a CSV file in UTF-8: {str(error)[:200]}") from error
    return Columns(key, table.to_pydict(), len(table), lambda row: f"{key}:{_csv_line(data, row)}")


def _csv_header(data: bytes, key: str) -> list[str]:
    try:
        names = next(csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadDataset(f"{key}: not a CSV file in UTF-8: {error}") from error
    if not names:
        raise EmptyDataset(f"{key}: the file is empty: its first line must name the columns")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadDataset(f"{key}:1: column {twice!r} stands twice: rename one")
    return names


def _csv_line(data: bytes, row: int) -> int:
    """Return the line on which a row of a CSV file ends; only messages ask, so the file is simply read again."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""))
    for number, _ in enumerate(cells for cells in reader if cells):
        if number == row + 1:
            return reader.line_num
    return row + 2


def _read_jsonl(data: bytes, key: str) -> Columns:
    records, lines = [], []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            records.append(_json_record(line, f"{key}:{number}"))
            lines.append(number)
    names = dict.fromkeys(name for record in records for name in record)
    values = {name: [record.get(name) for record in records] for name in names}
    return Columns(key, values, len(records), lambda row: f"{key}:{lines[row]}")


def _json_record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadDataset(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadDataset(f"{where}: a line must be a JSON object with a key for each column")
    return record


def _read_parquet(data: bytes, key: str) -> Columns:
    try:
        table = pq.read_table(pa.BufferReader(data))
        return Columns(key, table.to_pydict(), len(table), lambda row: f"{key}, row {row + 1}")
    except (pa.ArrowException, OSError) as error:
        raise BadDataset(f"{key}: not a Parquet file: {str(error)[:200]}") from error


_READERS: Mapping[str, Callable[[bytes, str], Columns]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
