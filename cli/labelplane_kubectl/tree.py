"""One job at length: where it stands, what it has cost, what is wrong, its rounds, and what runs for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labelplane_api.conditions import Condition
from labelplane_api.status import RoundStatus, Stage
from labelplane_cli.display import duration, gate_items, money, share
from labelplane_cli.terminal import one_line
from labelplane_kubectl.columns import columns
from labelplane_kubectl.pressing import Weight, pressing, weight
from labelplane_kubectl.seen_job import SeenJob
from labelplane_kubectl.wording import age, kappa_text, percent, round_text, took
from labelplane_kubectl.workloads import Pod, Workload
from labelplane_operator.policies.deadlines import worked_seconds

__all__ = ["JobView", "tree"]

_BAR_WIDTH: Final = 24
_LABEL_WIDTH: Final = 9
_STYLES: Final = {Weight.WRONG: "red", Weight.WARNING: "yellow", Weight.TOLD: ""}
_ROUND_HEADINGS: Final = ("ROUND", "VOTES", "LABELLED", "RIGHT", "KAPPA", "ASKED", "TRAIN", "TOOK")


@dataclass(frozen=True, slots=True)
class JobView:
    """What is shown of a job.

    Attributes:
        seen: the job.
        workloads: what runs for it.
        hindrance: why its Deployments and pods could not be read; empty when they were.
    """

    seen: SeenJob
    workloads: Sequence[Workload] = ()
    hindrance: str = ""


def tree(view: JobView, *, now: datetime, with_bar: bool) -> list[RenderableType]:
    """Return the lines of a job; `with_bar` draws how far its stage is, which only a terminal shows well."""
    seen = view.seen
    lines: list[RenderableType] = [_head(seen, now=now), _stage(seen, with_bar=with_bar)]
    lines += [Text(f"  {label:<{_LABEL_WIDTH}}  {text}") for label, text in _facts(seen, now=now) if text]
    for each in pressing(seen.status.conditions):
        lines += _condition(each)
    if seen.status.rounds:
        lines += ["", *_rounds(seen)]
    return [*lines, *_running(view)]


# -- what is the case -------------------------------------------------------------------------------------------------


def _head(seen: SeenJob, *, now: datetime) -> Text:
    head = Text(seen.name, style="bold")
    profile = f"   profile {seen.status.profile}" if seen.status.profile else ""
    head.append(f"   namespace {seen.namespace}{profile}   age {age(seen.created, now=now)}", style="not bold dim")
    return head


def _stage(seen: SeenJob, *, with_bar: bool) -> RenderableType:
    operation = seen.status.operation
    is_running = operation is not None and operation.total > 0 and seen.stage == operation.stage
    count = f"{operation.done:,}/{operation.total:,} {operation.unit}".rstrip() if operation and is_running else ""
    words = f"  {seen.stage:<{_LABEL_WIDTH}}  {f'round {round_text(seen)}' if seen.status.rounds else ''}"
    if not with_bar or not is_running or operation is None:
        return Text(f"{words}   {count}".rstrip())
    grid = Table.grid(padding=(0, 2))
    grid.add_row(words, ProgressBar(total=operation.total, completed=operation.done, width=_BAR_WIDTH), count)
    return grid


def _facts(seen: SeenJob, *, now: datetime) -> Iterator[tuple[str, str]]:
    yield "labels", _labels(seen)
    yield "model", _model(seen)
    yield "votes", _votes(seen)
    yield "cost", _cost(seen)
    yield "work", _work(seen, now=now)


def _labels(seen: SeenJob) -> str:
    progress, prepare = seen.status.progress, seen.status.prepare
    items = progress.items or (prepare.items if prepare else 0)
    if not items:
        return ""
    accepted = f"; {progress.accepted:,} accepted by the machine" if progress.accepted else ""
    return f"{progress.labelled:,} of {items:,} items decided by people{accepted}"


def _model(seen: SeenJob) -> str:
    model = seen.status.model
    if model is None:
        return ""
    trained = next((each for each in seen.status.rounds if each.round == model.round), None)
    right = "" if model.accuracy is None else f"right {share(model.accuracy, of=gate_items(trained, seen.status))}, "
    return f"{right}trained in round {model.round}"


def _votes(seen: SeenJob) -> str:
    progress, bound = seen.status.progress, seen.job.spec.budget.votes if seen.job else None
    parts = [f"{max(progress.votes, seen.status.cost.votes):,}" + (f" of {bound:,}" if bound is not None else "")]
    parts += [f"{progress.votes_wanted:,} still wanted in this round"] if progress.votes_wanted else []
    parts += [f"{progress.votes_set_aside:,} could not be read"] if progress.votes_set_aside else []
    return ", ".join(parts)


def _cost(seen: SeenJob) -> str:
    cost, bound = seen.status.cost, seen.job.spec.budget.money if seen.job else None
    parts = []
    if cost.money or bound is not None:
        limit = "" if bound is None else f" of {money(bound, cost.currency)}"
        parts.append(money(cost.money, cost.currency) + limit)
    parts += [f"CPU {duration(cost.cpu_seconds)}"] if cost.cpu_seconds else []
    parts += [f"GPU {duration(cost.gpu_seconds)}"] if cost.gpu_seconds else []
    return ", ".join(parts)


def _work(seen: SeenJob, *, now: datetime) -> str:
    status, bound = seen.status, seen.job.spec.run.active_deadline_seconds if seen.job else None
    if status.started_at is None:
        return ""
    limit = "" if bound is None else f" of {duration(bound)} at most"
    end = "" if status.finished_at is None else f", finished {age(status.finished_at, now=now)} ago"
    return f"{duration(worked_seconds(status, now=now))}{limit}, begun {age(status.started_at, now=now)} ago{end}"


# -- what matters -----------------------------------------------------------------------------------------------------


def _condition(condition: Condition) -> list[RenderableType]:
    found = weight(condition)
    assert found is not None  # `pressing` gives no other
    mark = "-" if found is Weight.TOLD else "!"
    head = f"{mark} {condition.type} is {condition.status}: {condition.reason}"
    lines: list[RenderableType] = ["", Text(f"  {head}", style=_STYLES[found])]
    return [*lines, Text(f"    {one_line(condition.message)}")] if condition.message else lines


def _rounds(seen: SeenJob) -> list[RenderableType]:
    rows = [_ROUND_HEADINGS, *(_round(each) for each in seen.status.rounds)]
    head, *lines = columns(rows, right=range(len(_ROUND_HEADINGS)))
    return [Text(f"  {head}", style="dim"), *(Text(f"  {line}") for line in lines)]


def _round(each: RoundStatus) -> tuple[str, ...]:
    select, train = each.stages.get(Stage.SELECT), took(each.stages.get(Stage.TRAIN))
    whole = None
    if each.started_at and each.finished_at:
        whole = (each.finished_at - each.started_at).total_seconds()
    return (
        str(each.round),
        f"{each.votes:,}",
        f"{each.labelled:,}",
        percent(each.accuracy),
        kappa_text(each.prediction_agreement),
        "-" if select is None else f"{int(select.figures.get('selected', 0)):,}",
        "skipped" if Stage.TRAIN in each.skipped else "-" if train is None else duration(train),
        "-" if whole is None else duration(whole),
    )


# -- what runs --------------------------------------------------------------------------------------------------------


def _running(view: JobView) -> list[RenderableType]:
    if view.hindrance:
        return ["", Text(f"  its pods cannot be read: {one_line(view.hindrance)}", style="yellow")]
    if not view.workloads:
        return ["", Text("  no Deployment and no pod of it is there")]
    lines: list[RenderableType] = [""]
    for each in view.workloads:
        head = (
            f"Deployment {each.name}   {each.ready} of {each.wanted} ready"
            if each.name
            else "pods without a Deployment"
        )
        lines.append(Text(f"  {head}"))
        last = len(each.pods) - 1
        lines += [
            Text(f"  {'└─' if place == last else '├─'} {_pod(pod)}", style=_pod_style(pod))
            for place, pod in enumerate(each.pods)
        ]
    return lines


def _pod(pod: Pod) -> str:
    containers = ", ".join(
        f"{each.name} {each.state}" + (f" ({each.restarts} restarts)" if each.restarts else "")
        for each in pod.containers
    )
    return f"pod {pod.name}   {pod.state}" + (f"   {containers}" if containers else "")


def _pod_style(pod: Pod) -> str:
    is_well = pod.state in {"Running", "Succeeded", "Terminating"} and all(
        each.state in {"ready", "running"} or each.state.endswith("(Completed 0)") for each in pod.containers
    )
    return "" if is_well else "yellow"
