"""Where a job stands, as a page shows it: a pure function of the job, its status and the people's counts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from labelplane_api.conditions import ConditionStatus, ConditionType, find_condition, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage
from labelplane_report.intervals import proportion
from labelplane_review.desk_client import Counts, PersonCounts

__all__ = [
    "LEAST_GOLD",
    "job_state",
    "job_view",
    "listed_view",
    "newest_posteriors",
    "newest_rules",
    "person_view",
    "stage_words",
    "standing_message",
    "told_counts",
]

LEAST_GOLD: Final = 5
"""Gold answers from which on a person's agreement is shown: fewer would tell which answer was wrong."""

_STAGE_WORDS: Final[Mapping[Stage, str]] = {
    Stage.PREPARE: "Reading the items",
    Stage.VOTE: "Collecting votes",
    Stage.AGGREGATE: "Weighing votes",
    Stage.TRAIN: "Training",
    Stage.SCORE: "Scoring",
    Stage.SELECT: "Choosing items",
    Stage.REVIEW: "Making tasks",
    Stage.FINALIZE: "Finishing",
}


def job_state(job: LabelingJob) -> str:
    """Return "running", "complete" or "failed"."""
    conditions = job.status.conditions
    if is_true(conditions, ConditionType.COMPLETE):
        return "complete"
    refused = find_condition(conditions, ConditionType.ACCEPTED)
    is_refused = refused is not None and refused.status is ConditionStatus.FALSE
    return "failed" if is_refused or is_true(conditions, ConditionType.FAILED) else "running"


def stage_words(job: LabelingJob) -> str:
    """Return what goes on now, in two or three words."""
    status = job.status
    state = job_state(job)
    if state != "running":
        return "Complete" if state == "complete" else "Failed"
    if status.operation is not None:
        return _STAGE_WORDS[status.operation.stage]
    is_waiting = is_true(status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS)
    return "Waiting for people" if is_waiting else "Starting"


def told_counts(job: LabelingJob) -> Counts:
    """Return the people's side as far as the status tells it, for a job whose services are not there to be asked."""
    progress = job.status.progress
    return Counts(
        tasks=0,
        tasks_open=0,
        votes=progress.votes,
        votes_missing=progress.votes_wanted,
        votes_set_aside=0,
        person=None,
    )


def listed_view(name: str, job: LabelingJob) -> dict[str, Any]:
    """Return what the list of jobs shows of one, as its status tells it without asking its services."""
    status = job.status
    return {
        "name": name,
        "path": quote(name),
        "stage": stage_words(job),
        "round": status.rounds[-1].round if status.rounds else None,
        "items": status.progress.items,
        "labelled": status.progress.labelled,
        "votes": status.progress.votes,
    }


def job_view(job: LabelingJob, counts: Counts, people: Sequence[PersonCounts]) -> dict[str, Any]:
    """Return everything that the page of a job shows, as JSON values."""
    status = job.status
    current = status.rounds[-1] if status.rounds else None
    return {
        "name": job.metadata.name,
        "state": job_state(job),
        "stage": stage_words(job),
        "message": standing_message(status),
        "round": current.round if current else None,
        "max_rounds": job.spec.stop.max_rounds,
        "items": status.progress.items,
        "labelled": status.progress.labelled,
        "accepted": status.progress.accepted,
        "tasks": counts.tasks,
        "tasks_open": counts.tasks_open,
        "votes": counts.votes,
        "votes_missing": counts.votes_missing,
        "votes_set_aside": counts.votes_set_aside,
        "curve": _curve(status),
        "cost": _cost(job),
        "agreement": _agreement(status),
        "people": [person_view(each, shows_agreement=True) for each in people],
        "posteriors": newest_posteriors(status),
        "rules": newest_rules(status)[1],
        "conflicts": counts.conflicts,
    }


def person_view(person: PersonCounts, *, shows_agreement: bool) -> dict[str, Any]:
    """Return a person's counts; agreement with gold is None unless it may be shown and says something."""
    share = None
    if shows_agreement and person.gold_answered >= LEAST_GOLD:
        share = person.gold_right / person.gold_answered
    return {
        "name": person.name,
        "votes": person.votes,
        "skips": person.skips,
        "seconds_per_vote": person.seconds_per_vote,
        "agreement": share,
        "gold_answered": person.gold_answered if share is not None else None,
        "last_seen": person.last_seen.isoformat() if person.last_seen else None,
    }


def newest_posteriors(status: LabelingJobStatus) -> str:
    """Return the reference of the newest posteriors, empty before there are any."""
    for each in reversed(status.rounds):
        if Stage.AGGREGATE in each.stages:
            return each.stages[Stage.AGGREGATE].results.get("posteriors", "")
    return ""


def newest_rules(status: LabelingJobStatus) -> tuple[int | None, str]:
    """Return the last round that has measured rules and the reference of what it found; nothing before there is one."""
    for each in reversed(status.rounds):
        if Stage.AGGREGATE in each.stages:
            reference = each.stages[Stage.AGGREGATE].results.get("rule_diagnostics", "")
            return (each.round, reference) if reference else (None, "")
    return None, ""


def standing_message(status: LabelingJobStatus) -> str:
    """Return what a job waits for or why it ended; may be empty."""
    for kind in (ConditionType.FAILED, ConditionType.COMPLETE, ConditionType.WAITING_FOR_ANNOTATIONS):
        found = find_condition(status.conditions, kind)
        if found is not None and found.status is ConditionStatus.TRUE:
            return found.message
    refused = find_condition(status.conditions, ConditionType.ACCEPTED)
    return refused.message if refused is not None and refused.status is ConditionStatus.FALSE else ""


def _curve(status: LabelingJobStatus) -> dict[str, Any]:
    """Return accuracy on gate gold by round, with its 95 % interval; without gold, how alike two rounds answer."""
    measured = [each for each in status.rounds if each.accuracy is not None]
    if measured:
        return {"kind": "accuracy", "points": [_accuracy_point(each, status) for each in measured]}
    alike = [each for each in status.rounds if each.prediction_agreement is not None]
    points = [
        {"round": each.round, "votes": each.votes, "value": max(0.0, each.prediction_agreement or 0.0)}
        for each in alike
    ]
    return {"kind": "stability" if points else "", "points": points}


def _accuracy_point(each: RoundStatus, status: LabelingJobStatus) -> dict[str, Any]:
    accuracy = each.accuracy or 0.0
    train = each.stages.get(Stage.TRAIN)
    counted = int(train.figures.get("gate_items", 0.0)) if train else 0
    total = counted or (status.prepare.gold_gate if status.prepare else 0)
    share = proportion(round(accuracy * total), total)
    low, high = (accuracy, accuracy) if share is None else (share.interval.low, share.interval.high)
    return {"round": each.round, "votes": each.votes, "value": accuracy, "low": low, "high": high, "of": total}


def _cost(job: LabelingJob) -> dict[str, Any]:
    cost, budget = job.status.cost, job.spec.budget
    return {
        "votes": cost.votes,
        "votes_budget": budget.votes,
        "money": cost.money,
        "money_budget": budget.money,
        "currency": cost.currency,
        "cpu_seconds": cost.cpu_seconds,
        "gpu_seconds": cost.gpu_seconds,
    }


def _agreement(status: LabelingJobStatus) -> dict[str, float]:
    """Return alpha and AC1 of the votes, as far as the newest Aggregate has them."""
    for each in reversed(status.rounds):
        if Stage.AGGREGATE in each.stages:
            figures = each.stages[Stage.AGGREGATE].figures
            return {name: figures[name] for name in ("alpha", "ac1") if name in figures}
    return {}
