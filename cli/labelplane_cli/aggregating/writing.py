"""Writes labels as CSV, JSONL or Parquet: the file is whole or it is the one that was there before."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from labelplane_cli.errors import BadFile
from labelplane_cli.replacing import check_folder_of, replace_file
from labelplane_cli.terminal import short_path

__all__ = ["check_output", "write_labels"]

_DIGITS: Final = 6
"""Decimal places of a confidence in text; more would claim what votes cannot tell."""


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before anything is computed.

    Raises:
        BadFile: its ending is unknown, its folder is not there or not writable, or it is a folder.
    """
    if path.suffix.lower() not in _WRITERS:
        endings = ", ".join(_WRITERS)
        raise BadFile(f"{short_path(path)}: no labels can be written by its ending: name a file in {endings}")
    check_folder_of(path)


def write_labels(path: Path, labels: pa.Table) -> None:
    """Write item, label and confidence; a file of that name is replaced at once, whole, or not at all.

    Raises:
        BadFile: the disk is full, or the folder refuses the file.
    """
    replace_file(path, _WRITERS[path.suffix.lower()](labels))


def _rows(labels: pa.Table) -> list[tuple[str, str, float]]:
    items, answers, confidences = (labels.column(name).to_pylist() for name in ("item", "label", "confidence"))
    rounded = (round(value, _DIGITS) for value in confidences)
    return list(zip(items, answers, rounded, strict=True))


def _as_csv(labels: pa.Table) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(labels.column_names)
    writer.writerows(_rows(labels))
    return text.getvalue().encode()


def _as_jsonl(labels: pa.Table) -> bytes:
    names = labels.column_names
    lines = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in _rows(labels))
    return "".join(f"{line}\n" for line in lines).encode()


def _as_parquet(labels: pa.Table) -> bytes:
    buffer: Any = io.BytesIO()
    pq.write_table(labels, buffer)
    data: bytes = buffer.getvalue()
    return data


_WRITERS: Final[Mapping[str, Callable[[pa.Table], bytes]]] = {
    ".csv": _as_csv,
    ".jsonl": _as_jsonl,
    ".ndjson": _as_jsonl,
    ".parquet": _as_parquet,
}
