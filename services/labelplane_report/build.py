"""Makes the report's data from the job's tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labelplane_report.annotators import annotator_rows
from labelplane_report.columns import References, references
from labelplane_report.data import (
    Cost,
    Curve,
    JobFacts,
    LabelSummary,
    Preview,
    Provenance,
    ReportData,
    RoundPoint,
    Stop,
)
from labelplane_report.items import hard_items, hardest_item_ids, item_errors
from labelplane_report.measures import (
    RoundTables,
    audit_accuracy,
    confusion,
    final_point,
    label_summary,
    round_point,
    truth_accuracy,
)
from labelplane_report.rules import rule_rows

__all__ = ["ReportTables", "build_report", "build_round_points"]


@dataclass(frozen=True, slots=True, eq=False)
class ReportTables:
    """The tables of labelplane_core that the report is made of.

    Attributes:
        index: INDEX.
        votes: VOTES that count (`current_votes`).
        labels: LABELS, one row for each item.
        reliabilities: RELIABILITIES of the last aggregation.
        item_errors: ITEM_ERRORS; None when every item could be used.
        rules: RULE_DIAGNOSTICS; None when only people vote.
        choice: Which model of annotators weighed most and why, in one sentence; empty where one alone was asked for.
    """

    index: pa.Table
    votes: pa.Table
    labels: pa.Table
    reliabilities: pa.Table
    item_errors: pa.Table | None = None
    rules: pa.Table | None = None
    choice: str = ""


def build_report(
    job: JobFacts,
    tables: ReportTables,
    *,
    rounds: Iterable[RoundTables],
    stop: Stop,
    cost: Cost,
    truth: Mapping[str, str] | None = None,
    previews: Mapping[str, Preview] | None = None,
    baseline: Curve | None = None,
    provenance: Provenance | None = None,
) -> ReportData:
    """Return everything that the report shows.

    Pure: nothing is read or written, no clock is asked. O(items x classes) for each round, one round in memory at a
    time when `rounds` is a generator.

    Args:
        job: What was asked.
        tables: The final tables.
        rounds: The finished rounds, in order; the labels themselves become the last point of the curve.
        stop: Why the rounds ended.
        cost: What it took; `cost.votes` is the place of the last point.
        truth: Class by item id, for the report alone; ids outside the index are left out.
        previews: Of the items that `hardest_item_ids(tables.labels, leave_out=gold)` names.
        baseline: Accuracy of random selection, when it was measured.
        provenance: How the labels came to be.

    Raises:
        BadTable: A table holds what cannot be shown truthfully; the message names table, item and value.
    """
    known = references(tables.index, job.classes, truth=truth)
    labels = label_summary(tables.labels, known, classes=job.classes)
    hardest = hardest_item_ids(tables.labels, leave_out=known.gold_ids)
    errors = tables.item_errors
    return ReportData(
        job=job,
        labels=labels,
        rounds=build_round_points(rounds, known, classes=job.classes, labels=tables.labels, votes=cost.votes),
        stop=stop,
        cost=cost,
        accuracy=truth_accuracy(tables.labels, known, classes=job.classes),
        audit=audit_accuracy(tables.labels, known, classes=job.classes),
        confusion=confusion(tables.labels, known, classes=job.classes),
        annotators=annotator_rows(tables.reliabilities, classes=job.classes, class_shares=_class_shares(labels)),
        rules=() if tables.rules is None else rule_rows(tables.rules, classes=job.classes, n_items=len(tables.index)),
        hard_items=hard_items(hardest, tables.labels, votes=tables.votes, truth=truth, previews=previews),
        item_errors=() if errors is None else item_errors(errors),
        item_error_count=0 if errors is None else len(errors),
        baseline=baseline,
        choice=tables.choice,
        provenance=provenance or Provenance(),
    )


def build_round_points(
    rounds: Iterable[RoundTables], known: References, *, classes: Sequence[str], labels: pa.Table, votes: int
) -> tuple[RoundPoint, ...]:
    """Return one point for each round and one for the labels that stand at the end, after `votes` votes."""
    points = tuple(round_point(tables, known, classes=classes) for tables in rounds)
    number = points[-1].number + 1 if points else 0
    return (*points, final_point(labels, known, classes=classes, number=number, votes=votes))


def _class_shares(labels: LabelSummary) -> tuple[float, ...]:
    return tuple(float(count.labels) for count in labels.by_class)
