"""From votes to posteriors and reliabilities: tables in, tables out, without a loop over votes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.errors import AggregationError
from labelplane_aggregation.inferred import Gold, Inferred
from labelplane_aggregation.models import MODELS, Fit, MajorityVote, VoteMatrix, WeightedMajorityVote
from labelplane_aggregation.predicting import PredictionTable
from labelplane_aggregation.requests import Inference, Task
from labelplane_aggregation.rule_evidence import rule_priors, with_rule_items
from labelplane_aggregation.sources import KnownClasses, weigh_rules
from labelplane_aggregation.voters import Voters
from labelplane_core.errors import InvalidInput
from labelplane_core.tables import (
    DECISIONS,
    POSTERIORS,
    RELIABILITIES,
    UNIT_POSTERIORS,
    VOTES,
    current_votes,
    from_matrix,
    is_by_people,
    is_by_rules,
    is_decision,
    to_matrix,
)

__all__ = ["class_counts", "infer", "vote_frame"]

FloatArray = npt.NDArray[np.float64]

_EVEN_ITEMS = 20.0
"""Items of each class that are added to gold's when classes are counted: a few gold items say little of shares."""

_TAKES_ALL = frozenset({"MajorityVote", "WeightedMajorityVote"})
"""Methods that count a rule's vote as any other's."""

_FIRST = {"Auto": "DawidSkene"}
"""Methods in whose place another judges the rules: Auto fits many models, and the choice between them comes later."""

_NUDGE = 1e-9
"""Added to the drawn one of tied classes, so that a task kind, which takes the largest, takes that one."""


def infer(
    votes: pa.Table,
    task: Task,
    inference: Inference,
    *,
    gold: Gold | None = None,
    predictions: PredictionTable | None = None,
) -> Inferred:
    """Infer every item's class from all votes.

    An adjudicated vote wins: its item is held at its class, as gold is. Majority votes, plain and weighted, take all
    others alike. Under every other method rules and knowledge bases are weighed by themselves (`sources.weigh_rules`),
    with people's labels and gold as the measure, and what they say of an item becomes its prior beside the model's; the
    method then infers from people's votes, and where there are none that prior decides.

    Args:
        votes: `VOTES` as they came; only those that count are used, and of two of one annotator the later.
        task: kind and classes.
        inference: the model and its parameters.
        gold: items whose class is held fixed, so that they teach the annotators' reliabilities; gate gold alone.
        predictions: a model's probabilities, each item's prior; majority votes take none.

    Raises:
        InvalidInput: votes or parameters do not fit; the message says which.
    """
    counting = current_votes(votes).sort_by([("time", "ascending"), ("vote_id", "ascending")])
    if not len(counting):
        return _nothing(task)
    if pc.any(is_decision(counting)).as_py():
        gold = Gold.decided(counting) if gold is None else gold.and_decided(counting)
    by_rules = is_by_rules(counting)
    if inference.method in _TAKES_ALL or not pc.any(by_rules).as_py():
        return _by_votes(counting, task, inference, gold=gold, predictions=predictions)
    rules, others = counting.filter(by_rules), counting.filter(pc.invert(by_rules))
    return _with_rules(rules, others, task, inference, gold=gold, predictions=predictions)


def _by_votes(
    counting: pa.Table,
    task: Task,
    inference: Inference,
    *,
    gold: Gold | None,
    predictions: PredictionTable | None,
) -> Inferred:
    """Infer from votes that count, all alike."""
    units = task.kind.vote_units(counting, task.classes)
    voters = Voters.of(units)
    try:
        matrix = VoteMatrix.from_table(vote_frame(units, annotators=voters.names), classes=task.classes)
        fit = _fit(matrix, units, task, inference, gold=gold, predictions=predictions)
    except AggregationError as error:
        raise InvalidInput(str(error)) from error
    return Inferred(
        posteriors=_posteriors(fit, matrix, units, task),
        reliabilities=_reliabilities(fit, voters),
        class_prior=fit.class_prior_,
        iterations=fit.n_iter_,
        has_converged=fit.converged_,
        log_likelihood=float(fit.log_likelihood_[-1]) if len(fit.log_likelihood_) else 0.0,
        objective=float(fit.objective_[-1]) if len(fit.objective_) else 0.0,
        choice=fit.selection_.reason if fit.selection_ else "",
        weights=fit.selection_.weights if fit.selection_ else {},
        asked=pc.unique(counting.filter(is_by_people(counting)).column("item_id")),
    )


