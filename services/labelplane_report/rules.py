"""What there is to say about each rule and knowledge base."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelplane_report.data import RuleRow
from labelplane_report.intervals import proportion

__all__ = ["rule_rows"]

_ANSWERS = 3


def rule_rows(diagnostics: pa.Table, *, classes: Sequence[str], n_items: int) -> tuple[RuleRow, ...]:
    """Return one row for each row of RULE_DIAGNOSTICS, in its order.

    Args:
        diagnostics: Counts of each rule.
        classes: The task's classes.
        n_items: Of the whole data set.
    """
    return tuple(_row(each, classes, n_items) for each in diagnostics.to_pylist())


def _row(row: Mapping[str, Any], classes: Sequence[str], n_items: int) -> RuleRow:
    hits = int(row["hits"])
    counts = np.asarray(row["answers"])
    order = np.argsort(-counts, kind="stable")
    return RuleRow(
        rule=str(row["annotator"]),
        source=str(row["source"]),
        answers=tuple(classes[place] for place in order[:_ANSWERS] if counts[place]),
        hits=hits,
        coverage=hits / n_items if n_items else 0.0,
        overlap=row["overlaps"] / hits if hits else None,
        conflict=row["conflicts"] / hits if hits else None,
        outvoted=int(row["outvoted"]),
        estimated=row["estimated_accuracy"],
        measured=proportion(int(row["gold_right"]), int(row["gold_hits"])),
    )
