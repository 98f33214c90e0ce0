"""What rules say, joined with what people's votes say."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.inferred import Gold, Inferred
from labelplane_aggregation.models.one_coin import spread_evenly
from labelplane_aggregation.predicting import PredictionTable
from labelplane_aggregation.requests import Task
from labelplane_aggregation.sources import RuleWeights
from labelplane_core.tables import POSTERIORS, RELIABILITIES, UNIT_POSTERIORS, from_matrix

__all__ = ["rule_priors", "with_rule_items"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def rule_priors(
    weights: RuleWeights, alone: Inferred, *, predictions: PredictionTable | None, class_shares: FloatArray
) -> PredictionTable:
    """Return P(class) before people's votes, of every item with a vote: the model's word and the rules'.

    Without a model, class shares stand in its place: of the items that people were asked about their own, of all others
    `class_shares`.

    Args:
        weights: what the rules say.
        alone: inferred from people's votes alone.
        predictions: the model's.
        class_shares: (classes,): what the rules were weighed against.
    """
    asked = alone.posteriors.column("item_id").combine_chunks()
    others = weights.item_ids.filter(pc.invert(pc.is_in(weights.item_ids, value_set=asked)))
    ids = pa.concat_arrays([asked, others])
    if predictions is not None:
        base = predictions.floored(ids)
    else:
        base = np.concatenate([np.tile(alone.class_prior, (len(asked), 1)), np.tile(class_shares, (len(others), 1))])
    rows = _rows(ids, weights.item_ids)
    evidence = np.ones_like(base)
    evidence[rows >= 0] = weights.evidence[rows[rows >= 0]]
    joined = base * evidence
    return PredictionTable(ids, joined / joined.sum(axis=1, keepdims=True))


def with_rule_items(
    inferred: Inferred,
    weights: RuleWeights,
    priors: PredictionTable,
    *,
    rules: pa.Table,
    task: Task,
    gold: Gold | None,
) -> Inferred:
    """Return the inference with the items on which rules alone have voted, and with the rules' reliabilities.

    Args:
        inferred: from people's votes, with `priors`.
        weights: what the rules say.
        priors: of every item with a vote; the posterior of those without votes of people.
        rules: `VOTES` of the rules that count.
        task: kind and classes.
        gold: items whose class is held fixed.
    """
    asked = inferred.posteriors.column("item_id").combine_chunks()
    is_new = pc.invert(pc.is_in(priors.item_ids, value_set=asked))
    ids = priors.item_ids.filter(is_new)
    probabilities = priors.probabilities[is_new.to_numpy(zero_copy_only=False)]
    if gold is not None and len(gold):
        _hold(probabilities, ids, gold, task)
    posteriors = pa.concat_tables([inferred.posteriors, _posteriors(ids, probabilities, task)])
    class_prior = inferred.class_prior if len(inferred.posteriors) else probabilities.mean(axis=0)
    return replace(
        inferred,
        posteriors=_counted(posteriors, rules),
        reliabilities=pa.concat_tables([inferred.reliabilities, _reliabilities(weights, rules)]),
        class_prior=class_prior,
    )


def _hold(probabilities: FloatArray, ids: Any, gold: Gold, task: Task) -> None:
    """Put all of a gold item's probability on its class, in place."""
    places = _rows(ids, gold.item_ids)
    codes = _rows(gold.classes, pa.array(task.classes, pa.string()))
    held = np.flatnonzero(places >= 0)
    probabilities[held] = np.eye(len(task.classes))[codes[places[held]]]


def _posteriors(ids: Any, probabilities: FloatArray, task: Task) -> pa.Table:
    """Return `POSTERIORS` of items by their probabilities; votes are counted afterwards."""
    units = pa.table(
        {"unit": ids, "item_id": ids, "probabilities": from_matrix(probabilities)}, schema=UNIT_POSTERIORS.arrow
    )
    decided = task.kind.labels_from_units(units, task.classes)
    return pa.table(
        {
            "item_id": ids,
            "answer": decided.column("answer"),
            "confidence": decided.column("confidence"),
            "probabilities": from_matrix(probabilities),
            "n_votes": pa.array(np.zeros(len(ids)), pa.int32()),
            "agreement": pa.array(np.zeros(len(ids))),
        },
        schema=POSTERIORS.arrow,
    )


def _counted(posteriors: pa.Table, rules: pa.Table) -> pa.Table:
    """Return posteriors with the rules' votes in their counts and agreement; a split vote counts as its parts."""
    rows = _rows(rules.column("item_id"), posteriors.column("item_id").combine_chunks())
    answers = posteriors.column("answer").take(pa.array(rows))
    agrees = pc.equal(rules.column("answer"), answers).to_numpy()
    added = np.bincount(rows, minlength=len(posteriors))
    agreeing = np.bincount(rows, weights=agrees, minlength=len(posteriors))
    before = posteriors.column("n_votes").to_numpy()
    total = before + added
    share = (posteriors.column("agreement").to_numpy() * before + agreeing) / np.maximum(total, 1)
    columns: dict[str, Any] = {name: posteriors.column(name) for name in POSTERIORS.columns.names}
    columns |= {"n_votes": pa.array(total, pa.int32()), "agreement": pa.array(share)}
    return pa.table(columns, schema=POSTERIORS.arrow)


def _reliabilities(weights: RuleWeights, rules: pa.Table) -> pa.Table:
    places = _rows(weights.annotators, rules.column("annotator").combine_chunks())
    confusion = spread_evenly(weights.accuracy, weights.evidence.shape[1])
    return pa.table(
        {
            "annotator": weights.annotators,
            "source": rules.column("source").take(pa.array(places)),
            "accuracy": pa.array(weights.accuracy),
            "n_votes": pa.array(weights.n_votes),
            "confusion": from_matrix(confusion.reshape(len(weights.annotators), -1)),
        },
        schema=RELIABILITIES.arrow,
    )


def _rows(ids: Any, within: Any) -> IntArray:
    """Return where each id stands in an array, -1 for nowhere."""
    found = pc.index_in(ids, value_set=within).fill_null(-1)
    whole = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    rows: IntArray = whole.to_numpy(zero_copy_only=False).astype(np.int64)
    return rows
