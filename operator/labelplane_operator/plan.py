"""The heart: from a job and what was seen of its world to what should be done next. Pure, and the only one who decides.

On a cluster and on a laptop the same plan is made; they differ in who acts on it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from labelplane_api.conditions import ConditionStatus, ConditionType, Reason, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, OperationStatus, Stage
from labelplane_api.support import unsupported
from labelplane_operator import status as folds
from labelplane_operator.history import current_round
from labelplane_operator.observed import Observed, OperationError, OperationState, OperationView
from labelplane_operator.parts import Part
from labelplane_operator.policies.retry import next_try
from labelplane_operator.policies.steps import (
    Finish,
    OpenRound,
    RunStage,
    SkipTraining,
    Step,
    WaitForVotes,
    next_step,
)
from labelplane_operator.policies.stopping import Stop, decide_stop
from labelplane_operator.requests import Installation, StageRequest, build_request, request_id

__all__ = ["Event", "Plan", "make_plan"]

RUNNING_SECONDS = 2.0
"""How soon to look again at a running operation."""
WAITING_SECONDS = 5.0
"""How soon to look again for votes."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people are told once."""

    reason: str
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be.

    Attributes:
        status: the whole new status.
        start: the stage to start; starting one that runs or has finished changes nothing.
        parts: the services that should be up on a cluster. Empty, the job keeps its other objects and no pod; None, it
            keeps no object at all.
        events: what to tell people, after the status is written.
        requeue_after_seconds: when to look again without a new event; None when only a change of the spec matters.
    """

    status: LabelingJobStatus
    start: StageRequest | None = None
    parts: frozenset[Part] | None = None
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether the job is done or has failed for good."""
        return is_finished(self.status)


def is_finished(status: LabelingJobStatus) -> bool:
    """Whether a job is Complete or Failed."""
    conditions = status.conditions
    return is_true(conditions, ConditionType.COMPLETE) or is_true(conditions, ConditionType.FAILED)


def make_plan(job: LabelingJob, observed: Observed, *, installation: Installation, now: datetime) -> Plan:
    """Return what should be done about a job. Pure: the same arguments give the same plan."""
    if is_finished(job.status) and not _is_tried_again(job):
        return Plan(job.status)
    if refusals := unsupported(job):
        status = folds.refused(job, "; ".join(f"not supported yet: {path}" for path in refusals), now=now)
        return Plan(status, events=_changes(job, status))
    status = folds.with_inbox(folds.opened(job, now=now), observed.inbox)
    status = _absorb(job, status, observed, now=now)
    if is_finished(status):
        return Plan(status, events=_changes(job, status))
    plan = _advance(job, status, observed, installation=installation, now=now)
    return replace(plan, events=_changes(job, plan.status))


def _is_tried_again(job: LabelingJob) -> bool:
    """Whether the spec of a failed job has changed since; a complete job stays complete."""
    has_failed = is_true(job.status.conditions, ConditionType.FAILED)
    return has_failed and job.metadata.generation > job.status.observed_generation


# -- what became of the operation -------------------------------------------------------------------------------------


def _absorb(job: LabelingJob, status: LabelingJobStatus, observed: Observed, *, now: datetime) -> LabelingJobStatus:
    """Return the status after what was seen of the operation that it names."""
    view = observed.operation
    if status.operation is None or view is None or view.request_id != status.operation.request_id:
        return status
    match view.state:
        case OperationState.RUNNING:
            return folds.stage_running(status, view)
        case OperationState.SUCCEEDED:
            return folds.stage_finished(job, status, view, now=now)
        case OperationState.FAILED | OperationState.CANCELLED:
            return _absorb_failure(job, status, status.operation, view, now=now)


def _absorb_failure(
    job: LabelingJob, status: LabelingJobStatus, operation: OperationStatus, view: OperationView, *, now: datetime
) -> LabelingJobStatus:
    error = view.error or OperationError("Cancelled", "the operation was cancelled", is_retryable=True)
    failures = status.failures.get(operation.stage, 0) + 1
    again_at = next_try(job, error, failures=failures, now=now)
    where = (
        operation.stage.value if operation.stage is Stage.PREPARE else f"{operation.stage} of round {operation.round}"
    )
    retry = _operation(job, operation.stage, operation.round, operation.attempt + 1)
    if again_at is None:
        # The next try is named already: when the spec changes, the failed one must not be asked again.
        status = status.model_copy(update={"operation": retry})
        reason = Reason.BACKOFF_LIMIT_EXCEEDED if error.is_retryable else error.reason
        return folds.failed(job, status, reason, f"{where}: {error.message}", now=now)
    retry = retry.model_copy(update={"not_before": again_at})
    message = f"{where} failed ({error.reason}: {error.message}); try {operation.attempt + 1} at {again_at:%H:%M:%S}"
    return folds.retrying(job, status, retry, message, now=now)


