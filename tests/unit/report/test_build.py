from collections.abc import Iterator

import pyarrow as pa
import pytest
from report_data import make_job
from report_tables import (
    make_index,
    make_labels,
    make_posteriors,
    make_reliabilities,
    make_scores,
    make_table,
    make_votes,
)

from labelplane_core.errors import BadTable
from labelplane_core.tables import ITEM_ERRORS
from labelplane_report import (
    Cost,
    Curve,
    Preview,
    Provenance,
    ReportData,
    ReportTables,
    RoundTables,
    Stop,
    build_report,
)
from labelplane_report.data import ConfusionBasis

GOOD = [[0.9, 0.1], [0.1, 0.9]]


def make_tables(*, errors: pa.Table | None = None) -> ReportTables:
    """Return the tables of a job of four items: two with votes, one predicted, one audit gold."""
    return ReportTables(
        index=make_index(["a", "b", "c", "g"], gold={"g": ("audit", "dog")}),
        votes=make_votes([("a", "ann", "cat"), ("b", "ann", "dog")]),
        labels=make_labels(
            [
                ("a", "cat", 0.9, "human"),
                ("b", "dog", 0.6, "human"),
                ("c", "cat", 0.7, "predicted"),
                ("g", "dog", 0.5, "predicted"),
            ]
        ),
        reliabilities=make_reliabilities([("ann", 0.9, 2, GOOD)]),
        item_errors=errors,
    )


def rounds() -> Iterator[RoundTables]:
    yield RoundTables(0, 1, make_posteriors([("a", "cat", 0.9)]))
    yield RoundTables(
        1, 2, make_posteriors([("a", "cat", 0.9), ("b", "dog", 0.6)]), make_scores(["c"], [[1, 0]]), "Margin"
    )


def build(**changes: object) -> ReportData:
    arguments = {"rounds": rounds(), "stop": Stop("Target"), "cost": Cost(2), **changes}
    return build_report(make_job(), make_tables(), **arguments)


def test_every_round_becomes_a_point_and_the_labels_the_last() -> None:
    report = build(truth={"a": "cat", "b": "cat", "c": "cat"})
    assert [(point.number, point.votes, point.labelled) for point in report.rounds] == [(0, 1, 1), (1, 2, 3), (2, 2, 4)]
    assert [point.truth.right for point in report.rounds if point.truth] == [1, 2, 2]


def test_without_rounds_the_labels_are_the_only_point() -> None:
    assert [point.number for point in build(rounds=()).rounds] == [0]


def test_with_truth_accuracy_confusion_and_hard_items_know_it() -> None:
    report = build(truth={"a": "cat", "b": "cat", "c": "cat"})
    assert report.accuracy is not None
    assert (report.accuracy.overall.right, report.accuracy.overall.total) == (2, 3)
    assert report.confusion is not None
    assert (report.confusion.basis, report.confusion.counts) == (ConfusionBasis.TRUTH, ((2.0, 1.0), (0.0, 0.0)))
    assert [(item.item_id, item.truth) for item in report.hard_items] == [("b", "cat"), ("c", "cat"), ("a", "cat")]


def test_without_truth_audit_gold_is_the_reference() -> None:
    report = build()
    assert report.accuracy is None
    assert report.audit is not None
    assert (report.audit.right, report.audit.total) == (1, 1)
    assert report.confusion is not None
    assert report.confusion.basis is ConfusionBasis.AUDIT_GOLD


def test_what_is_given_is_passed_on() -> None:
    curve, provenance = Curve("random", (1,), (0.5,)), Provenance(data_hash="ab")
    report = build(baseline=curve, provenance=provenance, previews={"b": Preview(text="hello")})
    assert (report.baseline, report.provenance, report.hard_items[0].preview.text) == (curve, provenance, "hello")


def test_item_errors_are_counted_and_shown() -> None:
    columns = {"item_id": ["z"] * 150, "uri": [None] * 150, "reason": ["EmptyItem"] * 150, "message": ["empty"] * 150}
    tables = make_tables(errors=make_table(ITEM_ERRORS, columns))
    report = build_report(make_job(), tables, rounds=(), stop=Stop("Target"), cost=Cost(2))
    assert (report.item_error_count, len(report.item_errors)) == (150, 100)


def test_a_curve_needs_an_accuracy_for_each_vote_count() -> None:
    with pytest.raises(Exception, match="2 votes for 1 accuracies"):
        Curve("random", (1, 2), (0.5,))


def test_an_error_in_a_round_names_it() -> None:
    broken = RoundTables(5, 1, make_posteriors([("a", "cow", 0.9)]))
    with pytest.raises(BadTable, match="posteriors of round 5: item 'a' has 'cow'"):
        build(rounds=[broken])
