"""What inference is told besides votes, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.tables import is_decision

__all__ = ["Gold", "Inferred"]

FloatArray = npt.NDArray[np.float64]


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

    @classmethod
    def decided(cls, votes: pa.Table) -> "Gold":
        """Return what people have decided, of several decisions on an item the last.

        Args:
            votes: `VOTES` that count, the oldest first.
        """
        chosen = votes.filter(is_decision(votes)).select(["item_id", "answer"]).to_pydict()
        last = dict(zip(chosen["item_id"], chosen["answer"], strict=True))
        return cls(pa.array(last.keys(), pa.string()), pa.array(last.values(), pa.string()))

    def and_decided(self, votes: pa.Table) -> "Gold":
        """Return this gold and what people have decided of other items; known truth is no one's to decide."""
        decided = Gold.decided(votes)
        is_new = pc.invert(pc.is_in(decided.item_ids, value_set=_one(self.item_ids)))
        return Gold(
            pa.concat_arrays([_one(self.item_ids), decided.item_ids.filter(is_new)]),
            pa.concat_arrays([_one(self.classes), decided.classes.filter(is_new)]),
        )

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
        choice: which model weighed most and why, in one sentence; empty where there was no choice.
        weights: model -> share in the result, 0 to 1; empty where there was no choice.
        asked: ids of the items that people have voted on.
    """

    posteriors: pa.Table
    reliabilities: pa.Table
    class_prior: FloatArray
    iterations: int
    has_converged: bool
    log_likelihood: float
    objective: float
    choice: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    asked: Any = field(default_factory=lambda: pa.array([], pa.string()))


def _one(column: Any) -> Any:
    """Return a column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
