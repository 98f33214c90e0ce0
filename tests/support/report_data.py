"""Builders of report data for tests: small, or hostile and large."""

from dataclasses import replace
from datetime import UTC, datetime

from labelplane_report.annotators import suspicion
from labelplane_report.data import (
    Accuracy,
    AnnotatorRow,
    Bias,
    ClassCount,
    ConfidenceBin,
    Confusion,
    ConfusionBasis,
    Cost,
    Curve,
    HardItem,
    ItemError,
    JobFacts,
    LabelState,
    LabelSummary,
    Preview,
    Proportion,
    Provenance,
    ReportData,
    RoundPoint,
    StageRow,
    Stop,
    VoteShown,
)
from labelplane_report.intervals import proportion, wilson_interval

SCRIPT = "<script>window.hacked = true</script>"
HOSTILE = f"\"'></td></script>{SCRIPT}<img src=x onerror='window.hacked = true'>{{{{ 7 * 7 }}}}"
LONG = "a-name-without-a-space-that-goes-on-and-on-" * 3


def share(right: int, total: int) -> Proportion:
    found = proportion(right, total)
    assert found is not None
    return found


def make_job(**changes: object) -> JobFacts:
    job = JobFacts("pets", "ImageClassification", ("cat", "dog"), datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    return replace(job, **changes)


def make_labels(classes: tuple[str, ...] = ("cat", "dog")) -> LabelSummary:
    by_state = {LabelState.HUMAN: 40, LabelState.ACCEPTED: 50, LabelState.PREDICTED: 10}
    empty = dict.fromkeys(LabelState, 0)
    return LabelSummary(
        total=100,
        by_state=by_state,
        by_class=tuple(ClassCount(name, 100 // len(classes)) for name in classes),
        bins=(ConfidenceBin(0.0, 0.5, empty), ConfidenceBin(0.5, 1.0, by_state, share(9, 10))),
        mean_confidence=0.9,
    )


def make_report(**changes: object) -> ReportData:
    """Return the least report: no truth, no gold, one point."""
    report = ReportData(
        job=make_job(),
        labels=make_labels(),
        rounds=(RoundPoint(0, 120, 100, 0.9),),
        stop=Stop("VoteBudgetSpent"),
        cost=Cost(120),
    )
    return replace(report, **changes)


def make_annotator(name: str, *, accuracy: float = 0.8, votes: int = 100, bias: Bias | None = None) -> AnnotatorRow:
    interval = wilson_interval(accuracy * votes, votes)
    return AnnotatorRow(name, "crowd", votes, accuracy, 0.1, interval, bias, suspicion(interval, chance=0.1))


def make_hostile_report(n_classes: int = 20, n_annotators: int = 60) -> ReportData:
    """Return a report in which every text is an attack or very long, and every list is long."""
    classes = (HOSTILE, LONG, *(f"class {number}" for number in range(n_classes - 2)))
    counts = tuple(tuple(float((row * 7 + column) % 90) for column in range(n_classes)) for row in range(n_classes))
    votes = tuple(VoteShown(f"{LONG}{number}", HOSTILE) for number in range(8))
    item = HardItem(HOSTILE, HOSTILE, 0.4, LabelState.HUMAN, votes, HOSTILE, Preview(text=HOSTILE))
    points = tuple(
        RoundPoint(number, 300 * (number + 1), 900, 0.8, share(700 + 20 * number, 1000), share(60 + number, 100))
        for number in range(12)
    )
    return ReportData(
        job=make_job(name=HOSTILE, classes=classes, target=0.95),
        labels=make_labels(classes),
        rounds=points,
        stop=Stop(HOSTILE, HOSTILE),
        cost=Cost(3600, 123_456.789, HOSTILE, 4e6, 3e5, {HOSTILE: 0.0001}),
        accuracy=Accuracy(share(920, 1000), {LabelState.HUMAN: share(920, 1000)}),
        audit=share(88, 100),
        confusion=Confusion(ConfusionBasis.TRUTH, classes, counts),
        annotators=tuple(
            make_annotator(f"{HOSTILE}{LONG}{number}", accuracy=(number % 10) / 10, bias=Bias(HOSTILE, 0.2))
            for number in range(n_annotators)
        ),
        hard_items=(item, replace(item, item_id=LONG, label=LONG, truth=None, preview=Preview(), votes=())) * 6,
        item_errors=(ItemError(HOSTILE, "CorruptItem", HOSTILE), ItemError(LONG, "EmptyItem", LONG)),
        item_error_count=200,
        baseline=Curve(HOSTILE, (300, 3600), (0.7, 0.8)),
        provenance=Provenance(
            job_yaml=f"# {HOSTILE}\nname: {LONG * 3}\n",
            data_hash="0f" * 32,
            model_digest="1e" * 32,
            seeds={HOSTILE: 7},
            versions={"labelplane": HOSTILE, LONG: "1"},
            stages=(StageRow(0, HOSTILE, f"{LONG}/0/vote/1", 3725.0), StageRow(0, "Score", "x", None)),
        ),
    )
