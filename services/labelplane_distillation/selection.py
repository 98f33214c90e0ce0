"""Which items train, which measure, and which are left to the teacher alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.errors import BadTable
from labelplane_core.tables import to_matrix
from labelplane_distillation.errors import TooFewItems
from labelplane_distillation.folds import weigh_items
from labelplane_distillation.learning import Rows
from labelplane_distillation.losses import Floats

__all__ = ["GATE", "TrainingItems", "choose_items"]

GATE = "gate"


@dataclass(frozen=True, slots=True)
class TrainingItems:
    """Rows of the index by what they are for.

    No row is in two of `labelled`, `gate` and `unlabelled`, but gate gold is labelled too when the job trains on it.

    Attributes:
        labelled: (N,) rows that are trained on, in the order of the index.
        targets: (N, K) their soft labels.
        weights: (N,) their weights, 1 on average.
        is_gold: (N,) whether the label is the known one.
        gate: (G,) rows of gate gold.
        gate_classes: (G,) their known classes.
        unlabelled: (U,) rows without votes and without gold.
        n_items: rows of the index.
    """

    labelled: Rows
    targets: Floats
    weights: Floats
    is_gold: npt.NDArray[np.bool_]
    gate: Rows
    gate_classes: Rows
    unlabelled: Rows
    n_items: int

    def keep(self, places: Rows) -> "TrainingItems":
        """Return the same with these labelled items alone."""
        return replace(
            self,
            labelled=self.labelled[places],
            targets=self.targets[places],
            weights=self.weights[places],
            is_gold=self.is_gold[places],
        )

    def measured(self, validation: Rows, *, trains_on_gold: bool) -> tuple[Rows, Rows, bool]:
        """Return index rows and classes to measure a model on, and whether they are gate gold.

        Without gate gold, or when it was trained on, the validation items measure, places in `labelled`, with the
        likeliest class of each.
        """
        if len(self.gate) and not trains_on_gold:
            return self.gate, self.gate_classes, True
        return self.labelled[validation], self.targets[validation].argmax(axis=1), False


def choose_items(
    index: pa.Table, posteriors: pa.Table, classes: Sequence[str], *, trains_on_gold: bool
) -> TrainingItems:
    """Sort the items of the index (columns item_id, gold, gold_role) by what they are for.

    Gold is never trained on, whatever votes it has, unless `trains_on_gold`: then gate gold is, with its known class.
    Audit gold is never touched: it only reports.

    Raises:
        BadTable: a posterior's item is not in the index, or its probabilities are not those of the classes.
        TooFewItems: fewer than two items can be trained on.
    """
    rows, targets = _match(index, posteriors, classes)
    known = _positions(index.column("gold"), classes)
    has_gold = index.column("gold").is_valid().to_numpy(zero_copy_only=False)
    is_gate = has_gold & (known >= 0) & pc.equal(index.column("gold_role"), GATE).to_numpy(zero_copy_only=False)
    gate = np.flatnonzero(is_gate)
    is_voted = np.zeros(len(index), dtype=bool)
    is_voted[rows] = True
    is_trained = ~has_gold[rows]
    rows, targets = rows[is_trained], targets[is_trained]
    n_voted = len(rows)
    if trains_on_gold:
        rows, targets = np.concatenate([rows, gate]), np.concatenate([targets, np.eye(len(classes))[known[gate]]])
    if len(rows) < 2:
        raise TooFewItems(f"{len(rows)} items outside gold have votes: at least 2 are needed to train")
    order = np.argsort(rows, kind="stable")
    weights = weigh_items(targets)
    return TrainingItems(
        labelled=rows[order],
        targets=targets[order],
        weights=(weights / weights.mean())[order],
        is_gold=(np.arange(len(rows)) >= n_voted)[order],
        gate=gate,
        gate_classes=known[gate],
        unlabelled=np.flatnonzero(~is_voted & ~has_gold),
        n_items=len(index),
    )


def _match(index: pa.Table, posteriors: pa.Table, classes: Sequence[str]) -> tuple[Rows, Floats]:
    """Return the index row and the probabilities of every posterior."""
    rows = _positions(posteriors.column("item_id"), index.column("item_id"))
    if len(rows) and rows.min() < 0:
        stranger = posteriors.column("item_id")[int(np.argmin(rows))].as_py()
        raise BadTable(f"the posteriors hold item {stranger!r}, which the index does not: they are of another data set")
    targets = np.asarray(to_matrix(posteriors.column("probabilities"), key="posteriors"), dtype=np.float64)
    if len(rows) and targets.shape[1] != len(classes):
        raise BadTable(f"the posteriors have {targets.shape[1]} probabilities a row for {len(classes)} classes")
    is_distribution = np.isfinite(targets).all(axis=1) & (np.abs(targets.sum(axis=1) - 1.0) < 1e-6)
    if not is_distribution.all():
        bad = posteriors.column("item_id")[int(np.argmin(is_distribution))].as_py()
        raise BadTable(f"the posterior of item {bad!r} does not sum to 1")
    return rows, targets.reshape(len(rows), len(classes))


def _positions(values: pa.ChunkedArray, among: pa.ChunkedArray | Sequence[str]) -> Rows:
    """Return where each value stands in `among`; -1 for nulls and strangers."""
    known = among.combine_chunks() if isinstance(among, pa.ChunkedArray) else pa.array(among, pa.string())
    found = pc.index_in(values, value_set=known, skip_nulls=True).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int64)