# -- what is next -----------------------------------------------------------------------------------------------------


def _advance(
    job: LabelingJob, status: LabelingJobStatus, observed: Observed, *, installation: Installation, now: datetime
) -> Plan:
    """Take every step that needs no service, then return the plan for the one that does."""
    if status.operation is not None:
        return _keep_running(job, status, observed, installation=installation, now=now)
    while True:
        step: Step = next_step(job, status, observed.inbox)
        match step:
            case OpenRound(number):
                status = folds.round_opened(status, number, now=now)
            case SkipTraining():
                status = folds.training_skipped(job, status, now=now)
            case RunStage(stage, stop):
                status = _with_operation(job, status, stage)
                return _keep_running(job, status, observed, installation=installation, now=now, stop=stop)
            case WaitForVotes(missing):
                return _wait(job, status, missing, observed, now=now)
            case Finish(stop):
                reason, message = (stop.reason, stop.message) if stop else (Reason.EVERYTHING_LABELLED, "")
                return Plan(folds.concluded(job, status, reason, message, now=now))


def _keep_running(
    job: LabelingJob,
    status: LabelingJobStatus,
    observed: Observed,
    *,
    installation: Installation,
    now: datetime,
    stop: Stop | None = None,
) -> Plan:
    """Return the plan for the operation that the status names: start it, or wait until it may be tried again."""
    operation = status.operation
    assert operation is not None
    if operation.not_before is not None and now < operation.not_before:
        return Plan(status, requeue_after_seconds=(operation.not_before - now).total_seconds())
    status = status.model_copy(update={"operation": operation.model_copy(update={"not_before": None})})
    if observed.unavailable:
        message, reason = observed.unavailable, Reason.DEPENDENCY_UNAVAILABLE
    else:
        message, reason = f"{operation.stage} of round {operation.round}", Reason.STAGE_RUNNING
    status = folds.with_condition(
        job, status, ConditionType.PROGRESSING, ConditionStatus.TRUE, reason, message, now=now
    )
    status = _not_waiting(job, status, now=now)
    if operation.stage is Stage.FINALIZE:
        stop = stop or decide_stop(job, status)
    start = build_request(job, status, installation=installation, stop=stop)
    return Plan(status, start=start, requeue_after_seconds=RUNNING_SECONDS)


def _wait(
    job: LabelingJob, status: LabelingJobStatus, missing: int | None, observed: Observed, *, now: datetime
) -> Plan:
    text = observed.unavailable or ("counting votes" if missing is None else f"{missing:,} votes are missing")
    status = folds.with_condition(
        job,
        status,
        ConditionType.WAITING_FOR_ANNOTATIONS,
        ConditionStatus.TRUE,
        Reason.VOTES_MISSING,
        text,
        now=now,
    )
    return Plan(status, requeue_after_seconds=WAITING_SECONDS)


def _not_waiting(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> LabelingJobStatus:
    if not is_true(status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS):
        return status
    return folds.with_condition(
        job,
        status,
        ConditionType.WAITING_FOR_ANNOTATIONS,
        ConditionStatus.FALSE,
        Reason.VOTES_COMPLETE,
        "all votes of the round are in",
        now=now,
    )


def _with_operation(job: LabelingJob, status: LabelingJobStatus, stage: Stage) -> LabelingJobStatus:
    """Return the status that names the stage's first try."""
    current = current_round(status)
    number = current.round if current else 0
    attempt = 1
    if status.prepare is not None and number == status.prepare.finished_rounds:
        # An earlier object of this prefix may have begun this round: its tries are not used again.
        attempt += max(status.prepare.attempts.values(), default=0)
    return status.model_copy(update={"operation": _operation(job, stage, number, attempt)})


def _operation(job: LabelingJob, stage: Stage, round_number: int, attempt: int) -> OperationStatus:
    name = request_id(job, round_number=round_number, stage=stage, attempt=attempt)
    return OperationStatus(request_id=name, stage=stage, round=round_number, attempt=attempt)


def _changes(job: LabelingJob, status: LabelingJobStatus) -> tuple[Event, ...]:
    """Return an event for every condition that turned, in their order."""
    before = {each.type: (each.status, each.reason) for each in job.status.conditions}
    return tuple(
        Event(each.reason, f"{each.type}: {each.message}", is_warning=each.type == ConditionType.FAILED)
        for each in status.conditions
        if before.get(each.type) != (each.status, each.reason)
    )
