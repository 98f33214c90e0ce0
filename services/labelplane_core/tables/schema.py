"""The columns of every table that labelplane keeps."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

__all__ = [
    "ALL_SCHEMAS",
    "BAD_VOTES",
    "INDEX",
    "ITEM_ERRORS",
    "LABELS",
    "POSTERIORS",
    "PREDICTIONS",
    "RELIABILITIES",
    "RULE_DIAGNOSTICS",
    "SCORES",
    "SELECTION",
    "TASKS",
    "UNIT_POSTERIORS",
    "UNIT_VOTES",
    "VOTES",
    "TableSchema",
]

_NAME_KEY = b"labelplane.schema"
_VERSION_KEY = b"labelplane.version"


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table's name, version and columns. The version rises with every change that an older reader would misread."""

    name: str
    version: int
    columns: pa.Schema

    @property
    def arrow(self) -> pa.Schema:
        """The columns with name and version in the metadata, as they stand in Parquet."""
        return self.columns.with_metadata({_NAME_KEY: self.name.encode(), _VERSION_KEY: str(self.version).encode()})

    def empty(self) -> pa.Table:
        """Return a table without rows."""
        return self.arrow.empty_table()


def written_as(schema: pa.Schema) -> tuple[str, str]:
    """Return the name and version that a file says it was written under; empty when it does not say."""
    metadata = schema.metadata or {}
    return metadata.get(_NAME_KEY, b"").decode(errors="replace"), metadata.get(_VERSION_KEY, b"").decode(
        errors="replace"
    )


def _text(name: str) -> "pa.Field[Any]":
    return pa.field(name, pa.string(), nullable=False)


def _optional(name: str) -> "pa.Field[Any]":
    return pa.field(name, pa.string())


def _value(name: str, kind: pa.DataType) -> "pa.Field[Any]":
    return pa.field(name, kind, nullable=False)


def _floats(name: str, kind: pa.DataType) -> "pa.Field[Any]":
    return pa.field(name, pa.list_(pa.field("item", kind, nullable=False)), nullable=False)


def _table(name: str, *fields: "pa.Field[Any]", version: int = 1) -> TableSchema:
    return TableSchema(name, version, pa.schema(fields))


INDEX = _table(
    "index",
    _value("block", pa.int32()),
    _text("item_id"),
    _optional("uri"),  # a key in the data set's store; null when the item is in `text`
    _optional("text"),
    _text("digest"),  # of the item's bytes, so that the table's digest covers them
    _optional("gold"),
    _text("gold_role"),  # "gate", "audit", or "" for an item without gold
    _text("meta"),  # a JSON object
)
"""Every usable item, in the order of its blocks."""

ITEM_ERRORS = _table("item-errors", _text("item_id"), _optional("uri"), _text("reason"), _text("message"))
"""The items that could not be used."""

VOTES = _table(
    "votes",
    _text("vote_id"),
    _text("item_id"),
    _text("source"),
    _text("annotator"),
    _text("answer"),
    _value("weight", pa.float64()),
    _value("time", pa.timestamp("us", tz="UTC")),
    pa.field("lead_time_seconds", pa.float64()),
    _value("suggestion_shown", pa.bool_()),
    _optional("supersedes"),  # the vote_id that this one takes the place of
    _value("retracted", pa.bool_()),
)
"""Votes as they came: append-only. `current_votes` tells which of them count."""

BAD_VOTES = _table(
    "bad-votes",
    _text("source"),
    _text("origin"),  # file and line, or message id
    _text("item_id"),
    _text("annotator"),
    _text("answer"),
    _text("reason"),
    _text("message"),
)
"""Votes that were set aside; item, annotator and answer are as they were written, and may be empty."""

UNIT_VOTES = _table(
    "unit-votes",
    _text("unit"),
    _text("item_id"),
    _text("source"),
    _text("annotator"),
    _text("answer"),
    _value("weight", pa.float64()),
)
"""Votes on the sub-questions that truth inference answers; `answer` is a class."""

