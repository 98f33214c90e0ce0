"""Profile Small: one pod is all services. Every job begins in it, as Prepare counts the items."""

from typing import Final

from labelplane_api.job import LabelingJob
from labelplane_api.names import job_name
from labelplane_api.parts import Part
from labelplane_operator.builders.connector import has_connector
from labelplane_operator.builders.metadata import SMALL_COMPONENT
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.resources import Resources
from labelplane_operator.builders.workloads import NO_OVERRIDE, Workload

__all__ = ["small_workloads"]

_RESOURCES: Final = Resources(requests={"cpu": "1", "memory": "2Gi"}, limits={"cpu": "4", "memory": "8Gi"})


def small_workloads(job: LabelingJob, parts: frozenset[Part], platform: Platform) -> tuple[Workload, ...]:
    """Return the one workload, up while any part is wanted."""
    workload = Workload(
        name=job_name(job),
        component=SMALL_COMPONENT,
        image=platform.images.small,
        module="labelplane_small",
        resources=_RESOURCES,
        override=job.spec.pod_overrides.small or NO_OVERRIDE,
        replicas=1 if parts else 0,
        has_connector=has_connector(job),
        has_rules=True,
    )
    return (workload,)
