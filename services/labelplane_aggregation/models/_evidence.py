"""What is known besides the votes, checked and aligned to them: gold, and tables of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from labelplane_aggregation.errors import AggregationError, InvalidGoldError, InvalidPriorError
from labelplane_aggregation.models._frames import as_strings, read_frame, take_column
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["NO_GOLD", "clamp", "read_class_prior", "read_gold", "read_rows"]

NO_GOLD = -1
"""Code of an item whose class is not known."""

_SUM_TOLERANCE = 1e-3
"""How far from one a row may sum: float16 softmax rows are within it, logits and counts are not."""


def read_gold(gold: Any, votes: VoteMatrix) -> NDArray[np.int32]:
    """Return each item's known class code, `NO_GOLD` where there is none.

    Args:
        gold: None, a mapping item -> class, or a frame with columns item and label. Items without a vote are left
            out: gold usually covers more than was voted on.
        votes: the votes whose items and classes count.

    Raises:
        InvalidGoldError: it cannot be read, a class is unknown, or one item has two classes; names the item.
    """
    known = np.full(votes.n_items, NO_GOLD, np.int32)
    if gold is None or (isinstance(gold, Mapping) and not gold):
        return known
    items, labels = _gold_columns(gold)
    codes = pc.index_in(labels, value_set=votes.classes).fill_null(NO_GOLD).to_numpy()
    if (codes == NO_GOLD).any():
        row = int(np.flatnonzero(codes == NO_GOLD)[0])
        msg = f"gold: item {items[row].as_py()!r}: class {labels[row].as_py()!r} is none of {votes.classes.to_pylist()}"
        raise InvalidGoldError(msg)
    places = pc.index_in(items, value_set=votes.item_ids).fill_null(-1).to_numpy()
    voted = places >= 0
    known[places[voted]] = codes[voted]
    clash = voted & (known[places] != codes)
    if clash.any():
        row = int(np.flatnonzero(clash)[0])
        raise InvalidGoldError(f"gold: item {items[row].as_py()!r} has two classes: keep one")
    return known


def clamp(posterior: NDArray[np.float64], gold: NDArray[np.int32]) -> None:
    """Put all of a gold item's posterior on its class, in place."""
    known = np.flatnonzero(gold != NO_GOLD)
    posterior[known] = 0.0
    posterior[known, gold[known]] = 1.0


def _gold_columns(gold: Any) -> tuple[pa.StringArray, pa.StringArray]:
    frame = gold
    if isinstance(gold, Mapping) and not _is_frame(gold):
        frame = {"item": list(gold), "label": list(gold.values())}
    try:
        table = read_frame(frame, columns=("item", "label"), what="gold")
        items, labels = (as_strings(take_column(table, name, what="gold"), what="gold") for name in ("item", "label"))
    except AggregationError as error:
        raise InvalidGoldError(str(error)) from error
    return items, labels


def _is_frame(gold: Mapping[Any, Any]) -> bool:
    """Tell a dict of columns from a dict of items: the first has both names, and no class is a list."""
    return set(gold) >= {"item", "label"} and not isinstance(gold["item"], str | int)


def read_rows(rows: Any, votes: VoteMatrix, *, what: str) -> NDArray[np.float64]:
    """Return a float64 copy of `rows`, (items, classes), each row scaled to sum to one exactly.

    Raises:
        InvalidPriorError: the shape is wrong, or a row has a NaN, an infinity or a negative number, or does not sum
            to one within 1e-3; names the row and the item.
    """
    table = np.array(rows, dtype=np.float64)
    shape = (votes.n_items, votes.n_classes)
    if table.shape != shape:
        msg = f"{what}: shape {table.shape}, but the votes have (items, classes) = {shape}: order rows as item_ids"
        raise InvalidPriorError(msg)
    sums = table.sum(axis=1)
    valid = (table >= 0.0).all(axis=1) & (np.abs(sums - 1.0) <= _SUM_TOLERANCE)
    if not valid.all():
        row = int(np.flatnonzero(~valid)[0])
        item = votes.item_ids[row].as_py()
        values = np.array2string(table[row], precision=4, threshold=8)
        raise InvalidPriorError(f"{what}: row {row} (item {item!r}) is no distribution: {values}: give probabilities")
    table /= sums[:, None]
    return table


def read_class_prior(prior: Any, votes: VoteMatrix) -> NDArray[np.float64]:
    """Return a class prior that was given as numbers, scaled to sum to one exactly.

    Raises:
        InvalidPriorError: the length is not the number of classes, a number is not positive, or the sum is not one.
    """
    vector = np.array(prior, dtype=np.float64)
    if vector.shape != (votes.n_classes,):
        raise InvalidPriorError(f"class_prior: shape {vector.shape}, but there are {votes.n_classes} classes")
    if not (vector > 0.0).all() or abs(float(vector.sum()) - 1.0) > _SUM_TOLERANCE:
        raise InvalidPriorError(f"class_prior: {vector}: give positive probabilities that sum to one")
    scaled: NDArray[np.float64] = vector / vector.sum()
    return scaled