UNIT_POSTERIORS = _table("unit-posteriors", _text("unit"), _text("item_id"), _floats("probabilities", pa.float64()))
"""P(class) of every unit, in the order of the task's classes."""

POSTERIORS = _table(
    "posteriors",
    _text("item_id"),
    _text("answer"),
    _value("confidence", pa.float64()),
    _floats("probabilities", pa.float64()),  # in the order of the task's classes
    _value("n_votes", pa.int32()),
    _value("agreement", pa.float64()),  # share of the item's votes that gave the answer
)
"""What aggregation says of every item that has votes."""

RELIABILITIES = _table(
    "reliabilities",
    _text("annotator"),
    _text("source"),
    _value("accuracy", pa.float64()),
    _value("n_votes", pa.int64()),
    _floats("confusion", pa.float64()),  # row-major, rows are truth, columns are answers
)
"""What aggregation learned about every annotator."""

RULE_DIAGNOSTICS = _table(
    "rule-diagnostics",
    _text("annotator"),
    _text("source"),
    _floats("answers", pa.int64()),  # items voted each class, in the order of the task's classes
    _value("hits", pa.int64()),  # items that it votes on
    _value("overlaps", pa.int64()),  # of them, items that another rule or knowledge base votes on
    _value("conflicts", pa.int64()),  # of them, items where another says something else
    _value("outvoted", pa.int64()),  # items where its vote yields to a rule of higher priority
    pa.field("estimated_accuracy", pa.float64()),  # mean posterior of its votes that count; null without any
    _value("gold_hits", pa.int64()),  # items of gate gold that it votes on
    _value("gold_right", pa.int64()),  # of them, items where it says the known class
)
"""How each rule and knowledge base does; one that never votes has a row of zeros."""

SCORES = _table(
    "scores",
    _text("item_id"),
    _value("block", pa.int32()),
    _text("prediction"),
    _floats("logits", pa.float32()),
    _floats("embedding", pa.float32()),  # the penultimate layer; empty when it is cached elsewhere
    pa.field("samples", pa.list_(pa.float32())),  # row-major S x classes of stochastic logits; null without
    _value("entropy", pa.float32()),
    _value("margin", pa.float32()),
    _value("least_confidence", pa.float32()),
)
"""What the model says of every unlabelled item."""

PREDICTIONS = _table("predictions", _text("item_id"), _floats("probabilities", pa.float64()))
"""P(class) of items that a model was trained on, each by members of its ensemble that have not seen it."""

SELECTION = _table(
    "selection",
    _text("item_id"),
    _value("rank", pa.int32()),
    _value("score", pa.float64()),
    _text("reason"),  # "strategy", "gold", "check", "rule" or "cold-start"
    _optional("suggestion"),
)
"""The items of a round's review, best first."""

TASKS = _table(
    "tasks",
    _text("task_id"),
    _text("item_id"),
    _value("round", pa.int32()),
    _value("rank", pa.int32()),
    _text("reason"),  # the selection's, or "again": one more vote on an item of an earlier round
    _value("votes_wanted", pa.int32()),  # on the item altogether, with those of earlier rounds
    _optional("suggestion"),
    _value("suggestion_hidden", pa.bool_()),
)
"""What people are asked."""

LABELS = _table(
    "labels",
    _text("item_id"),
    _text("label"),
    _value("confidence", pa.float64()),
    _text("state"),  # "human", "accepted" or "predicted"
    _value("n_votes", pa.int32()),
    _floats("probabilities", pa.float64()),
)
"""The result: one row for every item."""

ALL_SCHEMAS = (
    INDEX,
    ITEM_ERRORS,
    VOTES,
    BAD_VOTES,
    UNIT_VOTES,
    UNIT_POSTERIORS,
    POSTERIORS,
    RELIABILITIES,
    RULE_DIAGNOSTICS,
    SCORES,
    PREDICTIONS,
    SELECTION,
    TASKS,
    LABELS,
)
"""Every table there is."""
