"""The ServiceAccount of a job's pods: an identity for clouds and queues, without rights on the API server."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.names import job_name
from labelplane_operator.builders.metadata import JOB_COMPONENT, object_metadata
from labelplane_operator.builders.platform_settings import Platform

__all__ = ["build_service_account"]


def build_service_account(job: LabelingJob, platform: Platform) -> dict[str, Any]:
    """Return the ServiceAccount; what others annotate it with, as clouds do for a role, stays."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": object_metadata(job, platform, name=job_name(job), component=JOB_COMPONENT),
        "automountServiceAccountToken": False,
    }
