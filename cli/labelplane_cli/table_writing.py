"""Writes tables as CSV, JSONL or Parquet: the file is whole or it is the one that was there before."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from labelplane_cli.errors import BadFile
from labelplane_cli.replacing import check_folder_of, replace_file
from labelplane_cli.terminal import short_path

__all__ = ["check_output", "write_table"]

_DIGITS: Final = 6
"""Decimal places of a number in text; more would claim what votes cannot tell."""


def check_output(path: Path, what: str) -> None:
    """Refuse an output that could not be written, before anything is computed; `what` says what would be in it.

    Raises:
        BadFile: its ending is unknown, its folder is not there or not writable, or it is a folder.
    """
    if path.suffix.lower() not in _WRITERS:
        endings = ", ".join(_WRITERS)
        raise BadFile(f"{short_path(path)}: no {what} can be written by its ending: name a file in {endings}")
    check_folder_of(path)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table; a file of that name is replaced at once, whole, or not at all.

    Raises:
        BadFile: the disk is full, or the folder refuses the file.
    """
    replace_file(path, _WRITERS[path.suffix.lower()](table))


def _rows(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*map(_cells, table.columns), strict=True)


def _cells(column: pa.ChunkedArray) -> list[Any]:
    cells: list[Any] = column.to_pylist()
    if not pa.types.is_floating(column.type):
        return cells
    return [None if cell is None else round(cell, _DIGITS) for cell in cells]


def _as_csv(table: pa.Table) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(_rows(table))
    return text.getvalue().encode()


def _as_jsonl(table: pa.Table) -> bytes:
    names = table.column_names
    lines = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in _rows(table))
    return "".join(f"{line}\n" for line in lines).encode()


def _as_parquet(table: pa.Table) -> bytes:
    buffer: Any = io.BytesIO()
    pq.write_table(table, buffer)
    data: bytes = buffer.getvalue()
    return data


_WRITERS: Final[Mapping[str, Callable[[pa.Table], bytes]]] = {
    ".csv": _as_csv,
    ".jsonl": _as_jsonl,
    ".ndjson": _as_jsonl,
    ".parquet": _as_parquet,
}
