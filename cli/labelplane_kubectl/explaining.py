"""Why a job is where it is, and what comes next, in sentences. What is next is what the operator's own planner says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, find_condition, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.sources import Connector
from labelplane_api.status import LabelingJobStatus, OperationStatus, Stage
from labelplane_cli.display import duration, money
from labelplane_kubectl.seen_job import SeenJob
from labelplane_kubectl.workloads import Workload
from labelplane_operator.history import current_round, is_finished, is_refused, is_suspended, is_taken
from labelplane_operator.observed import InboxView, Problem
from labelplane_operator.policies.batches import affordable_items, votes_left
from labelplane_operator.policies.deadlines import work_left
from labelplane_operator.policies.parts import wanted_parts
from labelplane_operator.policies.steps import Finish, OpenRound, RunStage, SkipTraining, Step, next_step
from labelplane_operator.policies.stopping import decide_stop
from labelplane_operator.policies.waiting import GiveUp, Wait

__all__ = ["Scene", "explain"]

_DOES: Final[Mapping[Stage, str]] = {
    Stage.PREPARE: "claims the output prefix and indexes the data set",
    Stage.VOTE: "reads the votes that have come",
    Stage.AGGREGATE: "infers labels and the reliability of annotators from the votes",
    Stage.TRAIN: "trains the teacher and distils the student",
    Stage.SCORE: "lets the student predict every item",
    Stage.SELECT: "chooses the items that people are asked about",
    Stage.REVIEW: "hands the chosen items to people",
    Stage.FINALIZE: "writes labels, model and report",
}
_FOLLOWS: Final[Mapping[Stage, str]] = {
    Stage.PREPARE: "the first round begins with Vote",
    Stage.VOTE: "Aggregate",
    Stage.AGGREGATE: "Train, or Select without a model where a class has fewer than sampling.minPerClass labels",
    Stage.TRAIN: "Score",
    Stage.SCORE: "Select, or Finalize where a stop rule holds",
    Stage.SELECT: "Review, or Finalize where there was nothing left to choose",
    Stage.REVIEW: "people are waited for, and their votes begin the next round",
    Stage.FINALIZE: "the job is complete",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What an explanation is made of.

    Attributes:
        seen: the job.
        workloads: what runs for it; None where that could not be read.
        problem: what keeps its pods from running just now.
    """

    seen: SeenJob
    workloads: tuple[Workload, ...] | None = ()
    problem: Problem | None = None


def explain(scene: Scene, *, now: datetime) -> list[str]:
    """Return the sentences, where the job stands first."""
    return [*_unseen(scene.seen), *_state(scene, now=now)]


def _unseen(seen: SeenJob) -> Iterator[str]:
    if not seen.status.conditions:
        yield (
            f"No operator has written anything about {seen.name} yet, which it does within seconds: see that "
            "one runs and watches this namespace (kubectl get pods -A -l app.kubernetes.io/name=labelplane)."
        )
    elif not seen.is_seen:
        yield (
            f"The spec has changed since (generation {seen.generation}; the status is about "
            f"{seen.status.observed_generation}): what follows may be out of date in a moment."
        )


def _state(scene: Scene, *, now: datetime) -> Iterator[str]:
    seen = scene.seen
    status = seen.status
    if seen.is_being_deleted:
        yield from _deleting(seen)
    elif is_finished(status):
        yield from _finished(seen)
    elif is_taken(status):
        yield from _taken(seen, now=now)
    elif is_refused(status):
        yield f"It is refused, and nothing of it runs: {_message(status, ConditionType.ACCEPTED)}."
        yield "It goes on by itself when the spec is changed so that this no longer holds."
    elif is_suspended(status) or seen.is_to_rest:
        yield from _suspended(seen, now=now)
    elif status.operation is not None:
        yield from _working(scene, status.operation, now=now)
    elif status.conditions:
        yield from _between(scene, now=now)


# -- at rest ----------------------------------------------------------------------------------------------------------


