"""Reading a status: where the job stands, and what the finished stages left behind."""

from labelplane_api.conditions import ConditionStatus, ConditionType, Reason, find_condition, is_true
from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage, StageResult

__all__ = [
    "current_round",
    "figure",
    "is_finished",
    "is_queued",
    "is_refused",
    "is_settled",
    "is_suspended",
    "is_taken",
    "is_working",
    "last_figure",
    "last_reference",
    "last_stage",
    "rounds_with",
]


def is_finished(status: LabelingJobStatus) -> bool:
    """Whether a job is Complete or Failed."""
    conditions = status.conditions
    return is_true(conditions, ConditionType.COMPLETE) or is_true(conditions, ConditionType.FAILED)


def is_refused(status: LabelingJobStatus) -> bool:
    """Whether the spec is not accepted."""
    accepted = find_condition(status.conditions, ConditionType.ACCEPTED)
    return accepted is not None and accepted.status is ConditionStatus.FALSE


def is_taken(status: LabelingJobStatus) -> bool:
    """Whether the job is refused only because its output prefix belongs to another job, which may go."""
    accepted = find_condition(status.conditions, ConditionType.ACCEPTED)
    return accepted is not None and is_refused(status) and accepted.reason == Reason.PREFIX_TAKEN


def is_suspended(status: LabelingJobStatus) -> bool:
    """Whether the user holds the job."""
    return is_true(status.conditions, ConditionType.SUSPENDED)


def is_queued(status: LabelingJobStatus) -> bool:
    """Whether the job gets no further because its pods are not admitted yet."""
    progressing = find_condition(status.conditions, ConditionType.PROGRESSING)
    is_held = progressing is not None and progressing.status is ConditionStatus.FALSE
    return is_held and progressing is not None and progressing.reason == Reason.NOT_ADMITTED


def is_working(status: LabelingJobStatus) -> bool:
    """Whether a stage is under way: it runs, or waits for its pods or for its next try.

    One whose pods wait until their queue admits them is not: a queue may be longer than any bound of the job's work.
    """
    is_held = is_finished(status) or is_refused(status) or is_suspended(status) or is_queued(status)
    return status.operation is not None and not is_held


def current_round(status: LabelingJobStatus) -> RoundStatus | None:
    """Return the round that is under way, or the last one; None before the first."""
    return status.rounds[-1] if status.rounds else None


def is_settled(current: RoundStatus, stage: Stage) -> bool:
    """Whether a round has finished a stage or goes on without it."""
    return stage in current.stages or stage in current.skipped


def rounds_with(status: LabelingJobStatus, stage: Stage) -> list[RoundStatus]:
    """Return the rounds that have finished a stage, in order."""
    return [each for each in status.rounds if stage in each.stages]


def last_stage(status: LabelingJobStatus, stage: Stage) -> StageResult | None:
    """Return the newest finished one of a stage, also of a round that is no longer listed; None for none."""
    for each in reversed(status.rounds):
        if stage in each.stages:
            return each.stages[stage]
    return status.earlier.stages.get(stage) if status.earlier else None


def last_reference(status: LabelingJobStatus, stage: Stage, name: str) -> str:
    """Return the newest result of a stage, from this object's rounds or those that Prepare found; empty for none."""
    result = last_stage(status, stage)
    if result is not None:
        return result.results.get(name, "")
    return status.prepare.result.results.get(name, "") if status.prepare else ""


def last_figure(status: LabelingJobStatus, stage: Stage, name: str) -> float | None:
    """Return the newest figure of a stage; None when no round has it."""
    result = last_stage(status, stage)
    return None if result is None else result.figures.get(name)


def figure(result: StageResult, name: str) -> float:
    """Return a figure of a finished stage, 0 when it has none of that name."""
    return result.figures.get(name, 0.0)
