"""Which step of the loop is next (architecture, section 5): facts of the status decide, never a stored position."""

from dataclasses import dataclass
from datetime import datetime

from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage
from labelplane_operator.history import current_round, is_settled
from labelplane_operator.observed import InboxView
from labelplane_operator.policies.stopping import Stop, decide_stop
from labelplane_operator.policies.training import has_enough_labels
from labelplane_operator.policies.waiting import GiveUp, GoOn, Wait, decide_waiting

__all__ = ["Finish", "OpenRound", "RunStage", "SkipTraining", "Step", "next_step"]


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round begins; `late` says which votes the one before did without, empty when it has them all."""

    number: int
    late: str = ""


@dataclass(frozen=True, slots=True)
class SkipTraining:
    """The round goes on without Train and Score."""


@dataclass(frozen=True, slots=True)
class RunStage:
    """A stage is to run; `stop` says why it is the last one."""

    stage: Stage
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything is done."""

    stop: Stop | None


Step = OpenRound | SkipTraining | RunStage | Wait | GiveUp | Finish


def next_step(job: LabelingJob, status: LabelingJobStatus, inbox: InboxView | None, *, now: datetime) -> Step:
    """Return the next step."""
    if status.finalize is not None:
        return Finish(decide_stop(job, status))
    if status.prepare is None:
        return RunStage(Stage.PREPARE)
    current = current_round(status)
    if current is None:
        return OpenRound(status.prepare.finished_rounds)
    if (step := _step_in_round(job, status, current)) is not None:
        return step
    decided = decide_waiting(job, status, inbox, now=now)
    return OpenRound(current.round + 1, late=decided.late) if isinstance(decided, GoOn) else decided


def _step_in_round(job: LabelingJob, status: LabelingJobStatus, current: RoundStatus) -> Step | None:
    """Return the next step up to and with Review, None when the round has done them all."""
    for stage in (Stage.VOTE, Stage.AGGREGATE):
        if not is_settled(current, stage):
            return RunStage(stage)
    for stage in (Stage.TRAIN, Stage.SCORE):
        if not is_settled(current, stage):
            return RunStage(stage) if has_enough_labels(job, current) else SkipTraining()
    is_asking = Stage.SELECT in current.stages and Stage.REVIEW in current.stages
    if not is_asking and (stop := decide_stop(job, status)) is not None:
        return RunStage(Stage.FINALIZE, stop=stop)
    for stage in (Stage.SELECT, Stage.REVIEW):
        if not is_settled(current, stage):
            return RunStage(stage)
    return None
