"""Figures of a job in the few words of a column or a line."""

from datetime import datetime

from labelplane_api.status import LabelingJobStatus, StageResult
from labelplane_cli.display import money
from labelplane_kubectl.seen_job import SeenJob

__all__ = [
    "age",
    "kappa_text",
    "labels_text",
    "money_text",
    "percent",
    "percent_done",
    "round_text",
    "took",
    "votes_text",
]

NONE = "-"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(since: datetime | None, *, now: datetime) -> str:
    """Return how long ago something was, as kubectl writes it."""
    if since is None:
        return NONE
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return NONE if value is None else f"{100 * value:.1f} %"


def kappa_text(value: float | None) -> str:
    """Return an agreement."""
    return NONE if value is None else f"{value:.2f}"


def percent_done(status: LabelingJobStatus) -> str:
    """Return how much of the running stage is done, empty where that is not known."""
    operation = status.operation
    if operation is None or not operation.total:
        return ""
    return f"{100 * operation.done // operation.total} %"


def round_text(seen: SeenJob) -> str:
    """Return the present round and the most there are."""
    if not seen.status.rounds:
        return NONE
    number = seen.status.rounds[-1].round
    return f"{number}" if seen.job is None else f"{number}/{seen.job.spec.stop.max_rounds}"


def labels_text(status: LabelingJobStatus) -> str:
    """Return how many of the items people have decided."""
    items = status.progress.items or (status.prepare.items if status.prepare else 0)
    return f"{status.progress.labelled:,}/{items:,}" if items else NONE


def votes_text(seen: SeenJob) -> str:
    """Return the votes that came, of those that the budget has."""
    votes = max(seen.status.progress.votes, seen.status.cost.votes)
    bound = seen.job.spec.budget.votes if seen.job else None
    return f"{votes:,}" if bound is None else f"{votes:,}/{bound:,}"


def money_text(seen: SeenJob) -> str:
    """Return what was spent, of what may be."""
    cost = seen.status.cost
    bound = seen.job.spec.budget.money if seen.job else None
    if bound is None:
        return money(cost.money, cost.currency) if cost.money else NONE
    return f"{money(cost.money, cost.currency)}/{money(bound, cost.currency)}"


def took(result: StageResult | None) -> float | None:
    """Return how many seconds a stage took, None where that is not known."""
    if result is None or result.started_at is None or result.finished_at is None:
        return None
    return max(0.0, (result.finished_at - result.started_at).total_seconds())
