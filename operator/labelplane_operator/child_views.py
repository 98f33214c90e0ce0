"""From pods, Deployments and Jobs as the API server holds them to the plain views that policies read."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from labelplane_operator.observed import CleanupState, CleanupView, ContainerView, DeploymentView, PodView

__all__ = ["cleanup_view", "deployment_view", "pod_view"]

Object = dict[str, Any]


def pod_view(pod: Object) -> PodView:
    """Return a pod; what its status does not say yet is empty."""
    status = pod.get("status", {})
    images = {each["name"]: each.get("image", "") for each in pod["spec"].get("containers", ())}
    return PodView(
        name=pod["metadata"]["name"],
        containers=tuple(_containers(status, images)),
        unschedulable=_unschedulable(status),
    )


def deployment_view(deployment: Object) -> DeploymentView:
    """Return a Deployment."""
    failure = _condition(deployment, "ReplicaFailure")
    return DeploymentView(deployment["metadata"]["name"], replica_failure=str(failure.get("message", "")))


def cleanup_view(job: Object) -> CleanupView:
    """Return the batch Job that removes results."""
    if _condition(job, "Complete"):
        return CleanupView(CleanupState.SUCCEEDED)
    failure = _condition(job, "Failed")
    if not failure:
        return CleanupView(CleanupState.RUNNING)
    return CleanupView(
        CleanupState.FAILED, message=str(failure.get("message", "")), finished=_time(failure.get("lastTransitionTime"))
    )


def _containers(status: Object, images: dict[str, str]) -> Iterator[ContainerView]:
    statuses = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    for each in statuses:
        waiting = each.get("state", {}).get("waiting") or {}
        ended = each.get("state", {}).get("terminated") or each.get("lastState", {}).get("terminated") or {}
        yield ContainerView(
            name=each["name"],
            image=images.get(each["name"], each.get("image", "")),
            is_ready=bool(each.get("ready")),
            waiting_reason=waiting.get("reason", ""),
            waiting_message=waiting.get("message", ""),
            restarts=int(each.get("restartCount", 0)),
            ended_reason=ended.get("reason", ""),
            exit_code=ended.get("exitCode"),
        )


def _unschedulable(status: Object) -> str:
    for each in status.get("conditions", ()):
        if each["type"] == "PodScheduled" and each["status"] == "False" and each.get("reason") == "Unschedulable":
            return str(each.get("message", "no node takes it"))
    return ""


def _condition(manifest: Object, kind: str) -> Object:
    """Return a condition that is True, empty when it is not."""
    conditions = manifest.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == kind and each["status"] == "True"), {})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
