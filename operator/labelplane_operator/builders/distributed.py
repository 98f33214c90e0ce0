"""Profile Distributed: a Deployment a service, and workers of scoring that follow the queue."""

from typing import Final

from labelplane_api.job import LabelingJob
from labelplane_api.names import part_name
from labelplane_api.parts import Part
from labelplane_api.running import PodOverride
from labelplane_operator.builders.connector import has_connector
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.resources import Resources
from labelplane_operator.builders.scaled_object import is_scaled_by_keda
from labelplane_operator.builders.workloads import NO_OVERRIDE, Workload

__all__ = ["DISTILLATION_RESOURCES", "distributed_workloads"]

_AGGREGATION: Final = Resources(requests={"cpu": "500m", "memory": "2Gi"}, limits={"cpu": "2", "memory": "8Gi"})
_SCORING: Final = Resources(requests={"cpu": "500m", "memory": "1Gi"}, limits={"cpu": "2", "memory": "4Gi"})
_SCORING_WORKER: Final = Resources(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "2", "memory": "4Gi"})
DISTILLATION_RESOURCES: Final = Resources(requests={"cpu": "2", "memory": "4Gi"}, limits={"cpu": "4", "memory": "16Gi"})


def distributed_workloads(
    job: LabelingJob, parts: frozenset[Part], platform: Platform, *, workers: int | None = None
) -> tuple[Workload, ...]:
    """Return the workloads of all parts, those that are not wanted without a pod; None leaves the workers there are."""
    images, overrides = platform.images, job.spec.pod_overrides
    return (
        Workload(
            name=part_name(job, Part.AGGREGATION),
            component=Part.AGGREGATION.value,
            image=images.aggregation,
            module="labelplane_aggregation",
            resources=_AGGREGATION,
            override=overrides.aggregation or NO_OVERRIDE,
            replicas=int(Part.AGGREGATION in parts),
            has_connector=has_connector(job),
            has_rules=True,
        ),
        Workload(
            name=part_name(job, Part.SCORING),
            component=Part.SCORING.value,
            image=images.scoring,
            module="labelplane_scoring",
            resources=_SCORING,
            override=overrides.scoring or NO_OVERRIDE,
            replicas=int(Part.SCORING in parts),
            takes_shards=True,
        ),
        Workload(
            name=part_name(job, Part.SCORING_WORKER),
            component=Part.SCORING_WORKER.value,
            image=images.scoring,
            module="labelplane_scoring.worker",
            resources=_SCORING_WORKER,
            override=overrides.scoring_worker or NO_OVERRIDE,
            replicas=_worker_replicas(job, parts, platform, workers=workers),
            has_service=False,
            takes_shards=True,
            is_single=False,
            # A shard is sized for 5 to 20 s.
            drain_seconds=60,
        ),
        Workload(
            name=part_name(job, Part.DISTILLATION),
            component=Part.DISTILLATION.value,
            image=images.distillation,
            module="labelplane_distillation",
            resources=DISTILLATION_RESOURCES,
            override=_of_distillation(job),
            replicas=int(Part.DISTILLATION in parts),
        ),
    )


def _worker_replicas(
    job: LabelingJob, parts: frozenset[Part], platform: Platform, *, workers: int | None
) -> int | None:
    if platform.queue is None or Part.SCORING_WORKER not in parts:
        return 0
    return None if is_scaled_by_keda(job, platform) else workers


def _of_distillation(job: LabelingJob) -> PodOverride:
    """Return what changes the pod of distillation; the GPU of a training image's Job is not for what only measures."""
    override = job.spec.pod_overrides.distillation or NO_OVERRIDE
    return override.model_copy(update={"resources": None}) if job.spec.model.image else override
