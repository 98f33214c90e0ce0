"""Folding facts into a status: each function returns a new status, and knows one kind of fact."""

from collections.abc import Callable, Sequence
from datetime import datetime

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, Reason, is_true, set_condition
from labelplane_api.job import LabelingJob
from labelplane_api.running import Profile
from labelplane_api.status import (
    EarlierRounds,
    LabelingJobStatus,
    ModelStatus,
    OperationStatus,
    PrepareStatus,
    RoundStatus,
    Stage,
    StageResult,
)
from labelplane_operator.history import (
    current_round,
    figure,
    is_finished,
    is_refused,
    is_suspended,
    is_taken,
    is_working,
)
from labelplane_operator.observed import InboxView, OperationView
from labelplane_operator.policies.promotion import decide_promotion
from labelplane_operator.policies.quality import quality_gate

__all__ = [
    "accepted",
    "clocked",
    "concluded",
    "failed",
    "invalid",
    "late_votes",
    "named_stage",
    "opened",
    "prefix_taken",
    "refused",
    "removing",
    "resumed",
    "retrying",
    "round_opened",
    "stage_finished",
    "stage_running",
    "suspended",
    "training_skipped",
    "with_condition",
    "with_inbox",
]

KEPT_ROUNDS = 10
"""Rounds that a status lists; more only where a stop rule looks further back."""
_LONGEST_MESSAGE = 8_192
"""Characters of a condition: what it quotes of a service or of a spec has no bound, and the schema has one."""
SMALL_PROFILE_ITEMS = 200_000
"""Items up to which profile Auto takes one pod."""


def with_condition(
    job: LabelingJob,
    status: LabelingJobStatus,
    kind: ConditionType,
    value: ConditionStatus,
    reason: Reason | str,
    message: str,
    *,
    now: datetime,
) -> LabelingJobStatus:
    """Return the status with one condition set, about the present generation of the spec."""
    return _with_condition(status, kind, value, reason, message, generation=job.metadata.generation, now=now)


def _with_condition(
    status: LabelingJobStatus,
    kind: ConditionType,
    value: ConditionStatus,
    reason: Reason | str,
    message: str,
    *,
    generation: int,
    now: datetime,
) -> LabelingJobStatus:
    condition = Condition(
        type=kind.value,
        status=value,
        reason=str(reason),
        message=message[:_LONGEST_MESSAGE],
        observed_generation=generation,
    )
    return status.model_copy(update={"conditions": set_condition(status.conditions, condition, now=now)})


# -- whether the job may run ------------------------------------------------------------------------------------------


