"""Deployments of a job's workloads. How many pods they have is not in them: only `/scale` writes that."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_operator.builders.metadata import COMPONENT_LABEL, JOB_LABEL, object_metadata, queue_labels
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.pods import pod_template
from labelplane_operator.builders.workloads import Workload

__all__ = ["build_deployment", "workload_selector"]


def build_deployment(job: LabelingJob, workload: Workload, platform: Platform) -> dict[str, Any]:
    """Return the Deployment of a workload, without `replicas`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_metadata(
            job, platform, name=workload.name, component=workload.component, more_labels=queue_labels(job)
        ),
        "spec": {
            "selector": {"matchLabels": workload_selector(job, workload)},
            "strategy": {"type": "Recreate" if workload.is_single else "RollingUpdate"},
            "revisionHistoryLimit": 1,
            "template": pod_template(job, workload, platform),
        },
    }


def workload_selector(job: LabelingJob, workload: Workload) -> dict[str, str]:
    """Return the labels that tell a workload's pods from all others."""
    return {JOB_LABEL: job.metadata.name, COMPONENT_LABEL: workload.component}
