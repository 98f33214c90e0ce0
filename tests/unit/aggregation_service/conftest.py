"""Builders of what the stages read."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labelplane_aggregation.inbox import IncomingVote
from labelplane_aggregation.inbox.votes import votes_table
from labelplane_core.tables import INDEX

CLASSES = ("cat", "dog", "owl")


def make_vote(vote_id: str, item: str, annotator: str, answer: str = "cat", **extra: Any) -> IncomingVote:
    fields: dict[str, Any] = {
        "weight": 1.0,
        "time": datetime(2026, 1, 1, tzinfo=UTC),
        "lead_time_seconds": 0.0,
        "suggestion_shown": False,
        "supersedes": "",
        "retracted": False,
        "origin": "",
    }
    return IncomingVote(vote_id, item, annotator, answer, **(fields | extra))


def make_votes(rows: Sequence[tuple[str, str, str]]) -> pa.Table:
    """Votes of (item, annotator, answer), each a second after the one before."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return votes_table(
        [make_vote(f"v{place}", *row, time=start + timedelta(seconds=place)) for place, row in enumerate(rows)]
    )


def make_index(
    item_ids: Sequence[str], *, gate: dict[str, str] | None = None, audit: dict[str, str] | None = None
) -> pa.Table:
    roles = {**dict.fromkeys(gate or {}, "gate"), **dict.fromkeys(audit or {}, "audit")}
    known = {**(gate or {}), **(audit or {})}
    return pa.table(
        {
            "block": pa.array(np.zeros(len(item_ids)), pa.int32()),
            "item_id": list(item_ids),
            "uri": pa.nulls(len(item_ids), pa.string()),
            "text": [f"text of {item_id}" for item_id in item_ids],
            "digest": ["d"] * len(item_ids),
            "gold": pa.array([known.get(item_id) for item_id in item_ids], pa.string()),
            "gold_role": [roles.get(item_id, "") for item_id in item_ids],
            "meta": ["{}"] * len(item_ids),
        },
        schema=INDEX.arrow,
    )


@pytest.fixture
def vote() -> Callable[..., IncomingVote]:
    return make_vote


@pytest.fixture
def votes_of() -> Callable[[Sequence[tuple[str, str, str]]], pa.Table]:
    return make_votes


@pytest.fixture
def index_of() -> Callable[..., pa.Table]:
    return make_index
