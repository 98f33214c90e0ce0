"""Jobs on a cluster as the plugin of kubectl meets them: statuses that the planner itself has written."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from job_builder import JobBuilder, make_cluster_job
from planned_world import CLUSTER, START, PlannedWorld
from recorded_kubectl import RecordedKubectl

from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus
from labelplane_kubectl.__main__ import invoke
from labelplane_kubectl.options import PluginSession
from labelplane_kubectl.seen_job import SeenJob, read_job

Object = dict[str, Any]

AFTER = START + timedelta(minutes=30)


@dataclass
class SetClock:
    """A clock that stands, or moves when somebody pauses."""

    time: datetime = AFTER
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.time += timedelta(seconds=seconds)


def cluster_world(builder: JobBuilder | None = None, **changes: Any) -> PlannedWorld:
    """Return a planner's world of a job on a cluster, whose stages take a quarter of a minute."""
    job = (builder or make_cluster_job()).build()
    return PlannedWorld(job, installation=CLUSTER, **changes)


def manifest(job: LabelingJob, **metadata: Any) -> Object:
    """Return a job as the API server has it."""
    found = job.to_manifest()
    found["metadata"] |= {"creationTimestamp": START.isoformat(), "generation": job.metadata.generation, **metadata}
    return found


def seen(job: LabelingJob, **metadata: Any) -> SeenJob:
    """Return a job as the plugin reads it."""
    return read_job(manifest(job, **metadata))


def with_times(job: LabelingJob, *, seconds: float = 15.0) -> LabelingJob:
    """Return the job with every finished stage having taken so long, and rounds as long as their stages."""
    rounds = tuple(
        each.model_copy(
            update={
                "stages": {
                    stage: result.model_copy(
                        update={"started_at": START, "finished_at": START + timedelta(seconds=seconds + each.round)}
                    )
                    for stage, result in each.stages.items()
                }
            }
        )
        for each in job.status.rounds
    )
    status: LabelingJobStatus = job.status.model_copy(update={"rounds": rounds})
    return job.with_status(status)


@dataclass
class Plugin:
    """The plugin over a recorded kubectl."""

    kubectl: RecordedKubectl = field(default_factory=RecordedKubectl)
    clock: SetClock = field(default_factory=SetClock)

    def run(self, *arguments: str) -> int:
        session = PluginSession(kubectl=self.kubectl, clock=self.clock, pause=self.clock.pause)
        return invoke(arguments, session)


def plugin(jobs: Sequence[LabelingJob], *children: Object, **kubectl: Any) -> Plugin:
    """Return the plugin before a cluster with these jobs and their Deployments and pods."""
    recorded = RecordedKubectl(jobs=[manifest(each) for each in jobs], children=list(children))
    return Plugin(replace(recorded, **kubectl))
