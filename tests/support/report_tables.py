"""Builders of small tables for the report's tests; every one is of labelplane_core's schemas."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from labelplane_core.tables import INDEX, LABELS, POSTERIORS, RELIABILITIES, SCORES, VOTES, TableSchema, from_matrix

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def make_table(schema: TableSchema, columns: Mapping[str, object]) -> pa.Table:
    arrays = [
        column if isinstance(column := columns[field.name], pa.Array) else pa.array(column, field.type)
        for field in schema.columns
    ]
    return pa.table(arrays, schema=schema.arrow)


def make_index(
    ids: Sequence[str], *, gold: Mapping[str, tuple[str, str]] | None = None, meta: Sequence[str] | None = None
) -> pa.Table:
    """Return an index; `gold` gives role and class of gold items."""
    known = gold or {}
    columns = {
        "block": [0] * len(ids),
        "item_id": list(ids),
        "uri": [f"images/{name}" for name in ids],
        "text": [None] * len(ids),
        "digest": ["00"] * len(ids),
        "gold": [known[name][1] if name in known else None for name in ids],
        "gold_role": [known[name][0] if name in known else "" for name in ids],
        "meta": list(meta or ["{}"] * len(ids)),
    }
    return make_table(INDEX, columns)


def make_labels(
    rows: Sequence[tuple[str, str, float, str]], *, probabilities: Sequence[Sequence[float]] | None = None
) -> pa.Table:
    """Return labels from (item, label, confidence, state)."""
    ids, labels, confidence, states = zip(*rows, strict=True) if rows else ((), (), (), ())
    matrix = np.asarray(probabilities if probabilities is not None else [[0.5, 0.5]] * len(rows), np.float64)
    columns = {
        "item_id": ids,
        "label": labels,
        "confidence": confidence,
        "state": states,
        "n_votes": [0] * len(rows),
        "probabilities": from_matrix(matrix.reshape(len(rows), -1 if len(rows) else 2)),
    }
    return make_table(LABELS, columns)


def make_posteriors(rows: Sequence[tuple[str, str, float]]) -> pa.Table:
    columns = {
        "item_id": [row[0] for row in rows],
        "answer": [row[1] for row in rows],
        "confidence": [row[2] for row in rows],
        "probabilities": from_matrix(np.full((len(rows), 2), 0.5)),
        "n_votes": [1] * len(rows),
        "agreement": [1.0] * len(rows),
    }
    return make_table(POSTERIORS, columns)


def make_scores(ids: Sequence[str], logits: Sequence[Sequence[float]]) -> pa.Table:
    matrix = np.asarray(logits, np.float32).reshape(len(ids), -1 if len(ids) else 2)
    columns = {
        "item_id": list(ids),
        "block": [0] * len(ids),
        "prediction": [""] * len(ids),
        "logits": from_matrix(matrix),
        "embedding": from_matrix(np.zeros((len(ids), 1), np.float32)),
        "samples": [None] * len(ids),
        "entropy": [0.0] * len(ids),
        "margin": [0.0] * len(ids),
        "least_confidence": [0.0] * len(ids),
    }
    return make_table(SCORES, columns)


def make_votes(rows: Sequence[tuple[str, str, str]]) -> pa.Table:
    """Return votes from (item, annotator, answer)."""
    count = len(rows)
    columns = {
        "vote_id": [str(number) for number in range(count)],
        "item_id": [row[0] for row in rows],
        "source": ["crowd"] * count,
        "annotator": [row[1] for row in rows],
        "answer": [row[2] for row in rows],
        "weight": [1.0] * count,
        "time": [NOON] * count,
        "lead_time_seconds": [None] * count,
        "suggestion_shown": [False] * count,
        "supersedes": [None] * count,
        "retracted": [False] * count,
    }
    return make_table(VOTES, columns)


def make_reliabilities(rows: Sequence[tuple[str, float, int, Sequence[Sequence[float]]]]) -> pa.Table:
    """Return reliabilities from (annotator, accuracy, votes, confusion)."""
    size = len(rows[0][3]) if rows else 2
    matrix = np.asarray([row[3] for row in rows], np.float64).reshape(len(rows), size * size)
    columns = {
        "annotator": [row[0] for row in rows],
        "source": ["crowd"] * len(rows),
        "accuracy": [row[1] for row in rows],
        "n_votes": [row[2] for row in rows],
        "confusion": from_matrix(matrix),
    }
    return make_table(RELIABILITIES, columns)
