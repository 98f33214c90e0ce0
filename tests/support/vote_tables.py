"""Builders of vote tables."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from labelplane_core.tables import VOTES

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class VoteTableBuilder:
    """Rows of a `VOTES` table; every method returns a new builder."""

    rows: tuple[dict[str, Any], ...] = field(default=())

    def vote(
        self,
        vote_id: str,
        *,
        item: str = "item",
        annotator: str = "ann",
        source: str = "humans",
        answer: str = "cat",
        minute: int = 0,
        supersedes: str | None = None,
        retracted: bool = False,
    ) -> "VoteTableBuilder":
        """Add a vote, given so many minutes after noon."""
        row = {
            "vote_id": vote_id,
            "item_id": item,
            "source": source,
            "annotator": annotator,
            "answer": answer,
            "weight": 1.0,
            "time": NOON + timedelta(minutes=minute),
            "lead_time_seconds": None,
            "suggestion_shown": False,
            "supersedes": supersedes,
            "retracted": retracted,
        }
        return replace(self, rows=(*self.rows, row))

    def build(self) -> pa.Table:
        return pa.Table.from_pylist(list(self.rows), schema=VOTES.arrow)


def make_votes() -> VoteTableBuilder:
    return VoteTableBuilder()
