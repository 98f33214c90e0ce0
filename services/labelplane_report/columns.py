"""Columns of Arrow tables as arrays of numbers, joined by item without a Python loop over rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.errors import BadTable
from labelplane_core.tables import to_matrix

__all__ = [
    "Column",
    "FloatArray",
    "IntArray",
    "KnownAnswers",
    "References",
    "class_codes",
    "class_probabilities",
    "confidences",
    "one_array",
    "references",
    "rows_of",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Column: TypeAlias = Any
"""A `pa.Array`; the stubs do not follow value types through compute functions."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownAnswers:
    """Items whose class is known: `codes[i]` is the class of `item_ids[i]`, its place among the task's classes."""

    item_ids: Column
    codes: IntArray

    def __len__(self) -> int:
        """Return how many items are known."""
        return len(self.codes)

    def codes_for(self, item_ids: Column) -> IntArray:
        """Return the class of each of `item_ids`, -1 where it is not known."""
        return _taken(self.codes, rows_of(item_ids, self.item_ids))


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """What is known besides the votes.

    Attributes:
        truth: Items with truth, without gold; empty when the data set has no truth.
        gate: Gold that decides.
        audit: Gold that only reports.
        gold_ids: All gold items.
        n_items: Items of the index.
    """

    truth: KnownAnswers
    gate: KnownAnswers
    audit: KnownAnswers
    gold_ids: Column
    n_items: int


def references(index: pa.Table, classes: Sequence[str], *, truth: Mapping[str, str] | None = None) -> References:
    """Return what is known of the items of `index` (an INDEX table).

    Args:
        index: All items; gold is read from `gold` and `gold_role`.
        classes: The task's classes.
        truth: Class by item id; items that are not in the index, or are gold, are left out.

    Raises:
        BadTable: Gold or truth is none of the classes; the message names the item.
    """
    ids, role = one_array(index, "item_id"), one_array(index, "gold_role")
    gold = one_array(index, "gold")
    gold_ids = ids.filter(pc.not_equal(role, pa.scalar("")))

    def of_role(name: str) -> KnownAnswers:
        chosen = pc.equal(role, pa.scalar(name))
        items = ids.filter(chosen)
        return KnownAnswers(items, class_codes(gold.filter(chosen), classes, items=items, where="gold"))

    true_ids = pa.array(list(truth or {}), pa.string())
    usable = pc.and_(pc.is_in(true_ids, value_set=ids), pc.invert(pc.is_in(true_ids, value_set=gold_ids)))
    answers = pa.array(list((truth or {}).values()), pa.string()).filter(usable)
    items = true_ids.filter(usable)
    known = KnownAnswers(items, class_codes(answers, classes, items=items, where="truth"))
    return References(known, of_role("gate"), of_role("audit"), gold_ids, len(ids))


def one_array(table: pa.Table, name: str) -> Column:
    """Return a column in one piece.

    Raises:
        BadTable: The table has no such column.
    """
    if name not in table.column_names:
        raise BadTable(f"a table with the columns {table.column_names} has no column {name!r}")
    column: Column = table.column(name).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def rows_of(ids: Column, within: Column) -> IntArray:
    """Return the row of each id in `within`, its first where it stands twice, -1 where it does not stand. O(n + m)."""
    found: Column = pc.index_in(ids, value_set=within)
    rows: IntArray = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows


def class_codes(values: Column, classes: Sequence[str], *, items: Column, where: str) -> IntArray:
    """Return the place of each value among the classes.

    Raises:
        BadTable: A value is none of the classes, or null; the message names `where`, the item and the value.
    """
    codes = rows_of(values, pa.array(classes, pa.string()))
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise BadTable(
            f"{where}: item {items[row].as_py()!r} has {values[row].as_py()!r}, which is no class of the task"
        )
    return codes


def confidences(table: pa.Table, *, where: str) -> FloatArray:
    """Return the column `confidence`.

    Raises:
        BadTable: A value is outside [0, 1] by more than rounding, or not a number; the message names the item.
    """
    values: FloatArray = one_array(table, "confidence").to_numpy(zero_copy_only=False).astype(np.float64)
    wrong = ~((values >= 0) & (values <= 1 + 1e-6))
    if wrong.any():
        row = int(np.argmax(wrong))
        item = one_array(table, "item_id")[row].as_py()
        raise BadTable(f"{where}: item {item!r} has confidence {values[row]}, which is not between 0 and 1")
    return np.minimum(values, 1.0)


def class_probabilities(table: pa.Table, n_classes: int, *, where: str) -> FloatArray:
    """Return (N, `n_classes`) probabilities: the column `probabilities`, or the softmax of `logits`.

    Raises:
        BadTable: There is neither column, or it has another width; the message names `where`.
    """
    name = "probabilities" if "probabilities" in table.column_names else "logits"
    values = to_matrix(one_array(table, name), key=where).astype(np.float64)
    if len(table) and values.shape[1] != n_classes:
        raise BadTable(f"{where}: {name} has {values.shape[1]} values for {n_classes} classes")
    values = values.reshape(len(table), n_classes)
    return values if name == "probabilities" else _softmax(values)


def _softmax(logits: FloatArray) -> FloatArray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    shares: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def _taken(values: IntArray, rows: IntArray) -> IntArray:
    if not len(values):
        return np.full(len(rows), -1, dtype=np.int64)
    return np.where(rows >= 0, values[np.maximum(rows, 0)], -1)
