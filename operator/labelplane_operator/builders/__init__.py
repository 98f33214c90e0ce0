"""The Kubernetes objects of a job, as plain dictionaries: what should stand, never how it comes to stand.

A topology (`small`, `distributed`) says which workloads a job has; one module a kind of object turns them into
manifests. Nothing here reads a cluster, a clock or anything random: the same job gives the same objects.
"""

from labelplane_api.names import cleanup_name, training_name
from labelplane_operator.builders.children import Child, build_children
from labelplane_operator.builders.cleanup import build_cleanup, build_cleanup_job, build_holding
from labelplane_operator.builders.metadata import (
    CLEANUP_COMPONENT,
    COMPONENT_LABEL,
    JOB_LABEL,
    QUEUE_LABEL,
    TRAINING_COMPONENT,
)
from labelplane_operator.builders.platform_settings import Images, Platform, Queue
from labelplane_operator.builders.topology import service_name, workload_name

__all__ = [
    "CLEANUP_COMPONENT",
    "COMPONENT_LABEL",
    "JOB_LABEL",
    "QUEUE_LABEL",
    "TRAINING_COMPONENT",
    "Child",
    "Images",
    "Platform",
    "Queue",
    "build_children",
    "build_cleanup",
    "build_cleanup_job",
    "build_holding",
    "cleanup_name",
    "service_name",
    "training_name",
    "workload_name",
]
