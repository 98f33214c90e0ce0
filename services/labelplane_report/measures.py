"""Counts and shares over labels and rounds, from tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.errors import BadTable
from labelplane_report.columns import (
    Column,
    FloatArray,
    IntArray,
    KnownAnswers,
    References,
    class_codes,
    class_probabilities,
    confidences,
    one_array,
    rows_of,
)
from labelplane_report.data import (
    Accuracy,
    ClassCount,
    ConfidenceBin,
    Confusion,
    ConfusionBasis,
    LabelState,
    LabelSummary,
    Proportion,
    RoundPoint,
)
from labelplane_report.intervals import proportion

__all__ = [
    "CONFIDENCE_EDGES",
    "RoundTables",
    "audit_accuracy",
    "confusion",
    "final_point",
    "label_summary",
    "round_point",
    "truth_accuracy",
]

CONFIDENCE_EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Bounds of the confidence bins: finer near 1, where the labels of a job that went well are."""

_STATES = tuple(LabelState)


@dataclass(frozen=True, slots=True, eq=False)
class RoundTables:
    """What is read of one round.

    Attributes:
        number: The round.
        votes: Votes that had been given before its Aggregate.
        posteriors: A POSTERIORS table.
        scores: A SCORES table, or any with `item_id` and `logits` or `probabilities`; None when no model scored.
        strategy: How the round drew its review batch.
    """

    number: int
    votes: int
    posteriors: pa.Table
    scores: pa.Table | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """One class and one confidence for each of `item_ids`."""

    item_ids: Column
    codes: IntArray
    confidence: FloatArray

    def right(self, known: KnownAnswers) -> Proportion | None:
        """Return how many of the known items are answered rightly; an item without an answer is not."""
        if not len(known):
            return None
        answers = KnownAnswers(self.item_ids, self.codes).codes_for(known.item_ids)
        return proportion(int((answers == known.codes).sum()), len(known))


def round_point(tables: RoundTables, known: References, *, classes: Sequence[str]) -> RoundPoint:
    """Return how things stood in a round: an item's label is its posterior's answer, else the model's prediction.

    O(items) in vectorised passes; memory is that of the round's probabilities.

    Raises:
        BadTable: An answer is no class, or a confidence or probability is malformed; messages name round and item.
    """
    voted = _voted(tables, classes)
    scored = _scored(tables, len(classes))
    everything = voted if scored is None else _joined(voted, scored)
    gate = None if scored is None else scored.right(_only(known.gate, scored.item_ids))
    return RoundPoint(
        number=tables.number,
        votes=tables.votes,
        labelled=len(everything.item_ids),
        mean_confidence=_mean(everything.confidence),
        truth=everything.right(known.truth),
        gate=gate,
        strategy=tables.strategy,
    )


def final_point(labels: pa.Table, known: References, *, classes: Sequence[str], number: int, votes: int) -> RoundPoint:
    """Return how things stand at the end, after `votes` votes: the point of the labels themselves, without a gate."""
    answers = _labelled(labels, classes)
    return RoundPoint(
        number=number,
        votes=votes,
        labelled=len(labels),
        mean_confidence=_mean(answers.confidence),
        truth=answers.right(known.truth),
    )


def label_summary(labels: pa.Table, known: References, *, classes: Sequence[str]) -> LabelSummary:
    """Return the counts by state, class and confidence of a LABELS table.

    Bins tell how many labels were right where truth is known (outside gold), else where audit gold is.

    Raises:
        BadTable: A label is no class, a state is none of ours, a confidence is no share; messages name the item.
    """
    answers, states = _labelled(labels, classes), _state_codes(labels)
    reference = known.truth if len(known.truth) else known.audit
    bins = np.clip(
        np.searchsorted(CONFIDENCE_EDGES, answers.confidence, side="right") - 1, 0, len(CONFIDENCE_EDGES) - 2
    )
    counts = _cross(bins, states, shape=(len(CONFIDENCE_EDGES) - 1, len(_STATES)))
    truth = reference.codes_for(answers.item_ids)
    measured, right = np.bincount(bins[truth >= 0], minlength=len(counts)), truth == answers.codes
    right_counts = np.bincount(bins[right], minlength=len(counts))
    return LabelSummary(
        total=len(labels),
        by_state=_by_state(counts.sum(axis=0)),
        by_class=_by_class(answers.codes, known, classes),
        bins=tuple(
            ConfidenceBin(low, high, _by_state(row), proportion(int(n_right), int(n)))
            for low, high, row, n_right, n in zip(
                CONFIDENCE_EDGES[:-1], CONFIDENCE_EDGES[1:], counts, right_counts, measured, strict=True
            )
        ),
        mean_confidence=_mean(answers.confidence),
    )


