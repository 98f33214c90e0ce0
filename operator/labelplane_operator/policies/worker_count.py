"""How many scoring workers a job has now, by what is on its queue and what was there before."""

from dataclasses import dataclass
from datetime import datetime

from labelplane_api.job import LabelingJob
from labelplane_api.running import Profile
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.observed import Observed, ScalingMemory
from labelplane_operator.policies.scaling import Load, ScalingRules, decide_replicas
from labelplane_operator.policies.shard_time import ShardTime

__all__ = ["WorkerCount", "decide_workers"]


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """How many scoring workers there should be.

    Attributes:
        replicas: the number.
        message: why, in words.
        memory: for the next decision.
        seconds_per_shard: what a worker needs for a shard; None before that is known.
    """

    replicas: int
    message: str
    memory: ScalingMemory
    seconds_per_shard: float | None = None


def decide_workers(
    job: LabelingJob, status: LabelingJobStatus, observed: Observed, *, now: datetime
) -> WorkerCount | None:
    """Return how many workers should be up; None while nobody scores by workers.

    A queue that cannot be asked is not an empty one: the workers stay.
    """
    operation = status.operation
    if status.profile is not Profile.DISTRIBUTED or operation is None or operation.stage is not Stage.SCORE:
        return None
    memory = observed.scaling
    # A clock that was set back does not make the past last longer.
    seconds = max(now.timestamp(), memory.history[-1].at_seconds if memory.history else 0.0)
    shard_time = _looked_at(observed, now_seconds=seconds)
    per_shard = shard_time.seconds if shard_time is not None else None
    load = Load(observed.workers, observed.queue, per_shard)
    decision = decide_replicas(load, ScalingRules.of(job.spec.scaling), memory.history, now_seconds=seconds)
    return WorkerCount(
        decision.replicas, decision.message, ScalingMemory(decision.history, shard_time), seconds_per_shard=per_shard
    )


def _looked_at(observed: Observed, *, now_seconds: float) -> ShardTime | None:
    before = observed.scaling.shard_time
    if observed.queue is None:
        return before
    if before is None:
        return ShardTime.begin(observed.queue, now_seconds=now_seconds)
    return before.after(observed.queue, now_seconds=max(now_seconds, before.at_seconds))
