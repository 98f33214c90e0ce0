"""Why a job's pods cannot run: from what Kubernetes says of them to one sentence of what, where and what to do.

The words of a problem hold no count of restarts and nothing that Kubernetes says otherwise a moment later, so that it
is told and written once.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from labelplane_api.conditions import Reason
from labelplane_operator.observed import ContainerView, DeploymentView, PodView, Problem

__all__ = ["find_problem"]

_IMAGE_REASONS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG_REASONS: Final = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_CRASHES: Final = 2
"""Restarts from which a container that has just been started again still counts as crashing."""
_LONGEST_QUOTE: Final = 300

_MISSING: Final = re.compile(r"(?P<kind>secret|configmap) \"(?P<name>[^\"]+)\" not found", re.IGNORECASE)
_MISSING_KEY: Final = re.compile(
    r"couldn't find key (?P<key>\S+) in (?P<kind>secret|configmap) (?:[^/\s]+/)?(?P<name>\S+)", re.IGNORECASE
)
_GPU: Final = re.compile(r"insufficient (?P<resource>[\w.-]+/[\w-]*gpu[\w-]*)", re.IGNORECASE)


def find_problem(pods: Sequence[PodView], deployments: Sequence[DeploymentView]) -> Problem | None:
    """Return what keeps the job's pods from running, the most pressing first; None when nothing does.

    Pods that are not even made come first, then what is missing, images, nodes, memory and crashes: each of these
    hides those after it. A pod that its queue has not admitted is no fault, and told when there is none. Of equal
    problems that of the first name is told.
    """
    ordered = sorted(pods, key=lambda pod: pod.name)
    made = sorted(deployments, key=lambda deployment: deployment.name)
    found = (_not_made(each) for each in made if each.replica_failure)
    if (problem := next(found, None)) is not None:
        return problem
    return next((problem for look in _LOOKS for problem in look(ordered)), None)


# -- pods that are not made -------------------------------------------------------------------------------------------


def _not_made(deployment: DeploymentView) -> Problem:
    text, where = deployment.replica_failure, f"Deployment {deployment.name}"
    if "exceeded quota" in text:
        todo = "raise the ResourceQuota of the namespace, or ask for less in podOverrides"
        return Problem(Reason.QUOTA_EXCEEDED, f"{where} gets no pod: {_quoted(text)}: {todo}")
    if "PodSecurity" in text:
        todo = "take out of podOverrides what the namespace's pod security forbids, or run the job in another namespace"
        return Problem(Reason.POD_SECURITY, f"{where} gets no pod: {_quoted(text)}: {todo}")
    return Problem(Reason.PODS_REFUSED, f"{where} gets no pod: {_quoted(text)}: see kubectl describe replicaset")


# -- pods that do not run ---------------------------------------------------------------------------------------------


def _containers(pods: Sequence[PodView]) -> Iterator[tuple[PodView, ContainerView]]:
    return ((pod, container) for pod in pods for container in pod.containers)


def _missing(pods: Sequence[PodView]) -> Iterator[Problem]:
    for pod, container in _containers(pods):
        if container.waiting_reason in _CONFIG_REASONS:
            where = f"container {container.name} of pod {pod.name} cannot be made"
            yield _of_config(container.waiting_message, where=where)


def _of_config(text: str, *, where: str) -> Problem:
    """Return the problem of a Secret or ConfigMap that a text names, else one that quotes the text."""
    found = _MISSING.search(text) or _MISSING_KEY.search(text)
    if found is None:
        return Problem(Reason.INVALID_POD_CONFIG, f"{where}: {_quoted(text)}: see kubectl describe pod")
    is_secret = found["kind"].lower() == "secret"
    reason, kind = (Reason.MISSING_SECRET, "Secret") if is_secret else (Reason.MISSING_CONFIG_MAP, "ConfigMap")
    key = found.groupdict().get("key")
    what = f"{kind} {found['name']} has no key {key}" if key else f"there is no {kind} {found['name']}"
    todo = "add the key" if key else "create it in the job's namespace, or correct its name in the job"
    return Problem(reason, f"{where}: {what}: {todo}")


def _images(pods: Sequence[PodView]) -> Iterator[Problem]:
    for pod, container in _containers(pods):
        if container.waiting_reason in _IMAGE_REASONS:
            image = container.image or "the image"
            yield Problem(
                Reason.IMAGE_UNAVAILABLE,
                f"container {container.name} of pod {pod.name}: image {image} cannot be pulled: see that its name is "
                "right, that it exists for this kind of node, and that the pull secrets may read it",
            )


def _unschedulable(pods: Sequence[PodView]) -> Iterator[Problem]:
    for pod in pods:
        if not pod.unschedulable:
            continue
        found = _GPU.search(pod.unschedulable)
        todo = "add such a node, or ask for less in podOverrides"
        if found is not None:
            lacks = f"no node has {found['resource']} free"
            todo = "it waits for one; add a GPU node, or see who holds them"
            yield Problem(Reason.UNSCHEDULABLE, f"pod {pod.name}: {lacks}: {todo}")
        else:
            yield Problem(
                Reason.UNSCHEDULABLE, f"pod {pod.name}: no node takes it: {_quoted(pod.unschedulable)}: {todo}"
            )


def _out_of_memory(pods: Sequence[PodView]) -> Iterator[Problem]:
    for pod, container in _containers(pods):
        if container.ended_reason == "OOMKilled" and not container.is_ready:
            yield Problem(
                Reason.OUT_OF_MEMORY,
                f"container {container.name} of pod {pod.name} used more memory than its limit and was killed: raise "
                "resources.limits.memory of the service in podOverrides",
            )


def _crashes(pods: Sequence[PodView]) -> Iterator[Problem]:
    for pod, container in _containers(pods):
        if _is_crashing(container):
            how = "ends at once" if container.exit_code is None else f"ends with exit code {container.exit_code}"
            yield Problem(
                Reason.CRASH_LOOP,
                f"container {container.name} of pod {pod.name} {how} again and again: see kubectl logs {pod.name} "
                f"-c {container.name} --previous",
            )


def _is_crashing(container: ContainerView) -> bool:
    """Whether a container crashes; also in the moments when it has just been started again."""
    if container.waiting_reason == "CrashLoopBackOff":
        return True
    return container.restarts >= _CRASHES and not container.is_ready and container.exit_code not in {None, 0}


def _not_admitted(pods: Sequence[PodView]) -> Iterator[Problem]:
    for pod in pods:
        if pod.gated:
            yield Problem(Reason.NOT_ADMITTED, f"pod {pod.name} waits for {pod.gated}: it goes on by itself then")


_LOOKS: Final[tuple[Callable[[Sequence[PodView]], Iterator[Problem]], ...]] = (
    _missing,
    _images,
    _unschedulable,
    _out_of_memory,
    _crashes,
    _not_admitted,
)


def _quoted(text: str) -> str:
    """Return Kubernetes' words on one line, cut to what a person reads."""
    line = " ".join(text.split()).rstrip(".:")
    return line if len(line) <= _LONGEST_QUOTE else f"{line[: _LONGEST_QUOTE - 3]}..."