def _deleting(seen: SeenJob) -> Iterator[str]:
    yield "It is deleted, and held until its results are removed (output.deletionPolicy: Delete)."
    progressing = find_condition(seen.status.conditions, ConditionType.PROGRESSING)
    if progressing is not None and progressing.message:
        yield _sentence(progressing.message)


def _finished(seen: SeenJob) -> Iterator[str]:
    status = seen.status
    if is_true(status.conditions, ConditionType.COMPLETE):
        complete = _condition(status, ConditionType.COMPLETE)
        because = complete.message or "every item is labelled"
        yield f"It is complete ({complete.reason}): {because}."
        yield f"{_progress(seen)}; no pod of it is left."
        yield from _gate(seen)
        yield from _results(seen)
        return
    failed = _condition(status, ConditionType.FAILED)
    yield f"It has failed ({failed.reason}): {failed.message}."
    again = f" with {_try(status.operation)}" if status.operation is not None else ""
    yield f"Nothing of it runs. Mend what the message says, then change the spec: it goes on{again}."


def _results(seen: SeenJob) -> Iterator[str]:
    artifacts = ", ".join(f"{name} {place}" for name, place in sorted(seen.status.artifacts.items()))
    if artifacts:
        where = f" below {seen.job.address_below(seen.job.spec.storage.uri)}" if seen.job else ""
        yield f"Its results lie{where}: {artifacts}."


def _taken(seen: SeenJob, *, now: datetime) -> Iterator[str]:
    yield f"It waits for another job to leave its output prefix: {_message(seen.status, ConditionType.ACCEPTED)}."
    operation = seen.status.operation
    if operation is not None and operation.not_before is not None:
        yield f"It asks for the prefix again {_at(operation.not_before, now=now)}, and at once when the spec changes."


def _suspended(seen: SeenJob, *, now: datetime) -> Iterator[str]:
    if not seen.is_to_rest:
        yield "run.suspend is false again: it goes on as soon as the operator has seen it."
    elif is_suspended(seen.status):
        yield "It is suspended (run.suspend is true): no pod of it is up, and none of its clocks runs."
    else:
        yield "It is to be suspended (run.suspend is true): its pods go as soon as the operator has seen it."
    if seen.is_to_rest:
        yield f"kubectl labelplane resume {seen.name} lets it go on: {_resumes(seen, now=now)}."


def _resumes(seen: SeenJob, *, now: datetime) -> str:
    if seen.status.operation is not None:
        return f"{_named(seen.status.operation)} continues from what it has stored"
    if seen.job is None:
        return "it stands between two stages"
    return _step(next_step(seen.job, seen.status, _inbox(seen.status), now=now))


# -- at work ----------------------------------------------------------------------------------------------------------


def _working(scene: Scene, operation: OperationStatus, *, now: datetime) -> Iterator[str]:
    status, is_delayed = scene.seen.status, operation.not_before is not None and operation.not_before > now
    most = f" (of {scene.seen.job.spec.stop.max_rounds} at most)" if scene.seen.job and status.rounds else ""
    yield f"It {'is to do' if is_delayed else 'does'} {_named(operation)}{most}, which {_DOES[operation.stage]}."
    yield from _failures(scene.seen, operation, now=now)
    if not is_delayed:
        yield from _pods(scene)
        yield from _pace(operation, now=now)
    yield f"Then: {_follows(scene.seen, operation)}."
    yield from _outlook(scene.seen, now=now)


def _follows(seen: SeenJob, operation: OperationStatus) -> str:
    """Return what follows a stage that succeeds; what it will find decides where there is a choice."""
    if operation.stage is Stage.SCORE and seen.job is not None and decide_stop(seen.job, seen.status) is not None:
        return "Finalize"
    return _FOLLOWS[operation.stage]


def _failures(seen: SeenJob, operation: OperationStatus, *, now: datetime) -> Iterator[str]:
    count = seen.status.failures.get(operation.stage, 0)
    if not count:
        return
    limit = f" of {seen.job.spec.run.backoff_limit + 1} times that it may (run.backoffLimit)" if seen.job else ""
    yield f"{operation.stage} has failed {count} time{'s' if count > 1 else ''}{limit}."
    progressing = find_condition(seen.status.conditions, ConditionType.PROGRESSING)
    if progressing is not None and progressing.message:
        yield f"The operator says: {progressing.message}."
    if operation.not_before is not None and operation.not_before > now:
        yield f"The next try, number {operation.attempt}, is {_at(operation.not_before, now=now)}."


