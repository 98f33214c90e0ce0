"""Services of the workloads that are called."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.names import service_object_name
from labelplane_operator.builders.deployments import workload_selector
from labelplane_operator.builders.metadata import object_metadata
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.workloads import Workload

__all__ = ["build_service"]


def build_service(job: LabelingJob, workload: Workload, platform: Platform) -> dict[str, Any]:
    """Return the Service of a workload.

    It is headless: one pod stands behind it, and thousands of jobs would use up a cluster's range of addresses.
    """
    port = {"name": "grpc", "port": platform.service_port, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": object_metadata(
            job, platform, name=service_object_name(workload.name), component=workload.component
        ),
        "spec": {
            "clusterIP": "None",
            "selector": workload_selector(job, workload),
            "ports": [{**port, "protocol": "TCP"}],
        },
    }
