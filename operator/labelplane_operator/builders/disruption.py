"""How many pods of a job the cluster may take away at once when nodes are emptied."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.names import job_name
from labelplane_operator.builders.metadata import (
    COMPONENT_LABEL,
    JOB_COMPONENT,
    JOB_LABEL,
    TRAINING_COMPONENT,
    object_metadata,
)
from labelplane_operator.builders.platform_settings import Platform

__all__ = ["build_disruption_budget"]


def build_disruption_budget(job: LabelingJob, platform: Platform) -> dict[str, Any]:
    """Return the PodDisruptionBudget: one pod at a time, so that a drain goes on and no round loses all its workers.

    A pod that does not work may always go, and so may a training image's: nobody can tell how many pods a Job should
    have, and one such pod would have the cluster let none of the job's go.
    """
    trains = {"key": COMPONENT_LABEL, "operator": "NotIn", "values": [TRAINING_COMPONENT]}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": object_metadata(job, platform, name=job_name(job), component=JOB_COMPONENT),
        "spec": {
            "selector": {"matchLabels": {JOB_LABEL: job.metadata.name}, "matchExpressions": [trains]},
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
