"""The Kubernetes objects of a job, as plain dictionaries: what should stand, never how it comes to stand.

A topology (`small`, `distributed`) says which workloads a job has; one module a kind of object turns them into
manifests. Nothing here reads a cluster, a clock or anything random: the same job gives the same objects.
"""

from labelplane_operator.builders.children import Child, build_children
from labelplane_operator.builders.metadata import JOB_LABEL
from labelplane_operator.builders.platform_settings import Images, Platform
from labelplane_operator.builders.topology import service_name, workload_name

__all__ = ["JOB_LABEL", "Child", "Images", "Platform", "build_children", "service_name", "workload_name"]
