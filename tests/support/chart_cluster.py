"""An API server as the tests of the chart want it: namespaces, and kinds named as the Prometheus Operator's are."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api_server import ApiError, ApiServer
from cluster_objects import ClusterObjects, as_service_account
from helm import NAMESPACE, RELEASE, Chart, Release
from operator_rights import Right, await_right

WATCHED: Final = ("chart-watched-a", "chart-watched-b")
"""Namespaces of jobs that the namespaced operator watches."""
ELSEWHERE: Final = "chart-elsewhere"
"""One that it does not."""
_RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
_RESOURCES_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Installed:
    """A release on the server, and the API as its operator may use it.

    Attributes:
        namespace: where the release is.
        watched: the namespaces that the operator watches; none means all.
        operator: a client with the rights of the operator's ServiceAccount.
    """

    namespace: str
    watched: tuple[str, ...]
    operator: ApiServer


def prepare(server: ApiServer) -> ClusterObjects:
    """Make what the sets of values name, and return the server's objects."""
    for name in (NAMESPACE, *WATCHED, ELSEWHERE, "labelling-a", "labelling-b"):
        server.make_namespace(name)
    objects = ClusterObjects(server)
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": _RESTRICTED}})
    for plural, kind in (("servicemonitors", "ServiceMonitor"), ("prometheusrules", "PrometheusRule")):
        objects.apply(_open_definition("monitoring.coreos.com", plural, kind))
    await_resources(server, "/apis/monitoring.coreos.com/v1", count=2)
    return objects


@contextmanager
def installed(
    chart: Chart, server: ApiServer, folder: Path, *, namespace: str, watched: tuple[str, ...] = ()
) -> Iterator[Installed]:
    """Install the chart in a new namespace, and remove the release afterwards."""
    server.make_namespace(namespace)
    release = Release(chart, server.kubeconfig(), RELEASE, namespace)
    release.install({"watchNamespaces": list(watched)})
    await_resources(server, "/apis/labelplane.io/v1alpha1", count=2)
    client = as_service_account(server, namespace, "labelplane-operator", folder)
    for each in watched or (ELSEWHERE,):
        await_right(client, Right("list", "labelplane.io", "labelingjobs"), each)
    await_right(client, Right("create", "coordination.k8s.io", "leases"), namespace)
    try:
        yield Installed(namespace, watched, client)
    finally:
        client.close()
        release.uninstall()


def await_resources(server: ApiServer, path: str, *, count: int) -> None:
    """Return once the server serves so many resources of an API version.

    Raises:
        RuntimeError: it does not in a minute.
    """
    deadline = time.monotonic() + _RESOURCES_SECONDS
    while time.monotonic() < deadline:
        try:
            if len(server.get(path)["resources"]) >= count:
                return
        except ApiError:
            time.sleep(0.05)
    raise RuntimeError(f"{path} is not served")


def _open_definition(group: str, plural: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": kind, "listKind": f"{kind}List", "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }
