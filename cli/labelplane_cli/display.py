"""What a run looks like: a pure function of the job, its status and the time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labelplane_api.conditions import ConditionType, Reason, find_condition, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.sources import Connector
from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage
from labelplane_cli.forecast import seconds_left
from labelplane_cli.terminal import one_line
from labelplane_report.intervals import proportion

__all__ = [
    "Activity",
    "RunView",
    "duration",
    "finished_rounds",
    "gate_items",
    "live_frame",
    "money",
    "round_line",
    "share",
    "view_of",
]

_BAR_WIDTH: Final = 24
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£"}
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Activity:
    """What goes on now.

    Attributes:
        name: the stage, or who is waited for.
        done: how much of it is done, in unit.
        total: how much there is to do; 0 while unknown.
        unit: what done and total count.
    """

    name: str
    done: int = 0
    total: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class RunView:
    """What a person sees of a run.

    Attributes:
        round: the present round; None before the first.
        max_rounds: the most rounds.
        activity: what goes on now.
        facts: short texts, the most important first.
        note: what is wrong just now, empty when nothing is.
    """

    round: int | None
    max_rounds: int
    activity: Activity
    facts: tuple[str, ...] = ()
    note: str = ""


def view_of(job: LabelingJob, *, now: datetime) -> RunView:
    """Return what to show of a job as its status says it stands."""
    status = job.status
    facts = (_votes(job), _accuracy(status), _cost(job), _time_left(job, now=now))
    return RunView(
        round=status.rounds[-1].round if status.rounds else None,
        max_rounds=job.spec.stop.max_rounds,
        activity=_activity(job),
        facts=tuple(fact for fact in facts if fact),
        note=_note(status),
    )


def live_frame(view: RunView, *, seconds: float) -> RenderableType:
    """Return the moving lines; `seconds` is any growing time, it moves the bar of what has no known end."""
    activity = view.activity
    grid = Table.grid(padding=(0, 2))
    bar = ProgressBar(
        total=activity.total or None,
        completed=activity.done,
        width=_BAR_WIDTH,
        pulse=not activity.total,
        animation_time=seconds,
    )
    grid.add_row(f"  {_round_text(view)}", Text(activity.name, style="bold"), bar, Text(_count(activity), style="dim"))
    lines: list[RenderableType] = [grid]
    if view.facts:
        lines.append(Text(f"  {'   '.join(view.facts)}"))
    if view.note:
        lines.append(Text(f"  {view.note}", style="yellow"))
    return Group(*lines)


def finished_rounds(job: LabelingJob) -> list[RoundStatus]:
    """Return the rounds that are over: those that ended, and the last one once the job is concluded."""
    is_over = is_true(job.status.conditions, ConditionType.COMPLETE)
    return [each for each in job.status.rounds if each.finished_at is not None or is_over]


def round_line(job: LabelingJob, finished: RoundStatus) -> str:
    """Return the one line that stays of a finished round: what was known at its beginning and what it asked for."""
    parts = [f"round {finished.round:>2}", f"{finished.votes:>6,} votes", f"{finished.labelled:>6,} labelled"]
    if finished.accuracy is not None:
        parts.append(f"model right {share(finished.accuracy, of=gate_items(finished, job.status))}")
    elif Stage.TRAIN in finished.skipped:
        parts.append("no model yet: a class has too few labels")
    select = finished.stages.get(Stage.SELECT)
    asked = int(select.figures.get("selected", 0.0)) if select else 0
    if asked:
        parts.append(f"asks about {asked:,} items")
    return f"  {'   '.join(parts)}"


def share(value: float, *, of: int) -> str:
    """Return a share on gate gold in percent, with half of its 95 % interval (Wilson); without, of held-out labels."""
    counted = proportion(round(value * of), of)
    if counted is None:
        return f"{100 * value:.1f} % (held-out labels)"
    half = 50 * (counted.interval.high - counted.interval.low)
    return f"{100 * value:.1f} % (gate gold, ± {half:.1f})"


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if round(seconds) < _MINUTE:
        return f"{seconds:.0f} s"
    if round(seconds / _MINUTE) < _HOUR // _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def money(amount: float, currency: str) -> str:
    """Return an amount with its currency."""
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{amount:,.2f}" if symbol else f"{amount:,.2f} {currency}"


def _round_text(view: RunView) -> str:
    return "starting" if view.round is None else f"round {view.round}/{view.max_rounds}"


def _count(activity: Activity) -> str:
    if not activity.total:
        return ""
    return f"{activity.done:,}/{activity.total:,} {activity.unit}".rstrip()


def _activity(job: LabelingJob) -> Activity:
    status = job.status
    if is_true(status.conditions, ConditionType.COMPLETE):
        return Activity("Complete", 1, 1)
    if status.operation is not None:
        operation = status.operation
        return Activity(operation.stage.value, operation.done, operation.total, operation.unit)
    if not is_true(status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS):
        return Activity("Starting")
    wanted = _votes_asked(status)
    done = max(0, wanted - status.progress.votes_wanted)
    return Activity(f"Waiting for {_who(job)}", done, wanted, "votes")


def _who(job: LabelingJob) -> str:
    humans = job.spec.sources.humans
    is_simulated = humans is not None and humans.connector is Connector.SIMULATED
    return "the simulated crowd" if is_simulated else "people"


def _votes_asked(status: LabelingJobStatus) -> int:
    review = status.rounds[-1].stages.get(Stage.REVIEW) if status.rounds else None
    return int(review.figures.get("votes_wanted", 0.0)) if review else 0


def _votes(job: LabelingJob) -> str:
    votes = max(job.status.progress.votes, job.status.cost.votes)
    budget = job.spec.budget.votes
    if job.status.prepare is None:
        return ""
    return f"votes {votes:,}" if budget is None else f"votes {votes:,}/{budget:,}"


def _accuracy(status: LabelingJobStatus) -> str:
    if status.model is None or status.model.accuracy is None:
        return ""
    trained = next((each for each in status.rounds if each.round == status.model.round), None)
    return f"model right {share(status.model.accuracy, of=gate_items(trained, status))}"


def gate_items(trained: RoundStatus | None, status: LabelingJobStatus) -> int:
    """Return on how many gold items a round's model was measured."""
    train = trained.stages.get(Stage.TRAIN) if trained else None
    counted = int(train.figures.get("gate_items", 0.0)) if train else 0
    return counted or (status.prepare.gold_gate if status.prepare else 0)


def _cost(job: LabelingJob) -> str:
    cost, bound = job.status.cost, job.spec.budget.money
    if not cost.money and bound is None:
        return ""
    spent = money(cost.money, cost.currency)
    return f"cost {spent}" if bound is None else f"cost {spent} of {money(bound, cost.currency)}"


def _time_left(job: LabelingJob, *, now: datetime) -> str:
    """Return how long the rest takes; nobody knows how long people take."""
    humans = job.spec.sources.humans
    if humans is None or humans.connector is not Connector.SIMULATED:
        return ""
    seconds = seconds_left(job, job.status, now=now)
    return "" if seconds is None or job.status.finished_at else f"about {duration(seconds)} left"


def _note(status: LabelingJobStatus) -> str:
    progressing = find_condition(status.conditions, ConditionType.PROGRESSING)
    if progressing is None or progressing.reason not in {Reason.STAGE_RETRYING, Reason.DEPENDENCY_UNAVAILABLE}:
        return ""
    return one_line(progressing.message)