def truth_accuracy(labels: pa.Table, known: References, *, classes: Sequence[str]) -> Accuracy | None:
    """Return how many labels are right against truth, outside gold, in all and by state; None without truth."""
    answers, states = _labelled(labels, classes), _state_codes(labels)
    truth = known.truth.codes_for(answers.item_ids)
    measured = np.bincount(states[truth >= 0], minlength=len(_STATES))
    right = np.bincount(states[truth == answers.codes], minlength=len(_STATES))
    overall = proportion(int(right.sum()), int(measured.sum()))
    if overall is None:
        return None
    shares = {state: proportion(int(r), int(n)) for state, r, n in zip(_STATES, right, measured, strict=True)}
    return Accuracy(overall, {state: share for state, share in shares.items() if share is not None})


def audit_accuracy(labels: pa.Table, known: References, *, classes: Sequence[str]) -> Proportion | None:
    """Return how many audit gold items have the right label; None without audit gold.

    It is honest only when `labels` were inferred without that gold: truth inference is seeded with gate gold alone.
    """
    return _labelled(labels, classes).right(_only(known.audit, one_array(labels, "item_id")))


def confusion(labels: pa.Table, known: References, *, classes: Sequence[str]) -> Confusion | None:
    """Return how often each class got each label: against truth, else audit gold, else the labels' own posteriors.

    The last counts an item labelled k as P(j) of an item of class j, for every j; None for an empty table.
    """
    if not len(labels):
        return None
    answers, size = _labelled(labels, classes), len(classes)
    for basis, reference in ((ConfusionBasis.TRUTH, known.truth), (ConfusionBasis.AUDIT_GOLD, known.audit)):
        truth = reference.codes_for(answers.item_ids)
        if (truth >= 0).any():
            counts = _cross(truth[truth >= 0], answers.codes[truth >= 0], shape=(size, size))
            return Confusion(basis, tuple(classes), _rows(counts))
    probabilities = class_probabilities(labels, size, where="labels")
    expected = np.stack([probabilities[answers.codes == code].sum(axis=0) for code in range(size)], axis=1)
    return Confusion(ConfusionBasis.EXPECTED, tuple(classes), _rows(expected))


def _voted(tables: RoundTables, classes: Sequence[str]) -> _Answers:
    where, ids = f"posteriors of round {tables.number}", one_array(tables.posteriors, "item_id")
    codes = class_codes(one_array(tables.posteriors, "answer"), classes, items=ids, where=where)
    return _Answers(ids, codes, confidences(tables.posteriors, where=where))


def _scored(tables: RoundTables, n_classes: int) -> _Answers | None:
    if tables.scores is None or not len(tables.scores):
        return None
    where = f"scores of round {tables.number}"
    probabilities = class_probabilities(tables.scores, n_classes, where=where)
    ids = one_array(tables.scores, "item_id")
    if not np.isfinite(probabilities).all():
        row = int(np.argmax(~np.isfinite(probabilities).all(axis=1)))
        raise BadTable(f"{where}: item {ids[row].as_py()!r} has a probability that is not a number")
    return _Answers(ids, probabilities.argmax(axis=1), probabilities.max(axis=1))


def _labelled(labels: pa.Table, classes: Sequence[str]) -> _Answers:
    ids = one_array(labels, "item_id")
    codes = class_codes(one_array(labels, "label"), classes, items=ids, where="labels")
    return _Answers(ids, codes, confidences(labels, where="labels"))


def _joined(first: _Answers, second: _Answers) -> _Answers:
    """Return the answers of `first`, and those of `second` for items that `first` does not have."""
    new = rows_of(second.item_ids, first.item_ids) < 0
    return _Answers(
        pa.concat_arrays([first.item_ids, second.item_ids.filter(pa.array(new))]),
        np.concatenate([first.codes, second.codes[new]]),
        np.concatenate([first.confidence, second.confidence[new]]),
    )


def _only(known: KnownAnswers, item_ids: Column) -> KnownAnswers:
    chosen: Column = pc.is_in(known.item_ids, value_set=item_ids)
    return KnownAnswers(known.item_ids.filter(chosen), known.codes[chosen.to_numpy(zero_copy_only=False)])


def _state_codes(labels: pa.Table) -> IntArray:
    states = one_array(labels, "state")
    codes = rows_of(states, pa.array([str(state) for state in _STATES]))
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        item = one_array(labels, "item_id")[row].as_py()
        raise BadTable(f"labels: item {item!r} has state {states[row].as_py()!r}, which is none of {list(_STATES)}")
    return codes


def _by_state(counts: IntArray) -> Mapping[LabelState, int]:
    return dict(zip(_STATES, counts.tolist(), strict=True))


def _by_class(codes: IntArray, known: References, classes: Sequence[str]) -> tuple[ClassCount, ...]:
    """Count labels and, with truth, what the items are; gold counts there, too, since it has a label."""
    labels = np.bincount(codes, minlength=len(classes)).tolist()
    answers = np.concatenate([part.codes for part in (known.truth, known.gate, known.audit)])
    true = np.bincount(answers, minlength=len(classes)).tolist() if len(known.truth) else [None] * len(classes)
    return tuple(ClassCount(*row) for row in zip(classes, labels, true, strict=True))


def _cross(rows: IntArray, columns: IntArray, *, shape: tuple[int, int]) -> IntArray:
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def _rows(matrix: IntArray | FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None
