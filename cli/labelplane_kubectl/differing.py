"""What changed between two rounds of a job."""

from collections.abc import Iterator, Sequence
from typing import Final

from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage, StageResult
from labelplane_cli.display import duration, gate_items
from labelplane_kubectl.columns import columns
from labelplane_kubectl.errors import NoSuchRound
from labelplane_kubectl.seen_job import SeenJob
from labelplane_kubectl.wording import kappa_text, percent, took
from labelplane_report.intervals import proportion

__all__ = ["diff_lines", "two_rounds"]

_NONE: Final = "-"
_SHOWN_DIGEST: Final = 12
_NUMBERS: Final = frozenset({1, 2})

Row = tuple[str, str, str, str]


def two_rounds(seen: SeenJob, numbers: Sequence[int]) -> tuple[RoundStatus, RoundStatus]:
    """Return the two rounds of these numbers, or the last two of the job.

    Raises:
        NoSuchRound: the status does not list them.
    """
    rounds = seen.status.rounds
    if not numbers:
        if len(rounds) < 2:
            many = f"{len(rounds)} round{'s' if len(rounds) != 1 else ''}"
            raise NoSuchRound(f"{seen.name} has {many} so far: two are needed to tell what changed")
        return rounds[-2], rounds[-1]
    first, second = (_round(seen, number) for number in numbers)
    return first, second


def diff_lines(status: LabelingJobStatus, before: RoundStatus, after: RoundStatus) -> list[str]:
    """Return a line for each figure of two rounds, under headings."""
    rows = [("", f"round {before.round}", f"round {after.round}", "change"), *_rows(status, before, after)]
    return columns(rows, right=_NUMBERS)


def _round(seen: SeenJob, number: int) -> RoundStatus:
    found = next((each for each in seen.status.rounds if each.round == number), None)
    if found is not None:
        return found
    if not seen.status.rounds:
        raise NoSuchRound(f"{seen.name} has no round yet")
    first, last = seen.status.rounds[0].round, seen.status.rounds[-1].round
    report = "; the report has all of them" if number < first else ""
    raise NoSuchRound(f"{seen.name} has no round {number} in its status: give numbers from {first} to {last}{report}")


def _rows(status: LabelingJobStatus, before: RoundStatus, after: RoundStatus) -> Iterator[Row]:
    yield _counts("votes", before.votes, after.votes)
    yield _counts("labelled", before.labelled, after.labelled)
    yield _counts("asked about", _asked(before), _asked(after))
    yield _accuracies(status, before, after)
    yield _kappas(before, after)
    yield _models(before, after)
    for stage in Stage:
        if any(stage in each.stages or stage in each.skipped for each in (before, after)):
            yield _times(stage, before, after)


def _counts(name: str, before: int | None, after: int | None) -> Row:
    change = _NONE if before is None or after is None else f"{after - before:+,}"
    return (name, _count(before), _count(after), change)


def _count(value: int | None) -> str:
    return _NONE if value is None else f"{value:,}"


def _asked(each: RoundStatus) -> int | None:
    select = each.stages.get(Stage.SELECT)
    return None if select is None else int(select.figures.get("selected", 0.0))


def _accuracies(status: LabelingJobStatus, before: RoundStatus, after: RoundStatus) -> Row:
    """Return the row of the accuracy; a change below what chance does on so few gold items is called so."""
    change = _NONE
    if before.accuracy is not None and after.accuracy is not None:
        points = 100 * (after.accuracy - before.accuracy)
        change = f"{points:+.1f} points"
        half = _half_interval(after.accuracy, of=gate_items(after, status))
        if points and half is not None and abs(points) < half:
            change = f"{change} (± {half:.1f}: may be chance)"
    return ("model right", percent(before.accuracy), percent(after.accuracy), change)


def _half_interval(accuracy: float, *, of: int) -> float | None:
    counted = proportion(round(accuracy * of), of)
    return None if counted is None else 50 * (counted.interval.high - counted.interval.low)


def _kappas(before: RoundStatus, after: RoundStatus) -> Row:
    earlier, later = before.prediction_agreement, after.prediction_agreement
    change = _NONE if earlier is None or later is None else f"{later - earlier:+.2f}"
    return ("kappa with the round before", kappa_text(earlier), kappa_text(later), change)


def _models(before: RoundStatus, after: RoundStatus) -> Row:
    earlier, later = (_digest(each.stages.get(Stage.TRAIN)) for each in (before, after))
    if _NONE in {earlier, later}:
        return ("student trained", earlier, later, _NONE)
    return ("student trained", earlier, later, "the same" if earlier == later else "another")


def _digest(train: StageResult | None) -> str:
    reference = train.results.get("model", "") if train else ""
    return reference.rstrip("/").rpartition("/")[2][:_SHOWN_DIGEST] or _NONE


def _times(stage: Stage, before: RoundStatus, after: RoundStatus) -> Row:
    earlier, later = took(before.stages.get(stage)), took(after.stages.get(stage))
    change = _NONE if earlier is None or later is None else _signed(later - earlier)
    return (f"time of {stage}", _time(stage, before), _time(stage, after), change)


def _time(stage: Stage, each: RoundStatus) -> str:
    if stage in each.skipped:
        return "skipped"
    seconds = took(each.stages.get(stage))
    return _NONE if seconds is None else duration(seconds)


def _signed(seconds: float) -> str:
    return f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"
