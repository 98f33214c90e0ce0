"""The standing model's probabilities, each from the fold that never saw the item."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.requests import Predictions
from labelplane_core.errors import BadTable
from labelplane_core.table_store import TableStore
from labelplane_core.tables import PREDICTIONS, SCORES, to_matrix

__all__ = ["PredictionTable", "join_predictions", "read_predictions", "softmax"]

FloatArray = npt.NDArray[np.float64]

_TRUST = 0.995
"""Share of a prior that is the model's own; the rest is even, so that a few people can overrule a sure model."""


class PredictionTable:
    """P(class) of items by a model; `item_ids` are different, rows of `probabilities` sum to one."""

    def __init__(self, item_ids: Any, probabilities: FloatArray) -> None:
        self.item_ids = item_ids
        self.probabilities = probabilities

    def rows(self, item_ids: Any) -> npt.NDArray[np.int64]:
        """Return the row of each item, -1 for an item without a prediction."""
        places = pc.index_in(item_ids, value_set=self.item_ids).fill_null(-1)
        found: npt.NDArray[np.int64] = places.to_numpy(zero_copy_only=False).astype(np.int64)
        return found

    def floored(self, item_ids: Any) -> FloatArray:
        """Return priors for items: 0.995 p + 0.005 / classes; the mean prediction where an item has none."""
        rows = self.rows(item_ids)
        known = np.where((rows >= 0)[:, None], self.probabilities[rows], self.probabilities.mean(axis=0))
        priors: FloatArray = _TRUST * known + (1 - _TRUST) / self.probabilities.shape[1]
        return priors


async def read_predictions(tables: TableStore, refs: Predictions | None, *, n_classes: int) -> PredictionTable | None:
    """Return the model's probabilities: out of fold where the model was trained on the item, else its score.

    Returns None where there is no model, or it says nothing.

    Raises:
        BadTable: a table has another number of classes, or a logit that is no number.
    """
    if refs is None:
        return None
    held: list[tuple[Any, FloatArray]] = []
    if refs.out_of_fold_ref:
        table = await tables.read(refs.out_of_fold_ref, PREDICTIONS)
        held.append((table.column("item_id"), to_matrix(table.column("probabilities"), key="predictions")))
    if refs.scores_ref:
        table = await tables.read(refs.scores_ref, SCORES)
        held.append((table.column("item_id"), softmax(to_matrix(table.column("logits"), key="scores"))))
    held = [each for each in held if len(each[0])]
    return join_predictions(held, n_classes=n_classes) if held else None


def join_predictions(tables: list[tuple[Any, FloatArray]], *, n_classes: int) -> PredictionTable:
    """Return the predictions of several tables of (item ids, P(class)); of an item in several, the first's."""
    item_ids = pa.concat_arrays([chunk for ids, _ in tables for chunk in ids.chunks])
    probabilities = np.concatenate([rows for _, rows in tables])
    if probabilities.shape[1] != n_classes:
        raise BadTable(
            f"predictions: a row has {probabilities.shape[1]} classes, the task has {n_classes}: train a new model"
        )
    if not np.isfinite(probabilities).all():
        row = int(np.argmax(~np.isfinite(probabilities).all(axis=1)))
        raise BadTable(f"predictions: item {item_ids[row].as_py()!r} has a probability that is no number")
    firsts = np.unique(pc.index_in(item_ids, value_set=item_ids).to_numpy())
    return PredictionTable(item_ids.take(pa.array(firsts)), probabilities[firsts])


def softmax(logits: npt.NDArray[Any]) -> FloatArray:
    """Return the rows' probabilities, safe from overflow."""
    if not len(logits):
        return np.zeros(logits.shape)
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
