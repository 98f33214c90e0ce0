"""Pods of the API server for containers that no kubelet runs: made, told of and removed by a test's node."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from api_server import ApiError, ApiServer
from hollow_containers import CannotStart

Object = dict[str, Any]

_LONGEST_WORDS = 2048
"""What a kubelet keeps of the end of a log as a termination message."""


@dataclass
class HollowPods:
    """The pods of a namespace that this node has made."""

    server: ApiServer
    namespace: str
    _told: dict[str, Object] = field(default_factory=dict)

    def make(self, name: str, template: Object, *, owner: Object | None = None, gate: str = "") -> None:
        """Make a pod of a template, unless it is there; a gate keeps it from being scheduled."""
        if name in self._told:
            return
        metadata = {**template["metadata"], "name": name, "namespace": self.namespace}
        if owner is not None:
            metadata["ownerReferences"] = [owner]
        spec = template["spec"] | ({"schedulingGates": [{"name": gate}]} if gate else {})
        self.server.create(self._path(), {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        self._told[name] = {}

    def tell(self, name: str, container: Object, *, phase: str, state: Object, before: Sequence[Object] = ()) -> None:
        """Report how a container of the pod is, unless that was reported last.

        Args:
            name: of the pod.
            container: the one that it has, or of several the last one that has begun.
            phase: of the pod.
            state: of the container.
            before: the init containers that have done their work; with them `container` may be one too.
        """
        done = [_told(each, terminated(0, "")) for each in before]
        own = _told(container, state)
        is_init = container.get("isInit", False)
        status: Object = {"phase": phase, "containerStatuses": [] if is_init else [own]}
        if done or is_init:
            status["initContainerStatuses"] = [*done, own] if is_init else done
        if self._told[name] != status:
            path = f"{self._path()}/{name}/status"
            self.server.request("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")
            self._told[name] = status

    def remove(self, name: str) -> None:
        """Remove a pod, if this node has made it."""
        if name in self._told:
            with suppress(ApiError):
                self.server.delete(f"{self._path()}/{name}")
            del self._told[name]

    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"


def creating() -> Object:
    """Return the state of a container whose pod waits for its volumes: why, only events would tell."""
    return {"waiting": {"reason": "ContainerCreating"}}


def waiting(error: CannotStart) -> Object:
    """Return the state of a container that cannot be made."""
    return {"waiting": {"reason": error.reason, "message": str(error)}}


def terminated(code: int, said: str) -> Object:
    """Return the state of a container that has ended."""
    reason = "Completed" if code == 0 else "Error"
    return {"terminated": {"exitCode": code, "reason": reason, "message": said[-_LONGEST_WORDS:] if code else ""}}


def _told(container: Object, state: Object) -> Object:
    about = {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0}
    return {**about, "ready": "running" in state, "state": state}
