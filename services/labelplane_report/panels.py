"""The report's panels: each makes a section of the page from the data, or nothing where there is nothing to show."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from labelplane_report import wording
from labelplane_report.charts import Chart, accuracy_chart, confidence_chart, votes_chart, votes_to_reach
from labelplane_report.data import Confusion, ConfusionBasis, Provenance, ReportData, Suspicion
from labelplane_report.errors import UnknownPanel

__all__ = ["STANDARD_PANELS", "PanelBuilder", "Section", "chosen_sections"]

MATRIX_CLASSES = 20
"""Classes up to which the confusion matrix is drawn; with more, its largest cells are listed."""

_SHADES = 9
_ROWS_SHOWN = 30
_ROWS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        title: Its heading.
        lead: What is to be seen in it, in a sentence or two.
        template: The template that draws it, a name below `templates/`.
        charts: Its charts, drawn by the script by their ids.
        content: What the template reads as `content`.
    """

    title: str
    lead: str
    template: str
    charts: tuple[Chart, ...] = ()
    content: Mapping[str, object] = field(default_factory=dict)


PanelBuilder = Callable[[ReportData], Section | None]
"""Makes a section of the data; None when the data has nothing for it."""


def chosen_sections(data: ReportData, panels: Mapping[str, PanelBuilder]) -> dict[str, Section]:
    """Return the sections of the job's panels by name, in order, without empty ones; all when it names none.

    Raises:
        UnknownPanel: The job names a panel that `panels` does not have.
    """
    unknown = [name for name in data.job.panels if name not in panels]
    if unknown:
        raise UnknownPanel(f"no panel is named {unknown[0]!r}; there are {', '.join(sorted(panels))}")
    built = {name: panels[name](data) for name in data.job.panels or tuple(panels)}
    return {name: section for name, section in built.items() if section is not None}


def accuracy_panel(data: ReportData) -> Section | None:
    """Return accuracy over votes."""
    if not data.rounds:
        return None
    lead = " ".join((_accuracy_lead(data), _baseline_lead(data))).strip()
    return Section("Accuracy over votes", lead, "panels/chart.html.j2", (accuracy_chart(data),))


def confidence_panel(data: ReportData) -> Section | None:
    """Return the confidence of the labels and how often each class was given."""
    if not data.labels.total:
        return None
    most = max(max(count.labels, count.truth or 0) for count in data.labels.by_class)
    lead = f"The mean confidence is {wording.percent(data.labels.mean_confidence)}."
    return Section(
        "Labels and their confidence",
        f"{lead} The bins are finer near one, where the labels of a job that went well are.",
        "panels/confidence.html.j2",
        (confidence_chart(data),),
        {"classes": data.labels.by_class, "most": max(most, 1)},
    )


def confusion_panel(data: ReportData) -> Section | None:
    """Return the confusion matrix and its largest errors."""
    matrix = data.confusion
    if matrix is None:
        return None
    leads = {
        ConfusionBasis.TRUTH: "Rows are the truth of the items outside gold, columns their labels.",
        ConfusionBasis.AUDIT_GOLD: "Rows are the classes of the audit gold, columns its labels.",
        ConfusionBasis.EXPECTED: "No truth is known: rows are what the posteriors expect, columns the labels.",
    }
    content = {
        "rows": _matrix_rows(matrix) if len(matrix.classes) <= MATRIX_CLASSES else (),
        "classes": matrix.classes,
        "pairs": _confused_pairs(matrix),
        "is_expected": matrix.basis is ConfusionBasis.EXPECTED,
    }
    return Section("Confusions", leads[matrix.basis], "panels/confusion.html.j2", content=content)


def reliabilities_panel(data: ReportData) -> Section | None:
    """Return what was learned about each annotator."""
    rows = data.annotators
    if not rows:
        return None
    random = sum(row.suspicion is Suspicion.RANDOM for row in rows)
    found = f" {wording.count_of(random, 'annotator answers', 'annotators answer')} at random." if random else ""
    content = {
        "shown": rows[:_ROWS_SHOWN],
        "hidden": rows[_ROWS_SHOWN:_ROWS_KEPT],
        "left_out": max(len(rows) - _ROWS_KEPT, 0),
        "place": _place,
    }
    lead = f"How often each annotator is right, as truth inference estimates it, with the 95 % interval.{found}"
    if data.choice:
        lead += f" The model of annotators that weighed most is {data.choice}."
    return Section("Annotators", lead, "panels/reliabilities.html.j2", content=content)


def rules_panel(data: ReportData) -> Section | None:
    """Return how each rule and knowledge base does."""
    rows = data.rules
    if not rows:
        return None
    silent = sum(not row.hits for row in rows)
    told = f" {wording.count_of(silent, 'of them never votes', 'of them never vote')}." if silent else ""
    count = wording.count_of(len(rows), "rule or knowledge base", "rules and knowledge bases")
    lead = (
        f"{count} voted: how many items each covers, how it agrees with the others, and how often it is right, as "
        f"truth inference estimates it and as gate gold measures it.{told}"
    )
    content = {"shown": rows[:_ROWS_SHOWN], "hidden": rows[_ROWS_SHOWN:_ROWS_KEPT]}
    return Section("Rules and knowledge bases", lead, "panels/rules.html.j2", content=content)