def _pods(scene: Scene) -> Iterator[str]:
    """Say what keeps it from running, as the pods show it now, else as the operator has written it."""
    if scene.problem is not None:
        yield f"Its pods cannot run ({scene.problem.reason}): {scene.problem.message}."
        return
    progressing = find_condition(scene.seen.status.conditions, ConditionType.PROGRESSING)
    if progressing is not None and progressing.status is ConditionStatus.FALSE:
        yield f"It does not get on ({progressing.reason}): {progressing.message}."
    elif scene.workloads is not None and wanted_parts(scene.seen.status):
        if not scene.workloads:
            yield "Its Deployments are not there yet: the operator makes them."
        elif (late := [each for each in scene.workloads if each.ready < each.wanted]) != []:
            yield f"It waits for pods to be ready: {', '.join(_ready(each) for each in late)}."


def _ready(workload: Workload) -> str:
    return f"Deployment {workload.name} has {workload.ready} of {workload.wanted}"


def _pace(operation: OperationStatus, *, now: datetime) -> Iterator[str]:
    if operation.started_at is None:
        return
    since = f"It has run for {duration(max(0.0, (now - operation.started_at).total_seconds()))}"
    if not operation.total:
        yield f"{since}."
        return
    yield f"{since}; {operation.done:,} of {operation.total:,} {operation.unit}".rstrip() + " are done."


def _between(scene: Scene, *, now: datetime) -> Iterator[str]:
    """Say what comes next where no stage runs: people are waited for, or the operator is about to begin a stage."""
    seen = scene.seen
    job, status = seen.job, seen.status
    if job is None:
        waiting = find_condition(status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS)
        yield _sentence(waiting.message) if waiting is not None else "No stage of it runs."
        return
    step = next_step(job, status, _inbox(status), now=now)
    if not isinstance(step, Wait):
        yield f"No stage of it runs just now. Next: {_step(step)}."
    else:
        yield from _waiting(seen, job, step, now=now)
        yield from _pods(scene)
        yield "Then: the next round begins with Vote and Aggregate."
    yield from _outlook(seen, now=now)


def _waiting(seen: SeenJob, job: LabelingJob, step: Wait, *, now: datetime) -> Iterator[str]:
    current = current_round(seen.status)
    number = current.round if current else 0
    yield f"Round {number} has asked, and {step.missing or 0:,} votes are missing: it waits for {_who(job)}."
    if step.until is not None:
        then = "goes on with the votes there are" if job.spec.review.on_deadline == "Proceed" else "fails"
        yield f"It waits until {step.until:%Y-%m-%d %H:%M:%S} UTC ({_in(step.until, now=now)}), then it {then}."
    else:
        yield "It waits as long as that takes (review.deadlineSeconds is not set)."


def _who(job: LabelingJob) -> str:
    humans = job.spec.sources.humans
    if humans is None:
        return "nobody, as sources.humans is not set"
    if humans.connector is Connector.SIMULATED:
        return "the simulated crowd, which answers by itself"
    if humans.connector is Connector.FILES and humans.files is not None:
        return f"people, whose files of votes it looks for at {humans.files.uri}"
    if humans.label_studio is not None:
        return f"people at Label Studio, {humans.label_studio.url}"
    return f"people, by {humans.connector}"


# -- what is to come --------------------------------------------------------------------------------------------------


def _outlook(seen: SeenJob, *, now: datetime) -> Iterator[str]:
    """Say how the job will end, and what bounds it until then."""
    job, status = seen.job, seen.status
    if job is None or status.prepare is None:
        return
    if (stop := decide_stop(job, status)) is not None and not _is_asking(status):
        yield f"It asks nobody any more ({stop.reason}): {stop.message}."
    else:
        yield f"{_progress(seen)}. It ends at the first of: {'; '.join(_ends(job, status))}."
    yield from _gate(seen)
    left = work_left(job, status, now=now)
    if left is not None:
        yield f"It may work for another {duration(max(0.0, left))} (run.activeDeadlineSeconds)."


