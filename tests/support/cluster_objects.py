"""Any object on a test's API server, by what its manifest says of itself."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_server import ApiServer

Manifest = dict[str, Any]


@dataclass
class ClusterObjects:
    """Finds the path of an object from the server's own discovery."""

    server: ApiServer
    _resources: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict, repr=False)

    def path(self, manifest: Manifest) -> str:
        """Return where an object lies, or would lie."""
        metadata = manifest["metadata"]
        plural, is_namespaced = self._resource(manifest["apiVersion"], manifest["kind"])
        inside = f"namespaces/{metadata['namespace']}/" if is_namespaced else ""
        return f"{_group_path(manifest['apiVersion'])}/{inside}{plural}/{metadata['name']}"

    def apply(self, manifest: Manifest, **query: str) -> Manifest:
        """Apply an object server-side; a field that the server does not know is an error."""
        return self.server.apply(self.path(manifest), manifest, fieldValidation="Strict", **query)

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        if (version, kind) not in self._resources:
            for each in self.server.get(_group_path(version))["resources"]:
                if "/" not in each["name"]:
                    self._resources[version, each["kind"]] = (each["name"], each["namespaced"])
        return self._resources[version, kind]


def _group_path(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def as_service_account(server: ApiServer, namespace: str, name: str, folder: Path) -> ApiServer:
    """Return a client with the rights of a ServiceAccount, by a token of the server's; its files go to `folder`."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    issued = server.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
    return ApiServer(port=server.port, token=issued["status"]["token"], certificate=server.certificate, folder=folder)
