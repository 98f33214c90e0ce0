"""Who may call a job's pods, and whom they may call: what the picture of the architecture draws, and nothing else."""

from collections.abc import Iterator
from typing import Any, Final

from labelplane_api.dataset import Storage
from labelplane_api.job import LabelingJob
from labelplane_api.names import job_name
from labelplane_operator.builders.connector import label_studio_of
from labelplane_operator.builders.metadata import (
    COMPONENT_LABEL,
    JOB_COMPONENT,
    JOB_LABEL,
    NAME_LABEL,
    object_metadata,
)
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.storage import endpoint_address, url_address
from labelplane_operator.builders.topology import is_distributed

__all__ = ["build_network_policy"]

_CALLERS: Final = ("operator", "review")
_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_HTTPS_PORT: Final = 443
_CLOUD_IDENTITY: Final = ("169.254.169.254/32", "169.254.170.23/32")
"""Where pods of the large clouds ask for credentials of their own."""


def build_network_policy(job: LabelingJob, platform: Platform) -> dict[str, Any]:
    """Return the NetworkPolicy of all pods of a job."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": object_metadata(job, platform, name=job_name(job), component=JOB_COMPONENT),
        "spec": {
            "podSelector": _own_pods(job),
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _ingress(job, platform),
            "egress": list(_egress(job, platform)),
        },
    }


def _ingress(job: LabelingJob, platform: Platform) -> list[dict[str, Any]]:
    everywhere: dict[str, Any] = {"namespaceSelector": {}}
    return [
        {"from": [_callers(platform), {"podSelector": _own_pods(job)}], "ports": [_tcp(platform.service_port)]},
        {"from": [everywhere], "ports": [_tcp(platform.metrics_port)]},
    ]


def _egress(job: LabelingJob, platform: Platform) -> Iterator[dict[str, Any]]:
    # To any address: caches on the node and the clouds' resolvers are no pods.
    yield {"ports": [{"protocol": "UDP", "port": 53}, _tcp(53)]}
    yield {"to": [{"podSelector": _own_pods(job)}], "ports": [_tcp(platform.service_port)]}
    yield from _to_storage(job.spec.storage)
    yield from _to_label_studio(job)
    if platform.queue is not None and is_distributed(job):
        yield {"ports": [_tcp(port) for port in platform.queue.ports]}


def _to_storage(storage: Storage) -> Iterator[dict[str, Any]]:
    host, port = endpoint_address(storage)
    yield {"ports": [_tcp(port)]}
    if (peer := _peer_in_cluster(host)) is not None:
        # A policy sees the port of the pod, which need not be the one of its Service.
        yield {"to": [peer]}
    if storage.credentials_secret is None:
        yield {"to": [{"ipBlock": {"cidr": cidr}} for cidr in _CLOUD_IDENTITY], "ports": [_tcp(80)]}
        if port != _HTTPS_PORT:
            yield {"ports": [_tcp(_HTTPS_PORT)]}


def _to_label_studio(job: LabelingJob) -> Iterator[dict[str, Any]]:
    if (server := label_studio_of(job)) is None:
        return
    host, port = url_address(server.url)
    yield {"ports": [_tcp(port)]}
    if (peer := _peer_in_cluster(host)) is not None:
        yield {"to": [peer]}


def _peer_in_cluster(host: str) -> dict[str, Any] | None:
    """Return the pods that a Service's name may stand for; None for a name that is surely outside."""
    labels = host.rstrip(".").split(".") if host and ":" not in host else []
    if len(labels) == 1:
        return {"podSelector": {}}
    if len(labels) == 2 or (len(labels) > 2 and labels[2] == "svc"):
        return {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: labels[1]}}}
    return None


def _callers(platform: Platform) -> dict[str, Any]:
    namespace = {"matchLabels": {_NAMESPACE_LABEL: platform.namespace}} if platform.namespace else {}
    return {
        "namespaceSelector": namespace,
        "podSelector": {
            "matchLabels": {NAME_LABEL: "labelplane"},
            "matchExpressions": [{"key": COMPONENT_LABEL, "operator": "In", "values": list(_CALLERS)}],
        },
    }


def _own_pods(job: LabelingJob) -> dict[str, Any]:
    return {"matchLabels": {NAME_LABEL: "labelplane", JOB_LABEL: job.metadata.name}}


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