def _is_asking(status: LabelingJobStatus) -> bool:
    current = current_round(status)
    return current is not None and Stage.SELECT in current.stages


def _ends(job: LabelingJob, status: LabelingJobStatus) -> Iterator[str]:
    stop, budget, current = job.spec.stop, job.spec.budget, current_round(status)
    yield f"round {stop.max_rounds} (now {current.round if current else 0})"
    if stop.target_accuracy is not None:
        known = status.model.accuracy if status.model else None
        now_at = "not measured yet" if known is None else f"now {100 * known:.1f} %"
        yield f"accuracy {100 * stop.target_accuracy:g} % ({now_at})"
    if stop.minimum_gain is not None:
        yield f"a gain below {100 * stop.minimum_gain:g} points a round"
    if stop.prediction_agreement is not None:
        yield f"predictions that agree with kappa {stop.prediction_agreement:g}"
    if budget.votes is not None or budget.money is not None:
        votes, items = votes_left(job, status), affordable_items(job, status)
        yield f"the end of the budget, which pays for {votes:,.0f} more votes ({items:,.0f} items)"
    if budget.money is not None:
        yield f"{money(budget.money, budget.currency)} spent (now {money(status.cost.money, budget.currency)})"
    yield "no item left to ask about"


def _gate(seen: SeenJob) -> Iterator[str]:
    gate = find_condition(seen.status.conditions, ConditionType.QUALITY_GATE_PASSED)
    if gate is None or gate.status is ConditionStatus.TRUE or not gate.message:
        return
    if gate.status is ConditionStatus.FALSE:
        yield f"A quality gate is missed, so nothing is accepted from the model or exported: {gate.message}."
    else:
        yield f"The quality is not known ({gate.reason}): {gate.message}."


def _progress(seen: SeenJob) -> str:
    progress = seen.status.progress
    items = progress.items or (seen.status.prepare.items if seen.status.prepare else 0)
    accepted = f" and {progress.accepted:,} accepted from the model" if progress.accepted else ""
    return f"{progress.labelled:,} of {items:,} items are decided by people{accepted}, with {progress.votes:,} votes"


# -- words ------------------------------------------------------------------------------------------------------------


def _inbox(status: LabelingJobStatus) -> InboxView | None:
    """Return the people's side as the status has it; None before there is any."""
    if status.prepare is None:
        return None
    progress = status.progress
    return InboxView(progress.votes, progress.votes_pending, progress.votes_wanted, progress.votes_set_aside)


def _step(step: Step) -> str:
    match step:
        case OpenRound(number, late):
            return f"round {number}" + (f" ({late})" if late else "")
        case SkipTraining():
            return "Select without a model, as a class has too few labels"
        case RunStage(stage, stop):
            return f"{stage}" + (f" ({stop.reason}: {stop.message})" if stop else "")
        case Wait(missing):
            return f"waiting for {missing or 0:,} votes"
        case GiveUp(reason, message):
            return f"failing ({reason}: {message})"
        case Finish():
            return "its end, as everything is done"


def _named(operation: OperationStatus) -> str:
    return str(operation.stage) if operation.stage is Stage.PREPARE else f"{operation.stage} of round {operation.round}"


def _try(operation: OperationStatus) -> str:
    return f"try {operation.attempt} of {_named(operation)}"


def _condition(status: LabelingJobStatus, kind: ConditionType) -> Condition:
    found = find_condition(status.conditions, kind)
    assert found is not None  # the caller has seen it
    return found


def _message(status: LabelingJobStatus, kind: ConditionType) -> str:
    found = _condition(status, kind)
    return f"{found.message} ({found.reason})" if found.message else found.reason


def _at(moment: datetime, *, now: datetime) -> str:
    return f"at {moment:%H:%M:%S} UTC ({_in(moment, now=now)})"


def _in(moment: datetime, *, now: datetime) -> str:
    seconds = (moment - now).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else f"{duration(-seconds)} ago"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