def opened(job: LabelingJob, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a job whose spec can be run; one that had failed is tried again.

    A job that waits for another one's prefix stays refused until Prepare has it; its next try is at once when the spec
    has changed.
    """
    status = job.status.model_copy(update={"observed_generation": job.metadata.generation})
    if is_true(status.conditions, ConditionType.FAILED):
        status = status.model_copy(update={"finished_at": None, "failures": {}})
        status = with_condition(
            job, status, ConditionType.FAILED, ConditionStatus.FALSE, Reason.RESUMED, "the spec has changed", now=now
        )
    if not is_taken(status):
        return accepted(job, status, now=now)
    if status.operation is not None and job.status.observed_generation != job.metadata.generation:
        at_once = status.operation.model_copy(update={"not_before": None})
        return status.model_copy(update={"operation": at_once})
    return status


def accepted(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a job that nothing is wrong with."""
    return with_condition(
        job, status, ConditionType.ACCEPTED, ConditionStatus.TRUE, Reason.SPEC_VALID, "the spec is valid", now=now
    )


def refused(job: LabelingJob, message: str, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a job that asks for what is not built."""
    return _refused(job.status, Reason.NOT_SUPPORTED, message, generation=job.metadata.generation, now=now)


def invalid(status: LabelingJobStatus, message: str, *, generation: int, now: datetime) -> LabelingJobStatus:
    """Return the status of a job whose spec is wrong, which need not even parse; `message` names the fields."""
    return _refused(status, Reason.SPEC_INVALID, message, generation=generation, now=now)


def prefix_taken(
    job: LabelingJob, status: LabelingJobStatus, retry: OperationStatus, message: str, *, now: datetime
) -> LabelingJobStatus:
    """Return the status of a job whose output prefix belongs to another; `retry` asks for it again later."""
    status = status.model_copy(update={"operation": retry})
    return _refused(status, Reason.PREFIX_TAKEN, message, generation=job.metadata.generation, now=now)


def _refused(
    status: LabelingJobStatus, reason: Reason, message: str, *, generation: int, now: datetime
) -> LabelingJobStatus:
    status = status.model_copy(update={"observed_generation": generation})
    status = _with_condition(
        status, ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message, generation=generation, now=now
    )
    if not is_true(status.conditions, ConditionType.PROGRESSING):
        return status
    return _with_condition(
        status,
        ConditionType.PROGRESSING,
        ConditionStatus.FALSE,
        reason,
        "the job is not accepted",
        generation=generation,
        now=now,
    )


def suspended(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a job that the user holds: all else stands as it is."""
    reason, message = Reason.SUSPENDED_BY_USER, "run.suspend is true: set it to false to go on from here"
    status = with_condition(job, status, ConditionType.SUSPENDED, ConditionStatus.TRUE, reason, message, now=now)
    return with_condition(
        job, status, ConditionType.PROGRESSING, ConditionStatus.FALSE, reason, "the job is suspended", now=now
    )


def resumed(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a job that nobody holds; its first time is when it begins."""
    status = status.model_copy(update={"started_at": status.started_at or _second(now)})
    if not is_suspended(status):
        return status
    return with_condition(
        job,
        status,
        ConditionType.SUSPENDED,
        ConditionStatus.FALSE,
        Reason.RESUMED,
        "the job goes on where it stood",
        now=now,
    )


def removing(job: LabelingJob, problem: str, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a deleted job whose results are being removed; `problem` says why that failed."""
    reason = Reason.CLEANUP_FAILED if problem else Reason.DELETING_RESULTS
    message = f"the results below {job.prefix} are being deleted"
    if problem:
        message = (
            f"the results below {job.prefix} cannot be deleted: {problem}; it is tried again, every 5 minutes "
            "at least; to leave them there, take the finalizer labelplane.io/results away"
        )
    return with_condition(job, job.status, ConditionType.PROGRESSING, ConditionStatus.FALSE, reason, message, now=now)


# -- what people are shown, and the clock -----------------------------------------------------------------------------


def clocked(before: LabelingJobStatus, status: LabelingJobStatus, *, now: datetime) -> LabelingJobStatus:
    """Return the status with the time that the job has worked.

    Nothing changes while one operation runs. Its time is added up when it ends, or when the job waits, is suspended or
    has finished, so that a process that dies loses the time of one operation at most.
    """
    since = status.active_since
    if since is not None and (not is_working(status) or _operation_id(before) != _operation_id(status)):
        worked = max(0, int((now.replace(microsecond=0) - since).total_seconds()))
        status = status.model_copy(update={"active_seconds": status.active_seconds + worked, "active_since": None})
    if is_working(status) and status.active_since is None:
        return status.model_copy(update={"active_since": _second(now)})
    return status


def named_stage(status: LabelingJobStatus, *, is_deleted: bool = False) -> LabelingJobStatus:
    """Return the status with the one word that says where the job stands."""
    return status.model_copy(update={"stage": _stage_word(status, is_deleted=is_deleted)})


def _stage_word(status: LabelingJobStatus, *, is_deleted: bool) -> str:
    if is_deleted:
        return "Deleting"
    if is_finished(status):
        return "Complete" if is_true(status.conditions, ConditionType.COMPLETE) else "Failed"
    if is_refused(status):
        return "Refused"
    if is_suspended(status):
        return "Suspended"
    return "Waiting" if status.operation is None else status.operation.stage.value


def _operation_id(status: LabelingJobStatus) -> str:
    return status.operation.request_id if status.operation else ""


# -- the loop ---------------------------------------------------------------------------------------------------------


def with_inbox(status: LabelingJobStatus, inbox: InboxView | None) -> LabelingJobStatus:
    """Return the status with the counts of the people's side; unchanged while they are not known."""
    if inbox is None:
        return status
    progress = status.progress.model_copy(
        update={
            "votes": inbox.votes,
            "votes_pending": inbox.votes_pending,
            "votes_wanted": inbox.votes_missing,
            "votes_set_aside": inbox.votes_set_aside,
        }
    )
    return status.model_copy(update={"progress": progress})


def stage_running(status: LabelingJobStatus, view: OperationView) -> LabelingJobStatus:
    """Return the status with how far the running operation is."""
    assert status.operation is not None
    operation = status.operation.model_copy(
        update={"done": view.done, "total": view.total, "unit": view.unit, "started_at": _second(view.started)}
    )
    return status.model_copy(update={"operation": operation})


def stage_finished(
    job: LabelingJob, status: LabelingJobStatus, view: OperationView, *, now: datetime
) -> LabelingJobStatus:
    """Return the status with a finished operation copied in, and what follows from it for its stage."""
    assert status.operation is not None
    operation = status.operation
    result = StageResult(
        request_id=operation.request_id,
        attempt=operation.attempt,
        results=dict(view.results),
        figures=dict(view.figures),
        started_at=_second(view.started),
        finished_at=_second(view.updated),
    )
    failures = {stage: count for stage, count in status.failures.items() if stage is not operation.stage}
    status = status.model_copy(update={"operation": None, "failures": failures})
    status = _paid(job, status, result)
    return _FOLDS.get(operation.stage, _round_stage)(job, status, operation.stage, result, now)


def retrying(
    job: LabelingJob, status: LabelingJobStatus, operation: OperationStatus, message: str, *, now: datetime
) -> LabelingJobStatus:
    """Return the status of a job whose stage is tried again."""
    failures = {**status.failures, operation.stage: status.failures.get(operation.stage, 0) + 1}
    status = status.model_copy(update={"operation": operation, "failures": failures})
    return with_condition(
        job, status, ConditionType.PROGRESSING, ConditionStatus.TRUE, Reason.STAGE_RETRYING, message, now=now
    )


def failed(
    job: LabelingJob, status: LabelingJobStatus, reason: Reason | str, message: str, *, now: datetime
) -> LabelingJobStatus:
    """Return the status of a job that goes no further until its spec changes; its operation is the try after that."""
    status = status.model_copy(update={"finished_at": _second(now)})
    status = with_condition(job, status, ConditionType.FAILED, ConditionStatus.TRUE, reason, message, now=now)
    return with_condition(
        job, status, ConditionType.PROGRESSING, ConditionStatus.FALSE, Reason.FINISHED, "the job has failed", now=now
    )


def concluded(
    job: LabelingJob, status: LabelingJobStatus, reason: Reason, message: str, *, now: datetime
) -> LabelingJobStatus:
    """Return the status of a job that is done."""
    status = status.model_copy(update={"finished_at": status.finished_at or _second(now)})
    status = with_condition(job, status, ConditionType.COMPLETE, ConditionStatus.TRUE, reason, message, now=now)
    return with_condition(
        job, status, ConditionType.PROGRESSING, ConditionStatus.FALSE, Reason.FINISHED, "the job is done", now=now
    )


def late_votes(job: LabelingJob, status: LabelingJobStatus, message: str, *, now: datetime) -> LabelingJobStatus:
    """Return the status of a job that waits no longer for the votes that are missing."""
    kind, reason = ConditionType.WAITING_FOR_ANNOTATIONS, Reason.DEADLINE_PASSED
    return with_condition(job, status, kind, ConditionStatus.FALSE, reason, message, now=now)


def round_opened(job: LabelingJob, status: LabelingJobStatus, number: int, *, now: datetime) -> LabelingJobStatus:
    """Return the status with a new round, the one before finished and the oldest summed up."""
    finished = tuple(
        each if each.finished_at else each.model_copy(update={"finished_at": _second(now)}) for each in status.rounds
    )
    rounds = (*finished, RoundStatus(round=number, started_at=_second(now)))
    kept = max(KEPT_ROUNDS, job.spec.stop.patience + 1)
    return status.model_copy(update={"rounds": rounds[-kept:], "earlier": _summed_up(status.earlier, rounds[:-kept])})


def _summed_up(earlier: EarlierRounds | None, gone: Sequence[RoundStatus]) -> EarlierRounds | None:
    for each in gone:
        earlier = _with_one_more(earlier or EarlierRounds(), each)
    return earlier


def _with_one_more(earlier: EarlierRounds, gone: RoundStatus) -> EarlierRounds:
    select = gone.stages.get(Stage.SELECT)
    accuracies = [each for each in (earlier.accuracy, gone.accuracy) if each is not None]
    return EarlierRounds(
        rounds=earlier.rounds + 1,
        batches=earlier.batches + (0 if select is None else 1),
        asked=earlier.asked + (0 if select is None else int(figure(select, "selected"))),
        accuracy=max(accuracies, default=None),
        stages={**earlier.stages, **gone.stages},
    )


def training_skipped(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> LabelingJobStatus:
    """Return the status whose round goes on without Train and Score."""
    current = current_round(status)
    assert current is not None
    least = int(figure(current.stages[Stage.AGGREGATE], "min_class_count"))
    wanted = job.spec.sampling.min_per_class
    skipped = dict.fromkeys((Stage.TRAIN, Stage.SCORE), Reason.NOT_ENOUGH_LABELS.value)
    status = _with_round(status, current.model_copy(update={"skipped": {**current.skipped, **skipped}}))
    if status.model is not None:
        return status
    message = f"a class has {least} labels, sampling.minPerClass is {wanted}: more votes come first"
    return with_condition(
        job,
        status,
        ConditionType.MODEL_PROMOTED,
        ConditionStatus.FALSE,
        Reason.NOT_ENOUGH_LABELS,
        message,
        now=now,
    )


# -- what a finished stage means --------------------------------------------------------------------------------------

Fold = Callable[[LabelingJob, LabelingJobStatus, Stage, StageResult, datetime], LabelingJobStatus]


def _prepared(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    del stage
    items = int(figure(result, "items"))
    prepare = PrepareStatus(
        result=result,
        items=items,
        gold_gate=int(figure(result, "gold_gate")),
        gold_audit=int(figure(result, "gold_audit")),
        item_errors=int(figure(result, "item_errors")),
        data_hash=result.results.get("data_hash", ""),
        finished_rounds=int(result.figures.get("last_round", -1.0)) + 1,
        attempts={Stage.VOTE: int(figure(result, "attempts"))},
    )
    profile = job.spec.profile
    if profile is Profile.AUTO:
        profile = Profile.SMALL if items <= SMALL_PROFILE_ITEMS else Profile.DISTRIBUTED
    status = status.model_copy(
        update={
            "prepare": prepare,
            "profile": status.profile or profile,
            "progress": status.progress.model_copy(update={"items": items}),
            "model": status.model or _adopted_model(prepare),
        }
    )
    message = f"{items:,} items, {prepare.gold_gate + prepare.gold_audit:,} gold, {prepare.item_errors:,} unreadable"
    status = with_condition(
        job, status, ConditionType.DATASET_READY, ConditionStatus.TRUE, Reason.PREPARED, message, now=now
    )
    return _gated(job, status, now)


def _voted(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    votes = int(figure(result, "people_votes"))
    status = _round_stage(job, status, stage, result, now)
    current = current_round(status)
    assert current is not None
    status = _with_round(status, current.model_copy(update={"votes": votes}))
    humans = job.spec.sources.humans
    price = humans.price_per_vote if humans else 0.0
    paid = (votes - status.cost.votes) * price
    cost = status.cost.model_copy(update={"votes": votes, "money": status.cost.money + paid})
    status = status.model_copy(update={"cost": cost})
    return _with_rule_change(job, status, result.results.get("rule_change", ""), now=now)


def _with_rule_change(job: LabelingJob, status: LabelingJobStatus, change: str, *, now: datetime) -> LabelingJobStatus:
    """Return the status with what a change of the rules does; nothing is said until they change for the first time."""
    current, kind = current_round(status), ConditionType.RULES_CHANGED
    number = current.round if current else 0
    if change:
        message = f"round {number}: {change}. This counts from now on"
        return with_condition(job, status, kind, ConditionStatus.TRUE, Reason.RULES_MEASURED, message, now=now)
    if not is_true(status.conditions, kind):
        return status
    message = f"rules are in round {number} as they were in the round before"
    return with_condition(job, status, kind, ConditionStatus.FALSE, Reason.RULES_UNCHANGED, message, now=now)


def _aggregated(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    labelled = int(figure(result, "labelled"))
    status = _round_stage(job, status, stage, result, now)
    current = current_round(status)
    assert current is not None
    progress = status.progress.model_copy(update={"labelled": labelled})
    status = _with_round(status, current.model_copy(update={"labelled": labelled}))
    return _gated(job, status.model_copy(update={"progress": progress}), now)


def _trained(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    status = _round_stage(job, status, stage, result, now)
    current = current_round(status)
    assert current is not None
    promotion = decide_promotion(status, result)
    if promotion.is_promoted:
        reference = result.results["model"]
        model = ModelStatus(
            promoted=reference.rstrip("/").rsplit("/", 1)[-1],
            round=current.round,
            accuracy=result.figures.get("student_accuracy"),
            reference=reference,
            out_of_fold=result.results.get("out_of_fold", ""),
        )
        status = status.model_copy(update={"model": model})
    accuracy = status.model.accuracy if status.model else None
    status = _with_round(status, current.model_copy(update={"accuracy": accuracy}))
    value = ConditionStatus.TRUE if promotion.is_promoted else ConditionStatus.FALSE
    return with_condition(
        job, status, ConditionType.MODEL_PROMOTED, value, promotion.reason, promotion.message, now=now
    )


def _scored(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    status = _round_stage(job, status, stage, result, now)
    current = current_round(status)
    assert current is not None
    return _with_round(status, current.model_copy(update={"prediction_agreement": result.figures.get("kappa")}))


def _finalized(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    del job, stage, now
    progress = status.progress.model_copy(
        update={"labelled": int(figure(result, "human")), "accepted": int(figure(result, "accepted"))}
    )
    return status.model_copy(update={"finalize": result, "progress": progress, "artifacts": dict(result.results)})


def _gated(job: LabelingJob, status: LabelingJobStatus, now: datetime) -> LabelingJobStatus:
    """Return the status with what the quality gates say of its newest figures."""
    value, reason, text = quality_gate(job, status)
    return with_condition(job, status, ConditionType.QUALITY_GATE_PASSED, value, reason, text, now=now)


def _round_stage(
    job: LabelingJob, status: LabelingJobStatus, stage: Stage, result: StageResult, now: datetime
) -> LabelingJobStatus:
    del job, now
    current = current_round(status)
    assert current is not None
    return _with_round(status, current.model_copy(update={"stages": {**current.stages, stage: result}}))


_FOLDS: dict[Stage, Fold] = {
    Stage.PREPARE: _prepared,
    Stage.VOTE: _voted,
    Stage.AGGREGATE: _aggregated,
    Stage.TRAIN: _trained,
    Stage.SCORE: _scored,
    Stage.FINALIZE: _finalized,
}


def _with_round(status: LabelingJobStatus, current: RoundStatus) -> LabelingJobStatus:
    return status.model_copy(update={"rounds": (*status.rounds[:-1], current)})


def _paid(job: LabelingJob, status: LabelingJobStatus, result: StageResult) -> LabelingJobStatus:
    """Return the status with the computing of a finished operation on its bill."""
    cpu, gpu = figure(result, "cpu_seconds"), figure(result, "gpu_seconds")
    prices = job.spec.budget.prices
    cost = status.cost.model_copy(
        update={
            "cpu_seconds": status.cost.cpu_seconds + cpu,
            "gpu_seconds": status.cost.gpu_seconds + gpu,
            "money": status.cost.money + cpu * prices.cpu_second + gpu * prices.gpu_second,
            "currency": job.spec.budget.currency,
        }
    )
    return status.model_copy(update={"cost": cost})


def _adopted_model(prepare: PrepareStatus) -> ModelStatus | None:
    """Return the model of an earlier object of this prefix, None when it had none."""
    reference = prepare.result.results.get("model", "")
    if not reference:
        return None
    return ModelStatus(
        promoted=reference.rsplit("/", 1)[-1],
        round=max(0, prepare.finished_rounds - 1),
        accuracy=prepare.result.figures.get("model_accuracy"),
        reference=reference,
        out_of_fold=prepare.result.results.get("out_of_fold", ""),
    )


def _second(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)
