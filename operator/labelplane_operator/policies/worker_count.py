"""How many scoring workers a job has now, by what is on its queue and what was there before."""

from datetime import datetime

from labelplane_api.job import LabelingJob
from labelplane_api.running import Profile
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.observed import Observed
from labelplane_operator.policies.scaling import Load, ScalingDecision, ScalingRules, decide_replicas

__all__ = ["decide_workers"]


def decide_workers(
    job: LabelingJob, status: LabelingJobStatus, observed: Observed, *, now: datetime
) -> ScalingDecision | None:
    """Return how many workers should be up; None while nobody scores by workers.

    A queue that cannot be asked is not an empty one: the workers stay.
    """
    operation = status.operation
    if status.profile is not Profile.DISTRIBUTED or operation is None or operation.stage is not Stage.SCORE:
        return None
    history = observed.scaling
    # A clock that was set back does not make the past last longer.
    seconds = max(now.timestamp(), history[-1].at_seconds if history else 0.0)
    load = Load(observed.workers, observed.queue)
    return decide_replicas(load, ScalingRules.of(job.spec.scaling), history, now_seconds=seconds)
