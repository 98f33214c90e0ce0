"""Labels, owner and annotations: what every object of a job carries."""

from collections.abc import Mapping
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_operator.builders.platform_settings import Platform

__all__ = [
    "CLEANUP_COMPONENT",
    "COMPONENT_LABEL",
    "JOB_COMPONENT",
    "JOB_LABEL",
    "NAME_LABEL",
    "QUEUE_LABEL",
    "SMALL_COMPONENT",
    "TRAINING_COMPONENT",
    "labels",
    "object_metadata",
    "queue_labels",
]

NAME_LABEL: Final = "app.kubernetes.io/name"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
JOB_LABEL: Final = "labelplane.io/job"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
INSTALLATION_ANNOTATION: Final = "labelplane.io/installation"

SMALL_COMPONENT: Final = "small"
CLEANUP_COMPONENT: Final = "cleanup"
TRAINING_COMPONENT: Final = "training"
JOB_COMPONENT: Final = "job"
"""Of objects that all workloads of a job share; it is the same in every profile, as a Secret cannot be changed."""


def labels(job: LabelingJob, component: str) -> dict[str, str]:
    """Return the labels of an object of a job."""
    return {
        NAME_LABEL: "labelplane",
        "app.kubernetes.io/managed-by": "labelplane",
        COMPONENT_LABEL: component,
        JOB_LABEL: job.metadata.name,
    }


def queue_labels(job: LabelingJob) -> dict[str, str]:
    """Return the label by which Kueue admits what runs; none without a queue."""
    queue = job.spec.scheduling.queue_name
    return {QUEUE_LABEL: queue} if queue else {}


def object_metadata(
    job: LabelingJob, platform: Platform, *, name: str, component: str, more_labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the metadata of an object that goes when its job goes.

    Raises:
        ValueError: the job is not on a cluster, so nothing can be owned by it.
    """
    if job.metadata.uid is None:
        raise ValueError(f"job {job.key} has no uid: only a job of an API server owns objects")
    owner = {
        "apiVersion": job.api_version,
        "kind": job.kind,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": name,
        "namespace": job.metadata.namespace,
        "labels": {**labels(job, component), **(more_labels or {})},
        "annotations": {INSTALLATION_ANNOTATION: platform.installation},
        "ownerReferences": [owner],
    }