def _with_rules(
    rules: pa.Table,
    others: pa.Table,
    task: Task,
    inference: Inference,
    *,
    gold: Gold | None,
    predictions: PredictionTable | None,
) -> Inferred:
    """Infer from votes of people and others, with what rules say as each item's prior.

    People's votes are fitted twice: by themselves, to judge the rules by, and with the rules' word in the prior.
    """
    task.kind.vote_units(rules, task.classes)  # refuses a class that is not the task's
    first = replace(inference, method=_FIRST.get(inference.method, inference.method))
    alone = _by_votes(others, task, first, gold=gold, predictions=predictions) if len(others) else _nothing(task)
    shares = _class_shares(gold, task)
    weights = weigh_rules(
        rules, classes=pa.array(task.classes, pa.string()), known=_known(alone, gold, task), class_shares=shares
    )
    priors = rule_priors(weights, alone, predictions=predictions, class_shares=shares)
    inferred = _by_votes(others, task, inference, gold=gold, predictions=priors) if len(others) else alone
    return with_rule_items(inferred, weights, priors, rules=rules, task=task, gold=gold)


def _known(alone: Inferred, gold: Gold | None, task: Task) -> KnownClasses:
    """Return what people's votes and gold say of items; gold is held already where people have voted."""
    ids, probabilities = [_one(alone.posteriors.column("item_id"))], [np.zeros((0, len(task.classes)))]
    if len(alone.posteriors):
        probabilities.append(to_matrix(alone.posteriors.column("probabilities")))
    if gold is not None and len(gold):
        is_new = pc.invert(pc.is_in(gold.item_ids, value_set=ids[0]))
        ids.append(gold.item_ids.filter(is_new))
        probabilities.append(_one_hot(gold.classes.filter(is_new), task))
    return KnownClasses(pa.concat_arrays(ids), np.concatenate(probabilities))


def _class_shares(gold: Gold | None, task: Task) -> FloatArray:
    """Return how frequent the classes are by gold, which is no batch that a strategy has chosen; all alike without."""
    counts = np.full(len(task.classes), _EVEN_ITEMS)
    if gold is not None and len(gold):
        counts += _one_hot(gold.classes, task).sum(axis=0)
    shares: FloatArray = counts / counts.sum()
    return shares


def _one_hot(labels: Any, task: Task) -> FloatArray:
    places = pc.index_in(labels, value_set=pa.array(task.classes, pa.string())).to_numpy(zero_copy_only=False)
    rows: FloatArray = np.eye(len(task.classes))[places.astype(np.int64)]
    return rows


def vote_frame(units: pa.Table, *, annotators: Any = None) -> pa.Table:
    """Return votes on units as the frame that `VoteMatrix.from_table` reads, by other annotators where given."""
    return pa.table(
        {
            "item": units.column("unit"),
            "annotator": units.column("annotator") if annotators is None else annotators,
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
    if predictions is None or isinstance(model, MajorityVote | WeightedMajorityVote):
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


def _reliabilities(fit: Fit, voters: Voters) -> pa.Table:
    learned = fit.reliability_
    annotators, sources, is_first = voters.described(learned.annotator_ids)
    confusion = learned.confusion.reshape(len(learned), -1)
    return pa.table(
        {
            "annotator": annotators,
            "source": sources,
            "accuracy": pa.array(learned.accuracy),
            "n_votes": pa.array(learned.n_votes, pa.int64()),
            "confusion": from_matrix(confusion),
        },
        schema=RELIABILITIES.arrow,
    ).filter(pc.and_(is_first, pc.not_equal(sources, DECISIONS)))  # who decides is right by definition


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
