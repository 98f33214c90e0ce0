"""From pods, Deployments and Jobs as the API server holds them to the plain views that policies read."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from labelplane_operator.builders import QUEUE_LABEL
from labelplane_operator.observed import (
    CleanupState,
    CleanupView,
    ContainerView,
    DeploymentView,
    PodView,
    TrainingState,
    TrainingView,
)

__all__ = ["belongs_to", "cleanup_view", "deployment_view", "has_ended", "pod_view", "training_view"]

_LONGEST_WORDS = 500
_KUEUE = "kueue.x-k8s.io/"

Object = dict[str, Any]


def belongs_to(live: Object, uid: str | None) -> bool:
    """Whether an object's owner is the job with a uid, and not another one of its name."""
    owners = live["metadata"].get("ownerReferences", ())
    return any(owner.get("controller") and owner["uid"] == uid for owner in owners)


def pod_view(pod: Object) -> PodView:
    """Return a pod; what its status does not say yet is empty."""
    status = pod.get("status", {})
    spec = pod["spec"]
    containers = (*spec.get("initContainers", ()), *spec.get("containers", ()))
    images = {each["name"]: each.get("image", "") for each in containers}
    return PodView(
        name=pod["metadata"]["name"],
        containers=tuple(_containers(status, images)),
        unschedulable=_unschedulable(status),
        gated=_gated(pod),
    )


def deployment_view(deployment: Object) -> DeploymentView:
    """Return a Deployment."""
    failure = _condition(deployment, "ReplicaFailure")
    return DeploymentView(deployment["metadata"]["name"], replica_failure=str(failure.get("message", "")))


def cleanup_view(job: Object, pods: Sequence[PodView] = ()) -> CleanupView:
    """Return the batch Job that removes results; its pods tell more of a failure than the Job does."""
    if _condition(job, "Complete"):
        return CleanupView(CleanupState.SUCCEEDED)
    failure = _condition(job, "Failed")
    if not failure:
        return CleanupView(CleanupState.RUNNING)
    message = _last_words(pods) or str(failure.get("message", ""))
    return CleanupView(CleanupState.FAILED, message=message, finished=_time(failure.get("lastTransitionTime")))


def training_view(job: Object, pods: Sequence[Object], *, request_id: str) -> TrainingView:
    """Return the Job of a training image; its pods tell which container ended with an error.

    While one of them is not seen to have ended the Job has not failed: another watch may be ahead of that of pods.
    """
    name = job["metadata"]["name"]
    if _condition(job, "Complete"):
        return TrainingView(request_id, name, TrainingState.SUCCEEDED)
    failure = _condition(job, "Failed")
    if failure and all(has_ended(pod) for pod in pods):
        # A pod that the cluster took away was replaced: that its containers were killed explains nothing.
        own = [pod_view(pod) for pod in pods if not _condition(pod, "DisruptionTarget")]
        ended = (container for pod in own for container in pod.containers if container.exit_code)
        message = str(failure.get("message", ""))
        return TrainingView(request_id, name, TrainingState.FAILED, message=message, ended=next(ended, None))
    queue = job["metadata"]["labels"].get(QUEUE_LABEL, "") if job["spec"].get("suspend") else ""
    return TrainingView(request_id, name, TrainingState.RUNNING, queue=queue)


def has_ended(pod: Object) -> bool:
    """Whether nothing of a pod runs any more, nor ever will."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def _last_words(pods: Sequence[PodView]) -> str:
    """Return the last line of what a container said that ended with an error, empty when none did."""
    ended = (container for pod in pods for container in pod.containers if container.exit_code)
    lines = [line for container in ended for line in container.last_words.splitlines() if line.strip()]
    return lines[-1].strip()[:_LONGEST_WORDS] if lines else ""


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
            last_words=ended.get("message", ""),
        )


def _gated(pod: Object) -> str:
    """Say what a pod's scheduling gates wait for; they are taken away one by one, and none comes later."""
    gates = [each["name"] for each in pod["spec"].get("schedulingGates", ())]
    queue = pod["metadata"].get("labels", {}).get(QUEUE_LABEL, "")
    if queue and any(gate.startswith(_KUEUE) for gate in gates):
        return f"LocalQueue {queue} to admit it"
    return f"its scheduling gate {gates[0]} to be taken away" if gates else ""


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
