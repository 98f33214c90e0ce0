"""What the charts draw, without a colour or a pixel: the page's script turns it into Chart.js settings."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from labelplane_report.data import ConfidenceBin, Curve, LabelState, Proportion, ReportData, RoundPoint
from labelplane_report.wording import digits, interval, percent

__all__ = ["Chart", "ChartKind", "Series", "accuracy_chart", "confidence_chart", "votes_chart", "votes_to_reach"]

_LEAST_POINTS = 2


class ChartKind(StrEnum):
    """How a chart's values are drawn."""

    LINES = "lines"
    BARS = "bars"


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one colour of stacked bars.

    Attributes:
        name: What it is, as the legend says.
        role: The name of its colour in the style sheet.
        values: Its heights; None where nothing is known.
        places: Where each value stands on the x axis; empty for bars, which stand at the chart's categories.
        low: Lower bounds of a band, as many as values, or none.
        high: Upper bounds of a band, as many as values, or none.
        is_dashed: Drawn dashed, so that it is told from others without colour.
    """

    name: str
    role: str
    values: tuple[float | None, ...]
    places: tuple[float, ...] = ()
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture and the table that says the same.

    Attributes:
        id: Unique in the page; letters and hyphens.
        kind: How the values are drawn.
        label: What the picture shows, for those who do not see it.
        x_title: What the x axis counts.
        y_title: What the y axis counts.
        series: What is drawn, the most important first.
        categories: Names below bars.
        is_share: The y axis is a share, written in percent.
        header: The table's column names.
        rows: The table's cells.
    """

    id: str
    kind: ChartKind
    label: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    categories: tuple[str, ...] = ()
    is_share: bool = False
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what the page's script reads; the table stands in the page already."""
        record = asdict(self)
        return {key: record[key] for key in record if key not in {"header", "rows", "label"}}


def accuracy_chart(data: ReportData) -> Chart:
    """Return accuracy over votes with what is known: truth and its band, gate gold, confidence, random, target."""
    points = data.rounds
    series = [
        _measured_line("Right, against the truth", "accent", [(p.votes, p.truth) for p in points]),
        _measured_line("Right, on gate gold (model alone)", "accepted", [(p.votes, p.gate) for p in points]),
        _line("Mean confidence", "muted", [(p.votes, p.mean_confidence) for p in points], is_dashed=True),
    ]
    if data.baseline is not None:
        series.append(_baseline(data.baseline))
    if data.job.target is not None:
        last = max([p.votes for p in points] + list(data.baseline.votes if data.baseline else ()))
        series.append(_line("Target", "target", [(0, data.job.target), (last, data.job.target)], is_dashed=True))
    drawn = tuple(line for line in series if any(value is not None for value in line.values))
    return Chart(
        id="accuracy-over-votes",
        kind=ChartKind.LINES,
        label=f"Accuracy over votes: {', '.join(line.name for line in drawn)}. The table below has the numbers.",
        x_title="votes",
        y_title="share of items",
        series=drawn,
        is_share=True,
        header=("Round", "Votes", "Items labelled", "Right, truth", "95 % interval", "Right, gate", "Confidence"),
        rows=tuple(_round_row(point, is_last=point is points[-1]) for point in points),
    )


def confidence_chart(data: ReportData) -> Chart:
    """Return how many labels there are of each confidence, by state."""
    bins = data.labels.bins
    states = [state for state in LabelState if data.labels.by_state[state]]
    categories = tuple(_bin_name(part, is_last=part is bins[-1]) for part in bins)
    return Chart(
        id="label-confidence",
        kind=ChartKind.BARS,
        label="Stacked bars: number of labels by confidence and state. The table below has the numbers.",
        x_title="confidence",
        y_title="labels",
        series=tuple(Series(str(s), str(s), tuple(float(part.counts[s]) for part in bins)) for s in states),
        categories=categories,
        header=("Confidence", *(str(state) for state in states), "Right where known"),
        rows=tuple(
            (name, *(digits(part.counts[state]) for state in states), _share_of(part.right))
            for name, part in zip(categories, bins, strict=True)
        ),
    )


def votes_chart(data: ReportData) -> Chart | None:
    """Return how many votes were bought before each round's aggregation; None when there was but one."""
    points = data.rounds
    if len(points) < _LEAST_POINTS:
        return None
    bought = [points[0].votes, *(after.votes - before.votes for before, after in pairwise(points))]
    if not bought[-1]:  # no vote came after the last round
        points, bought = points[:-1], bought[:-1]
    names = tuple("end" if point is data.rounds[-1] else str(point.number) for point in points)
    return Chart(
        id="votes-by-round",
        kind=ChartKind.BARS,
        label="Bars: votes that came in before each round. The table below has the numbers.",
        x_title="round",
        y_title="votes",
        series=(Series("votes", "human", tuple(float(count) for count in bought)),),
        categories=names,
        header=("Round", "Votes before it", "Votes in all"),
        rows=tuple(
            (name, digits(count), digits(point.votes)) for name, count, point in zip(names, bought, points, strict=True)
        ),
    )


def votes_to_reach(curve: Curve, accuracy: float) -> float | None:
    """Return after how many votes `curve` first reaches `accuracy`, on straight lines between points; None if never."""
    before: tuple[int, float] | None = None
    for votes, reached in zip(curve.votes, curve.accuracy, strict=True):
        if reached >= accuracy:
            if before is None or reached == before[1]:
                return float(votes)
            return before[0] + (votes - before[0]) * (accuracy - before[1]) / (reached - before[1])
        before = (votes, reached)
    return None


def _line(name: str, role: str, points: list[tuple[int, float | None]], *, is_dashed: bool = False) -> Series:
    places, values = tuple(float(votes) for votes, _ in points), tuple(value for _, value in points)
    return Series(name, role, values, places, is_dashed=is_dashed)


def _measured_line(name: str, role: str, points: list[tuple[int, Proportion | None]]) -> Series:
    return Series(
        name=name,
        role=role,
        values=tuple(None if part is None else part.share for _, part in points),
        places=tuple(float(votes) for votes, _ in points),
        low=tuple(None if part is None else part.interval.low for _, part in points),
        high=tuple(None if part is None else part.interval.high for _, part in points),
    )


def _baseline(curve: Curve) -> Series:
    points: list[tuple[int, float | None]] = list(zip(curve.votes, curve.accuracy, strict=True))
    return _line(curve.name, "baseline", points, is_dashed=True)


def _round_row(point: RoundPoint, *, is_last: bool) -> tuple[str, ...]:
    return (
        "end" if is_last else str(point.number),
        digits(point.votes),
        digits(point.labelled),
        percent(None if point.truth is None else point.truth.share),
        interval(None if point.truth is None else point.truth.interval),
        percent(None if point.gate is None else point.gate.share),
        percent(point.mean_confidence),
    )


def _bin_name(part: ConfidenceBin, *, is_last: bool) -> str:
    return f"{part.low:g}–{part.high:g}" if part.low else f"under {part.high:g}" if not is_last else "all"


def _share_of(part: Proportion | None) -> str:
    return "–" if part is None else f"{percent(part.share)} of {digits(part.total)}"
