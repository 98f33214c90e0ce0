"""Which answers are least certain."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["DoubtfulItem", "doubtful_items"]


@dataclass(frozen=True, slots=True)
class DoubtfulItem:
    """An item that people have answered; `agreement` is the share of its votes that gave the answer."""

    item_id: str
    answer: str
    confidence: float
    votes: int
    agreement: float


def doubtful_items(posteriors: pa.Table, *, limit: int) -> Sequence[DoubtfulItem]:
    """Return the items of `POSTERIORS` with votes, the least certain first, ties by their ids."""
    answered = posteriors.filter(pc.greater(posteriors.column("n_votes"), 0))
    ordered = answered.sort_by([("confidence", "ascending"), ("item_id", "ascending")]).slice(0, limit)
    return [
        DoubtfulItem(row["item_id"], row["answer"], row["confidence"], row["n_votes"], row["agreement"])
        for row in ordered.select(["item_id", "answer", "confidence", "n_votes", "agreement"]).to_pylist()
    ]