def hardest_items_panel(data: ReportData) -> Section | None:
    """Return the least sure labels, and the items that could not be used."""
    if not data.hard_items and not data.item_error_count:
        return None
    known = [item for item in data.hard_items if item.truth is not None]
    right = sum(item.label == item.truth for item in known)
    lead = f"The {wording.count_of(len(data.hard_items), 'label')} with the least confidence: look here first."
    if known:
        lead += f" {wording.digits(right)} of {wording.digits(len(known))} whose truth is known are right."
    content = {"items": data.hard_items, "errors": data.item_errors, "error_count": data.item_error_count}
    return Section("Hardest items", lead if data.hard_items else "", "panels/hardest-items.html.j2", content=content)


def cost_panel(data: ReportData) -> Section:
    """Return what it took."""
    chart = votes_chart(data)
    return Section(
        "Cost",
        wording.cost_sentence(data.cost, data.labels.total),
        "panels/cost.html.j2",
        () if chart is None else (chart,),
        {"cost": data.cost, "labels": data.labels.total},
    )


def provenance_panel(data: ReportData) -> Section | None:
    """Return how to make the labels again."""
    if data.provenance == Provenance():
        return None
    lead = "The job, its seeds and the operations whose results the labels rest on: enough to run every round again."
    return Section("Provenance", lead, "panels/provenance.html.j2", content={"provenance": data.provenance})


STANDARD_PANELS: Mapping[str, PanelBuilder] = MappingProxyType(
    {
        "accuracy": accuracy_panel,
        "confidence": confidence_panel,
        "confusion": confusion_panel,
        "reliabilities": reliabilities_panel,
        "rules": rules_panel,
        "hardest-items": hardest_items_panel,
        "cost": cost_panel,
        "provenance": provenance_panel,
    }
)
"""The panels of classification by the names that task kinds list; others are added by `{**STANDARD_PANELS, ...}`."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """One cell of the matrix: its text, its colour's name and what it says in words."""

    text: str
    shade: str
    title: str


@dataclass(frozen=True, slots=True)
class _MatrixRow:
    """One row of the matrix; `right` is the share on its diagonal."""

    name: str
    cells: tuple[_Cell, ...]
    right: str


def _matrix_rows(matrix: Confusion) -> tuple[_MatrixRow, ...]:
    rows = []
    for place, (name, counts) in enumerate(zip(matrix.classes, matrix.counts, strict=True)):
        total = sum(counts)
        cells = tuple(
            _Cell(
                text=wording.digits(round(count, 1)),
                shade=_shade(count / total if total else 0.0, is_right=column == place),
                title=f"{wording.digits(round(count, 1))} of class {name} labelled {matrix.classes[column]}",
            )
            for column, count in enumerate(counts)
        )
        rows.append(_MatrixRow(name, cells, wording.percent(counts[place] / total if total else None)))
    return tuple(rows)


def _shade(share: float, *, is_right: bool) -> str:
    """Return the colour's name; errors are drawn by the square root of their share, so that few are seen, too."""
    level = math.ceil((share if is_right else math.sqrt(share)) * _SHADES)
    return f"{'right' if is_right else 'wrong'}-{level}" if level else "none"


def _confused_pairs(matrix: Confusion) -> list[tuple[str, str, str]]:
    pairs = [
        (count, matrix.classes[row], matrix.classes[column])
        for row, counts in enumerate(matrix.counts)
        for column, count in enumerate(counts)
        if row != column and count >= (0.5 if matrix.basis is ConfusionBasis.EXPECTED else 1)
    ]
    largest = sorted(pairs, key=lambda pair: -pair[0])[:10]
    return [(wording.digits(round(count, 1)), truth, label) for count, truth, label in largest]


def _accuracy_lead(data: ReportData) -> str:
    if any(point.truth or point.gate for point in data.rounds):
        band = "The band is the 95 % interval." if any(point.truth for point in data.rounds) else ""
        return f"{band} An item without a label counts as not right." if band else "Measured on gate gold."
    return "Neither truth nor gold: all there is to draw is what the labels claim of themselves."


def _baseline_lead(data: ReportData) -> str:
    """Say how many votes random selection took for the accuracy that the labels have."""
    last = data.rounds[-1]
    if data.baseline is None or last.truth is None or not last.votes:
        return ""
    needed = votes_to_reach(data.baseline, last.truth.share)
    name, share = data.baseline.name, wording.percent(last.truth.share)
    if needed is None:
        most = wording.count_of(max(data.baseline.votes, default=0), "vote")
        return f"{name} did not reach {share} with {most}."
    spared = f"{100 * last.votes / needed:.0f} % of them" if needed else "none"
    return f"{name} needed {wording.count_of(round(needed), 'vote')} for {share}; this job took {spared}."


def _place(share: float) -> str:
    """Return a share's place in a drawing that is as wide as all."""
    return f"{100 * share:.2f}%"
