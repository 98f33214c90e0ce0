"""Reads votes and truth from CSV, JSONL and Parquet; every fault is told with file, line and column."""

import difflib
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.columns import Columns, as_text
from labelplane_cli.errors import BadFile
from labelplane_cli.table_files import read_table, separator_hint
from labelplane_cli.terminal import short_path

__all__ = ["read_truth", "read_votes"]

_VOTE_COLUMNS: Final = ("item", "annotator", "label")
_TRUTH_COLUMNS: Final = ("item", "label")
_LARGEST_WEIGHT: Final = 1e9


def read_votes(path: Path) -> pa.Table:
    """Return the votes in a file: strings item, annotator and label without an empty cell, and weight where it has one.

    Raises:
        BadFile: it is missing, empty, no table, lacks a column, or a cell is empty or no vote; the message names file,
            line and column.
    """
    columns = read_table(path)
    arrays: dict[str, Any] = {name: _identifiers(columns, name) for name in _checked(columns, _VOTE_COLUMNS, path)}
    if "weight" in columns.values:
        arrays["weight"] = _weights(columns)
    return pa.table(arrays)


def read_truth(path: Path) -> dict[str, str]:
    """Return the true class of items from a file with the columns item and label; errors as `read_votes`."""
    columns = read_table(path)
    items, labels = (_identifiers(columns, name).to_pylist() for name in _checked(columns, _TRUTH_COLUMNS, path))
    truth: dict[str, str] = {}
    for row, (item, label) in enumerate(zip(items, labels, strict=True)):
        if truth.setdefault(item, label) != label:
            where = columns.place(row)
            raise BadFile(f"{where}: item {item!r} is {label!r} here and {truth[item]!r} before: keep one of the rows")
    return truth


def _checked(columns: Columns, names: Sequence[str], path: Path) -> Sequence[str]:
    for name in names:
        if name not in columns.values:
            raise BadFile(f"{short_path(path)}: {_missing(name, columns)}")
    return names


def _missing(name: str, columns: Columns) -> str:
    if hint := separator_hint(columns):
        return f"no column {name!r}: {hint}"
    there = columns.values
    listed = ", ".join(map(repr, list(there)[:20]))
    near = difflib.get_close_matches(name, [each.strip().casefold() for each in there], n=1)
    meant = next((each for each in there if near and each.strip().casefold() == near[0]), "")
    todo = f"rename {meant!r}" if meant else "rename the one that is meant"
    return f"no column {name!r} among {listed}: {todo} to {name!r}"


def _identifiers(columns: Columns, name: str) -> pa.Array:
    """Return a column as Arrow strings, none of them empty."""
    values = columns.values[name]
    if not all(type(value) is str for value in values):
        values = [_identifier(value, partial(_where, columns, row, name)) for row, value in enumerate(values)]
    array = pa.array(values, pa.string())
    if pc.any(pc.equal(array, "")).as_py():
        raise BadFile(f"{_where(columns, list(values).index(''), name)} is empty: fill it or remove the line")
    return array


def _identifier(value: Any, where: Callable[[], str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"  # as JSON and Arrow write it
    if value is not None and not isinstance(value, str | int | float):
        raise BadFile(f"{where()} holds a {type(value).__name__}: write a text or a whole number")
    return as_text(value)


def _weights(columns: Columns) -> pa.Array:
    numbers = [_weight(value) for value in columns.values["weight"]]
    if None in numbers:
        row = numbers.index(None)
        told = columns.values["weight"][row]
        where = _where(columns, row, "weight")
        raise BadFile(f"{where} is {as_text(told)!r}: give a number from 0 to {_LARGEST_WEIGHT:g}, 1 for a plain vote")
    return pa.array(numbers, pa.float64())


def _weight(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and 0 <= number <= _LARGEST_WEIGHT else None


def _where(columns: Columns, row: int, name: str) -> str:
    return f"{columns.place(row)}: column {name!r}"
