"""From votes to posteriors and reliabilities: tables in, tables out, without a loop over votes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.errors import AggregationError
from labelplane_aggregation.models import MODELS, Fit, MajorityVote, VoteMatrix
from labelplane_aggregation.predicting import PredictionTable
from labelplane_aggregation.requests import Inference, Task
from labelplane_core.errors import InvalidInput
from labelplane_core.tables import (
    POSTERIORS,
    RELIABILITIES,
    UNIT_POSTERIORS,
    VOTES,
    current_votes,
    from_matrix,
)

__all__ = ["Gold", "Inferred", "class_counts", "infer", "vote_frame"]

FloatArray = npt.NDArray[np.float64]

_NUDGE = 1e-9
"""Added to the drawn one of tied classes, so that a task kind, which takes the largest, takes that one."""


@dataclass(frozen=True, slots=True, eq=False)
class Gold:
    """Items with a known class, from the index: `role` is "gate" or "audit"."""

    item_ids: Any
    classes: Any

    @classmethod
    def of(cls, index: pa.Table, role: str) -> "Gold":
        """Return the gold of a role."""
        chosen = index.filter(pc.equal(index.column("gold_role"), role))
        return cls(chosen.column("item_id").combine_chunks(), chosen.column("gold").combine_chunks())

    def __len__(self) -> int:
        """Return how many items are known."""
        return len(self.item_ids)

    def answered(self, item_ids: Any, answers: Any) -> tuple[Any, npt.NDArray[np.bool_]]:
        """Return the class of every gold item that has an answer, and whether the answer is that class."""
        places = pc.index_in(self.item_ids, value_set=_one(item_ids))
        given = _one(answers).take(places.drop_null())
        truth = self.classes.filter(places.is_valid())
        return truth, pc.equal(given, truth).to_numpy(zero_copy_only=False)


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """The result of one aggregation.

    Attributes:
        posteriors: `POSTERIORS` of every item with votes.
        reliabilities: `RELIABILITIES` of every annotator.
        class_prior: (classes,) how frequent each class seems to be.
        iterations: of the model; 0 without votes.
        has_converged: whether the model stopped by itself.
        log_likelihood: of the votes under the model, in nats; 0 where the model has none.
        objective: what the model climbed; 0 where it climbs nothing.
        choice: which model was taken and why, in one sentence; empty where there was no choice.
    """

    posteriors: pa.Table
    reliabilities: pa.Table
    class_prior: FloatArray
    iterations: int
    has_converged: bool
    log_likelihood: float
    objective: float
    choice: str = ""


def infer(
    votes: pa.Table,
    task: Task,
    inference: Inference,
    *,
    gold: Gold | None = None,
    predictions: PredictionTable | None = None,
) -> Inferred:
    """Infer every item's class from all votes.

    Args:
        votes: `VOTES` as they came; only those that count are used, and of two of one annotator the later.
        task: kind and classes.
        inference: the model and its parameters.
        gold: items whose class is held fixed, so that they teach the annotators' reliabilities; gate gold alone.
        predictions: a model's probabilities, each item's prior; Majority vote takes none.

    Raises:
        InvalidInput: votes or parameters do not fit; the message says which.
    """
    counting = current_votes(votes).sort_by([("time", "ascending"), ("vote_id", "ascending")])
    if not len(counting):
        return _nothing(task)
    units = task.kind.vote_units(counting, task.classes)
    try:
        matrix = VoteMatrix.from_table(vote_frame(units), classes=task.classes)
        fit = _fit(matrix, units, task, inference, gold=gold, predictions=predictions)
    except AggregationError as error:
        raise InvalidInput(str(error)) from error
    return Inferred(
        posteriors=_posteriors(fit, matrix, units, task),
        reliabilities=_reliabilities(fit, units),
        class_prior=fit.class_prior_,
        iterations=fit.n_iter_,
        has_converged=fit.converged_,
        log_likelihood=float(fit.log_likelihood_[-1]) if len(fit.log_likelihood_) else 0.0,
        objective=float(fit.objective_[-1]) if len(fit.objective_) else 0.0,
        choice=fit.selection_.reason if fit.selection_ else "",
    )


def vote_frame(units: pa.Table) -> pa.Table:
    """Return votes on units as the frame that `VoteMatrix.from_table` reads."""
    return pa.table(
        {
            "item": units.column("unit"),
            "annotator": units.column("annotator"),
            "label": units.column("answer"),
            "weight": units.column("weight"),
        }
    )


def _fit(
    matrix: VoteMatrix,
    units: pa.Table,
    task: Task,
    inference: Inference,
    *,
    gold: Gold | None,
    predictions: PredictionTable | None,
) -> Fit:
    parameters: dict[str, Any] = dict(inference.parameters)
    model = MODELS[inference.method](**parameters, seed=inference.seed)
    known = None if gold is None or not len(gold) else _unit_gold(gold, task)
    if predictions is None or isinstance(model, MajorityVote):
        return model.fit(matrix, gold=known)
    prior = predictions.floored(_items_of(matrix.item_ids, units))
    return model.fit(matrix, gold=known, item_prior=prior)


def _unit_gold(gold: Gold, task: Task) -> pa.Table:
    """Return the known class of each unit: gold is a vote that is always right."""
    count = len(gold)
    columns: dict[str, Any] = {
        "vote_id": gold.item_ids,
        "item_id": gold.item_ids,
        "source": ["gold"] * count,
        "annotator": ["gold"] * count,
        "answer": gold.classes,
        "weight": [1.0] * count,
        "time": pa.array([0] * count, pa.timestamp("us", tz="UTC")),
        "lead_time_seconds": pa.nulls(count, pa.float64()),
        "suggestion_shown": [False] * count,
        "supersedes": pa.nulls(count, pa.string()),
        "retracted": [False] * count,
    }
    units = task.kind.vote_units(pa.table(columns, schema=VOTES.arrow), task.classes)
    return pa.table({"item": units.column("unit"), "label": units.column("answer")})


def _items_of(unit_ids: Any, units: pa.Table) -> Any:
    """Return the item of each unit."""
    places = pc.index_in(unit_ids, value_set=_one(units.column("unit")))
    return _one(units.column("item_id")).take(places)


def _posteriors(fit: Fit, matrix: VoteMatrix, units: pa.Table, task: Task) -> pa.Table:
    item_ids = _items_of(fit.item_ids_, units)
    nudged = fit.posterior_.copy()
    ties = np.flatnonzero(fit.ties_)
    nudged[ties, fit.answers_[ties]] += _NUDGE
    decided = task.kind.labels_from_units(
        pa.table(
            {"unit": fit.item_ids_, "item_id": item_ids, "probabilities": from_matrix(nudged)},
            schema=UNIT_POSTERIORS.arrow,
        ),
        task.classes,
    )
    n_votes = np.diff(matrix.offsets)
    agreeing = np.bincount(matrix.items, weights=matrix.answers == fit.answers_[matrix.items], minlength=len(n_votes))
    return pa.table(
        {
            "item_id": decided.column("item_id"),
            "answer": decided.column("answer"),
            "confidence": pa.array(fit.confidence_),
            "probabilities": from_matrix(fit.posterior_),
            "n_votes": pa.array(n_votes, pa.int32()),
            "agreement": pa.array(agreeing / np.maximum(n_votes, 1)),
        },
        schema=POSTERIORS.arrow,
    )


def _reliabilities(fit: Fit, units: pa.Table) -> pa.Table:
    learned = fit.reliability_
    places = pc.index_in(learned.annotator_ids, value_set=_one(units.column("annotator")))
    confusion = learned.confusion.reshape(len(learned), -1)
    return pa.table(
        {
            "annotator": learned.annotator_ids,
            "source": _one(units.column("source")).take(places),
            "accuracy": pa.array(learned.accuracy),
            "n_votes": pa.array(learned.n_votes, pa.int64()),
            "confusion": from_matrix(confusion),
        },
        schema=RELIABILITIES.arrow,
    )


def _nothing(task: Task) -> Inferred:
    return Inferred(
        posteriors=POSTERIORS.empty(),
        reliabilities=RELIABILITIES.empty(),
        class_prior=np.full(len(task.classes), 1 / len(task.classes)),
        iterations=0,
        has_converged=True,
        log_likelihood=0.0,
        objective=0.0,
    )


def _one(column: Any) -> Any:
    """Return a column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def class_counts(posteriors: pa.Table, classes: Sequence[str], *, leave_out: Any) -> npt.NDArray[np.int64]:
    """Return how many items each class has by their posteriors, those in `leave_out` aside."""
    chosen = posteriors.filter(pc.invert(pc.is_in(posteriors.column("item_id"), value_set=_one(leave_out))))
    codes = pc.index_in(chosen.column("answer"), value_set=pa.array(classes, pa.string()))
    counts: npt.NDArray[np.int64] = np.bincount(codes.to_numpy(), minlength=len(classes))
    return counts
