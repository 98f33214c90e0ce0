"""What image and text classification share: one question an item, one class as its answer."""

import difflib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.errors import BadTable, UnknownClass
from labelplane_core.tables.arrays import to_matrix
from labelplane_core.tables.schema import UNIT_VOTES
from labelplane_core.tasks.kind import TaskKind

__all__ = ["ClassificationKind"]


class ClassificationKind(TaskKind):
    """Every item is one unit, named as the item; an answer is the name of a class."""

    report_panels = (
        "accuracy",
        "confidence",
        "confusion",
        "reliabilities",
        "rules",
        "hardest-items",
        "cost",
        "provenance",
    )
    export_formats = ("jsonl", "csv", "parquet")

    def parse_answer(self, text: str, classes: Sequence[str]) -> str:
        """Return the class that `text` names, without regard to case and outer space when only one class fits."""
        if text in classes:
            return text
        wanted = text.strip().casefold()
        fitting = [name for name in classes if name.strip().casefold() == wanted]
        if len(fitting) == 1:
            return fitting[0]
        raise UnknownClass(_unknown(text, classes))

    def vote_units(self, votes: pa.Table, classes: Sequence[str]) -> pa.Table:
        """Return the votes as they are: the unit is the item."""
        is_known = pc.is_in(votes.column("answer"), value_set=pa.array(classes, pa.string()))
        if not pc.all(is_known, min_count=0).as_py():
            first = votes.filter(pc.invert(is_known)).slice(0, 1).to_pylist()[0]
            raise UnknownClass(
                f"vote {first['vote_id']!r} on item {first['item_id']!r}: {_unknown(first['answer'], classes)}"
            )
        columns = {name: votes.column("item_id" if name == "unit" else name) for name in UNIT_VOTES.columns.names}
        return pa.table(columns, schema=UNIT_VOTES.arrow)

    def labels_from_units(self, units: pa.Table, classes: Sequence[str]) -> pa.Table:
        """Return the most probable class of every item; of equal ones the first in the order of the classes."""
        probabilities = to_matrix(units.column("probabilities"))
        if len(units) and probabilities.shape[1] != len(classes):
            raise BadTable(f"posteriors have {probabilities.shape[1]} probabilities a row for {len(classes)} classes")
        best = probabilities.argmax(axis=1) if len(units) else np.zeros(0, dtype=np.int64)
        answers = pa.array(classes, pa.string()).take(pa.array(best, pa.int64()))
        confidences = pa.array(probabilities[np.arange(len(units)), best] if len(units) else [], pa.float64())
        return pa.table({"item_id": units.column("item_id"), "answer": answers, "confidence": confidences})

    def item_uncertainty(self, items: pa.Table) -> pa.Table:
        """Return the uncertainty as it is: an item has one unit."""
        return items.select(["item_id", "uncertainty"])


def _unknown(answer: str, classes: Sequence[str]) -> str:
    near = difflib.get_close_matches(answer, classes, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the task has {len(classes)}: {', '.join(classes[:10])}"
    return f"answer {answer[:80]!r} is no class of the task; {hint}"
