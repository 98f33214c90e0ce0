"""How many pods of a job the cluster may take away at once when nodes are emptied."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.names import job_name
from labelplane_operator.builders.metadata import JOB_COMPONENT, JOB_LABEL, object_metadata
from labelplane_operator.builders.platform_settings import Platform

__all__ = ["build_disruption_budget"]


def build_disruption_budget(job: LabelingJob, platform: Platform) -> dict[str, Any]:
    """Return the PodDisruptionBudget: one pod at a time, so that a drain goes on and no round loses all its workers.

    A pod that does not work may always go.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": object_metadata(job, platform, name=job_name(job), component=JOB_COMPONENT),
        "spec": {
            "selector": {"matchLabels": {JOB_LABEL: job.metadata.name}},
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
