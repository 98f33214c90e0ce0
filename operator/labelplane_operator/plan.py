"""The heart: from a job and what was seen of its world to what should be done next. Pure, and the only one who decides.

On a cluster and on a laptop the same plan is made; they differ in who acts on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, Reason, find_condition, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.metadata import ObjectMeta
from labelplane_api.parts import Part
from labelplane_api.sources import Connector
from labelplane_api.status import LabelingJobStatus, OperationStatus, Stage
from labelplane_api.support import unsupported, unsupported_on_clusters
from labelplane_operator import status as folds
from labelplane_operator.history import current_round, is_finished, is_queued, is_taken
from labelplane_operator.observed import InboxView, Observed, OperationError, OperationState, Problem, TrainingState
from labelplane_operator.policies.cluster import refusals
from labelplane_operator.policies.deadlines import late_work, review_began, work_left
from labelplane_operator.policies.deletion import decide_removal, holds_object, is_being_deleted
from labelplane_operator.policies.expiry import seconds_to_expiry
from labelplane_operator.policies.parts import wanted_parts
from labelplane_operator.policies.retry import next_try, next_try_for_prefix
from labelplane_operator.policies.steps import Finish, OpenRound, RunStage, SkipTraining, Step, next_step
from labelplane_operator.policies.stopping import Stop, decide_stop
from labelplane_operator.policies.waiting import GiveUp, Wait
from labelplane_operator.policies.worker_count import WorkerCount, decide_workers
from labelplane_operator.requests import Installation, StageRequest, build_request, request_id, training_run
from labelplane_operator.training_run import TrainingRun

__all__ = ["Event", "Plan", "make_plan", "plan_for_invalid", "plan_when_blocked"]

RUNNING_SECONDS: Final = 2.0
"""How soon to look again at a running operation."""
BLOCKED_SECONDS: Final = 10.0
"""How soon to look again at an operation whose pods have a problem and can be called all the same."""
AWAITING_SECONDS: Final = 300.0
"""How soon to look again at an operation whose pods are not ready: an event of the pods comes before."""
WAITING_SECONDS: Final = 5.0
"""How soon to look again for votes, at first."""
LONGEST_WAITING_SECONDS: Final = 60.0
"""How soon to look again for votes when people have been asked long ago."""
_WAITED_SHARE: Final = 0.05

# A condition that turned False for one of these is as it should be.
_CALM: Final = frozenset({Reason.FINISHED, Reason.SUSPENDED_BY_USER, Reason.DELETING_RESULTS, Reason.NOT_ADMITTED})


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
        training: the try of a training image whose Job should stand, before Train is started and while it runs.
        parts: the services that should be up on a cluster. Empty, the job keeps its other objects and no pod; None, it
            keeps no object at all.
        workers: how many scoring workers should be up while that part is, and why; None leaves their number as it is.
        events: what to tell people, after the status is written.
        requeue_after_seconds: when to look again without a new event; None when only a change of the spec matters.
        finalizer: whether the finalizer of the results should stand; None leaves it as it is.
        cleanup: whether the Job that removes the results should stand; it begins when no pod of the job is left, since
            a service that still ends could write. False takes away one that stands.
        delete_job: whether the job itself has outlived its time.
    """

    status: LabelingJobStatus
    start: StageRequest | None = None
    training: TrainingRun | None = None
    parts: frozenset[Part] | None = None
    workers: WorkerCount | None = None
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None
    finalizer: bool | None = None
    cleanup: bool = False
    delete_job: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the job is done or has failed for good."""
        return is_finished(self.status)


def make_plan(job: LabelingJob, observed: Observed, *, installation: Installation, now: datetime) -> Plan:
    """Return what should be done about a job. Pure: the same arguments give the same plan."""
    if installation.is_cluster and is_being_deleted(job.metadata):
        return _remove(job, observed, now=now)
    plan = _pursue(job, observed, installation=installation, now=now)
    status = folds.named_stage(folds.clocked(job.status, plan.status, now=now))
    trains_outside = job.spec.model.image is not None and plan.start is None
    plan = replace(
        plan,
        status=status,
        parts=wanted_parts(status, trains_outside=trains_outside),
        workers=decide_workers(job, status, observed, now=now),
        events=_changes(job.status, status),
    )
    return _with_object(job, plan, now=now) if installation.is_cluster else plan


def plan_for_invalid(
    status: LabelingJobStatus, problems: Sequence[str], *, metadata: ObjectMeta, now: datetime
) -> Plan:
    """Return what should be done about an object that is no valid job: say so, and let nothing of it run.

    One that is being deleted is let go, whatever holds it: where its results lie cannot be read. They stay.

    Args:
        status: as the object has it.
        problems: what is wrong, one sentence a field.
        metadata: of the object.
        now: the time.
    """
    is_deleted = is_being_deleted(metadata)
    after = folds.invalid(status, "; ".join(problems), generation=metadata.generation, now=now)
    after = folds.named_stage(folds.clocked(status, after, now=now), is_deleted=is_deleted)
    return Plan(after, events=_changes(status, after), finalizer=False if is_deleted else None)


def plan_when_blocked(job: LabelingJob, plan: Plan, problem: Problem, *, now: datetime) -> Plan:
    """Return a plan that could not be acted on, with why in place of what would have happened.

    Nothing of what it would have started is in its status: the next look decides that again.
    """
    value = ConditionStatus.FALSE
    status = folds.with_condition(
        job, job.status, ConditionType.PROGRESSING, value, problem.reason, problem.message, now=now
    )
    accepted = find_condition(plan.status.conditions, ConditionType.ACCEPTED)
    if accepted is not None:
        status = folds.with_condition(
            job, status, ConditionType.ACCEPTED, accepted.status, accepted.reason, accepted.message, now=now
        )
    status = status.model_copy(update={"observed_generation": job.metadata.generation})
    status = folds.named_stage(status, is_deleted=is_being_deleted(job.metadata))
    return Plan(status, events=_changes(job.status, status), finalizer=plan.finalizer)


def _pursue(job: LabelingJob, observed: Observed, *, installation: Installation, now: datetime) -> Plan:
    """Return the plan for the loop, without what follows from its status alone."""
    if is_finished(job.status) and not _is_tried_again(job):
        return Plan(job.status)
    if (status := _refusal(job, observed, installation=installation, now=now)) is not None:
        return Plan(status)
    status = folds.with_inbox(folds.opened(job, now=now), observed.inbox)
    status = _absorb(job, status, observed, installation=installation, now=now)
    if is_finished(status):
        return Plan(status)
    if job.spec.run.suspend:
        return Plan(folds.suspended(job, status, now=now))
    status = folds.resumed(job, status, now=now)
    if late := late_work(job, status, now=now):
        return Plan(folds.failed(job, status, Reason.DEADLINE_EXCEEDED, late, now=now))
    return _advance(job, status, observed, installation=installation, now=now)


def _refusal(
    job: LabelingJob, observed: Observed, *, installation: Installation, now: datetime
) -> LabelingJobStatus | None:
    """Return the status of a job that cannot run here, None when it can."""
    if unbuilt := _unbuilt(job, installation):
        return folds.refused(job, "; ".join(f"not supported yet: {path}" for path in unbuilt), now=now)
    wrong = (*_cluster_refusals(job, installation), *observed.refusals)
    if not wrong:
        return None
    return folds.invalid(job.status, "; ".join(wrong), generation=job.metadata.generation, now=now)


def _unbuilt(job: LabelingJob, installation: Installation) -> tuple[str, ...]:
    if not installation.is_cluster:
        return unsupported(job)
    return unsupported_on_clusters(job, has_front=bool(installation.review_address))


def _cluster_refusals(job: LabelingJob, installation: Installation) -> tuple[str, ...]:
    return refusals(job, has_keda=installation.has_keda) if installation.is_cluster else ()


# -- the object on a cluster ------------------------------------------------------------------------------------------


def _with_object(job: LabelingJob, plan: Plan, *, now: datetime) -> Plan:
    """Return the plan with what becomes of the object: its finalizer, and its end when it has outlived its time."""
    left = seconds_to_expiry(job, plan.status, now=now)
    return replace(
        plan,
        finalizer=holds_object(job, plan.status),
        delete_job=left == 0,
        requeue_after_seconds=left or plan.requeue_after_seconds,
    )


def _remove(job: LabelingJob, observed: Observed, *, now: datetime) -> Plan:
    """Return the plan for a deleted job: its services go, then its results where they should."""
    removal = decide_removal(job, observed.cleanup, now=now)
    problem = removal.problem or (observed.problem.message if observed.problem else "")
    status = folds.removing(job, problem, now=now) if removal.finalizer else job.status
    status = folds.named_stage(status, is_deleted=True)
    return Plan(
        status,
        events=_changes(job.status, status),
        requeue_after_seconds=removal.requeue_after_seconds,
        finalizer=removal.finalizer,
        cleanup=removal.cleanup,
    )


def _is_tried_again(job: LabelingJob) -> bool:
    """Whether the spec of a failed job has changed since; a complete job stays complete."""
    has_failed = is_true(job.status.conditions, ConditionType.FAILED)
    return has_failed and job.metadata.generation > job.status.observed_generation


# -- what became of the operation -------------------------------------------------------------------------------------


def _absorb(
    job: LabelingJob, status: LabelingJobStatus, observed: Observed, *, installation: Installation, now: datetime
) -> LabelingJobStatus:
    """Return the status after what was seen of the operation that it names."""
    view = observed.operation
    if status.operation is None or view is None or view.request_id != status.operation.request_id:
        return status
    match view.state:
        case OperationState.RUNNING:
            return folds.stage_running(status, view)
        case OperationState.SUCCEEDED:
            return folds.stage_finished(job, folds.accepted(job, status, now=now), view, now=now)
        case OperationState.FAILED | OperationState.CANCELLED:
            error = view.error or OperationError("Cancelled", "the operation was cancelled", is_retryable=True)
            if installation.is_cluster and error.reason == Reason.PREFIX_TAKEN:
                return _absorb_taken(job, status, status.operation, error, now=now)
            return _absorb_failure(job, folds.accepted(job, status, now=now), status.operation, error, now=now)


def _absorb_taken(
    job: LabelingJob, status: LabelingJobStatus, operation: OperationStatus, error: OperationError, *, now: datetime
) -> LabelingJobStatus:
    """Return the status of a job that waits until another one leaves its prefix, which no try of its own brings on."""
    retry = _operation(job, operation.stage, operation.round, operation.attempt + 1)
    retry = retry.model_copy(update={"not_before": next_try_for_prefix(now=now)})
    return folds.prefix_taken(job, status, retry, error.message, now=now)


def _absorb_failure(
    job: LabelingJob, status: LabelingJobStatus, operation: OperationStatus, error: OperationError, *, now: datetime
) -> LabelingJobStatus:
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
        step: Step = next_step(job, status, observed.inbox, now=now)
        match step:
            case OpenRound(number, late):
                status = folds.late_votes(job, status, late, now=now) if late else status
                status = folds.round_opened(job, status, number, now=now)
            case SkipTraining():
                status = folds.training_skipped(job, status, now=now)
            case RunStage(stage, stop):
                status = _with_operation(job, status, stage)
                return _keep_running(job, status, observed, installation=installation, now=now, stop=stop)
            case Wait():
                return _wait(job, status, step, observed, installation=installation, now=now)
            case GiveUp(reason, message):
                status = folds.late_votes(job, status, message, now=now)
                return Plan(folds.failed(job, status, reason, message, now=now))
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
    left = work_left(job, status, now=now)
    if operation.not_before is not None and now < operation.not_before:
        return Plan(status, requeue_after_seconds=_sooner((operation.not_before - now).total_seconds(), left))
    status = status.model_copy(update={"operation": operation.model_copy(update={"not_before": None})})
    status = _not_waiting(job, _progressing(job, status, operation, observed, now=now), now=now)
    left = None if is_queued(status) else left
    if operation.stage is Stage.FINALIZE:
        stop = stop or decide_stop(job, status)
    start = build_request(job, status, installation=installation, stop=stop)
    training = training_run(job, start)
    if training is None or _is_trained(start, observed):
        soon = _running_seconds(observed)
        return Plan(status, start=start, training=training, requeue_after_seconds=_sooner(soon, left))
    # Events of the Job and its pod say how it gets on; nothing tells when a service that is up answers again.
    is_silent = bool(observed.unavailable) and not observed.awaits_pods
    soon = RUNNING_SECONDS if is_silent else AWAITING_SECONDS
    return Plan(status, training=training, requeue_after_seconds=_sooner(soon, left))


def _is_trained(start: StageRequest, observed: Observed) -> bool:
    """Whether the training image has handed over what a Train is to take."""
    view = observed.training
    return view is not None and view.request_id == start.request_id and view.state is TrainingState.SUCCEEDED


def _running_seconds(observed: Observed) -> float:
    """Return how soon to look again at an operation."""
    if observed.awaits_pods:
        return AWAITING_SECONDS
    return RUNNING_SECONDS if observed.problem is None else BLOCKED_SECONDS


def _progressing(
    job: LabelingJob, status: LabelingJobStatus, operation: OperationStatus, observed: Observed, *, now: datetime
) -> LabelingJobStatus:
    """Return the status with whether the operation gets on."""
    if is_taken(status):
        return status  # a try that may well be in vain is no progress
    value, reason = ConditionStatus.TRUE, str(Reason.STAGE_RUNNING)
    message = f"{operation.stage} of round {operation.round}"
    if observed.problem is not None and not _is_running_all_the_same(observed):
        value, reason, message = ConditionStatus.FALSE, observed.problem.reason, observed.problem.message
    elif observed.unavailable:
        reason, message = str(Reason.DEPENDENCY_UNAVAILABLE), observed.unavailable
    elif observed.training is not None and observed.training.state is TrainingState.RUNNING:
        message = f"{message}: Job {observed.training.name} trains with image {job.spec.model.image}"
    return folds.with_condition(job, status, ConditionType.PROGRESSING, value, reason, message, now=now)


def _is_running_all_the_same(observed: Observed) -> bool:
    """Whether the operation runs while more pods of the job wait for their queue, as workers may."""
    view, problem = observed.operation, observed.problem
    is_running = view is not None and view.state is OperationState.RUNNING
    return is_running and problem is not None and problem.reason == Reason.NOT_ADMITTED


def _sooner(seconds: float, left: float | None) -> float:
    return seconds if left is None else max(0.0, min(seconds, left))


def _wait(
    job: LabelingJob,
    status: LabelingJobStatus,
    step: Wait,
    observed: Observed,
    *,
    installation: Installation,
    now: datetime,
) -> Plan:
    inbox = observed.inbox or InboxView()
    address = inbox.connector_address or _voting_address(job, installation)
    text = observed.unavailable or _asking(job, step, address=address, problem=inbox.connector_problem)
    kind = ConditionType.WAITING_FOR_ANNOTATIONS
    status = folds.with_condition(job, status, kind, ConditionStatus.TRUE, Reason.VOTES_MISSING, text, now=now)
    current = current_round(status)
    value, reason = ConditionStatus.TRUE, str(Reason.ROUND_FINISHED)
    message = f"round {current.round if current else 0} has asked people"
    if observed.problem is not None:
        value, reason, message = ConditionStatus.FALSE, observed.problem.reason, observed.problem.message
    status = folds.with_condition(job, status, ConditionType.PROGRESSING, value, reason, message, now=now)
    left = None if step.until is None or step.missing is None else (step.until - now).total_seconds()
    soon = AWAITING_SECONDS if observed.awaits_pods else _waiting_seconds(status, now=now)
    return Plan(status, requeue_after_seconds=_sooner(soon, left))


def _voting_address(job: LabelingJob, installation: Installation) -> str:
    """Return where people vote; empty where there is no one place. On a cluster all jobs share one front."""
    humans, address = job.spec.sources.humans, installation.review_address
    if not installation.is_cluster or not address:
        return address
    is_asked_there = humans is not None and humans.connector is Connector.INBOX
    return f"{address.rstrip('/')}/t/{job.metadata.namespace}/{job.metadata.name}" if is_asked_there else ""


def _asking(job: LabelingJob, step: Wait, *, address: str, problem: str) -> str:
    """Say how many votes are missing, where they are given, what keeps them away, and what happens without them."""
    if step.missing is None:
        return "counting votes"
    where = f": vote at {address}" if address else ""
    where += f"; {problem}" if problem else ""
    if step.until is None:
        return f"{step.missing:,} votes are missing{where}"
    end = f"; at {step.until:%Y-%m-%d %H:%M:%S} UTC review.onDeadline is {job.spec.review.on_deadline}"
    return f"{step.missing:,} votes are missing{where}{end}"


def _waiting_seconds(status: LabelingJobStatus, *, now: datetime) -> float:
    """Return how soon to look again for votes: seldom where people were asked hours ago, so that many jobs can wait."""
    began = review_began(status)
    waited = 0.0 if began is None else (now - began).total_seconds()
    return min(max(WAITING_SECONDS, waited * _WAITED_SHARE), LONGEST_WAITING_SECONDS)


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


def _changes(before: LabelingJobStatus, after: LabelingJobStatus) -> tuple[Event, ...]:
    """Return an event for every condition that turned, in their order."""
    told = {each.type: (each.status, each.reason) for each in before.conditions}
    return tuple(
        Event(each.reason, f"{each.type}: {each.message}", is_warning=_is_warning(each))
        for each in after.conditions
        if told.get(each.type) != (each.status, each.reason)
    )


def _is_warning(condition: Condition) -> bool:
    """Whether somebody should look: the job has failed, is refused, or does not get on."""
    if condition.type == ConditionType.FAILED:
        return condition.status is ConditionStatus.TRUE
    is_wanted = condition.type in {ConditionType.ACCEPTED, ConditionType.PROGRESSING}
    return is_wanted and condition.status is ConditionStatus.FALSE and condition.reason not in _CALM
