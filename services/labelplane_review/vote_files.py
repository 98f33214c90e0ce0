"""Files of votes: rows out of CSV, JSONL, Parquet and Label Studio's JSON, each with the place that it stands at."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from labelplane_review.label_studio_files import label_studio_records

__all__ = ["FORMULA", "SUFFIXES", "BadRow", "VoteRow", "is_complete", "read_rows"]

SUFFIXES = frozenset({".csv", ".json", ".jsonl", ".parquet"})

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

_GUARDED = tuple(f"'{first}" for first in FORMULA)


@dataclass(frozen=True, slots=True)
class VoteRow:
    """One answer in a file; `place` is `file:line` for messages."""

    place: str
    item: str
    label: str
    annotator: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no vote, and why."""

    place: str
    message: str


def is_complete(name: str, data: bytes) -> bool:
    """Whether a file's last row is surely whole: a text ends with a line break, a Parquet file with its mark.

    Label Studio writes its JSON without a line break at the end; such a file is whole when it can be read.
    """
    if name.endswith(".parquet"):
        return data.endswith(b"PAR1")
    if name.endswith(".json"):
        return _is_json(data)
    return data.endswith(b"\n")


def read_rows(name: str, data: bytes, *, item: str = "item", label: str = "label") -> Iterator[VoteRow | BadRow]:
    """Yield a file's rows; rows without a label are not answered yet and are passed over.

    Args:
        name: the file's name; its ending says the format, and its stem is the annotator of rows that name none.
        data: the file's bytes.
        item: the column of item ids.
        label: the column of labels.
    """
    stem = PurePosixPath(name).stem
    if name.endswith(".csv"):  # whose column names are read without regard to case
        item, label = item.lower(), label.lower()
    for place, record in _records(name, data):
        if isinstance(record, str):
            yield BadRow(place, record)
            continue
        missing = [column for column in (item, label) if column not in record]
        if missing:
            yield BadRow(place, f"column {missing[0]!r} is missing: {item} and {label} are needed")
            return
        if not _text(record[label]):
            continue
        if not _text(record[item]):
            yield BadRow(place, "the item is empty")
            continue
        annotator = _text(record.get("annotator")) or stem
        yield VoteRow(place, _text(record[item]), _text(record[label]), annotator)


def _records(name: str, data: bytes) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield (place, record), or (place, what is wrong) where there is no record."""
    if name.endswith(".parquet"):
        yield from _parquet_records(name, data)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield name, f"is no UTF-8 text (byte {error.start}): save it as UTF-8"
        return
    if name.endswith(".json"):
        yield from label_studio_records(name, text)
    else:
        yield from _csv_records(name, text) if name.endswith(".csv") else _jsonl_records(name, text)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _csv_records(name: str, text: str) -> Iterator[tuple[str, dict[str, Any] | str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        for record in reader:
            place = f"{name}:{reader.line_num}"
            if None in record:
                yield place, "has more cells than the header: put quotes about cells with commas"
            else:
                yield place, {(key or "").strip().lower(): value for key, value in record.items()}
    except csv.Error as error:
        yield f"{name}:{reader.line_num}", f"is no CSV: {error}"


def _jsonl_records(name: str, text: str) -> Iterator[tuple[str, dict[str, Any] | str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            yield f"{name}:{number}", f"is no JSON: {error}"
            continue
        yield f"{name}:{number}", record if isinstance(record, dict) else "is no JSON object"


def _parquet_records(name: str, data: bytes) -> Iterator[tuple[str, dict[str, Any] | str]]:
    try:
        rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        yield name, f"is no Parquet file: {str(error)[:200]}"
        return
    for number, record in enumerate(rows, start=1):
        yield f"{name}: row {number}", record


def _text(value: object) -> str:
    """Return a cell as text, without the apostrophe that `tasks.csv` puts before what looks like a formula."""
    text = "" if value is None else str(value).strip()
    return text[1:] if text.startswith(_GUARDED) else text
