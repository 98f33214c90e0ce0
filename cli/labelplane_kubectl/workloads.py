"""The Deployments and pods of a job, as people look at them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labelplane_kubectl.cluster import Children
from labelplane_operator.builders.metadata import COMPONENT_LABEL
from labelplane_operator.child_views import deployment_view, pod_view
from labelplane_operator.observed import Problem
from labelplane_operator.policies.pod_problems import find_problem

__all__ = ["Container", "Pod", "Workload", "pod_problem", "workloads"]

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Container:
    """A container.

    Attributes:
        name: in its pod.
        state: one word: ready, running (and not ready), ended, or why it waits.
        restarts: how often it was started again.
        has_log: whether it ever ran, so that there is something to read.
    """

    name: str
    state: str
    restarts: int = 0
    has_log: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod; `component` is what it is of the job, `state` one word."""

    name: str
    uid: str
    component: str
    state: str
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment with its pods; `wanted` of them should be up and `ready` are."""

    name: str
    component: str
    wanted: int
    ready: int
    pods: tuple[Pod, ...] = ()


def workloads(children: Children) -> list[Workload]:
    """Return the Deployments of a job with their pods.

    Pods that have lost theirs, and the one that removes the results of a deleted job, come last, under an empty name.
    """
    pods = [_pod(each) for each in children.pods]
    found = [_workload(each, pods) for each in children.deployments]
    known = {each.component for each in found}
    if lost := tuple(pod for pod in pods if pod.component not in known):
        found.append(Workload(name="", component="", wanted=0, ready=0, pods=lost))
    return found


def pod_problem(children: Children) -> Problem | None:
    """Return what keeps the job's pods from running just now, as the operator finds it."""
    return find_problem(
        [pod_view(each) for each in children.pods], [deployment_view(each) for each in children.deployments]
    )


def _workload(deployment: Object, pods: list[Pod]) -> Workload:
    component = _component(deployment)
    return Workload(
        name=deployment["metadata"]["name"],
        component=component,
        wanted=int(deployment["spec"].get("replicas", 1)),
        ready=int((deployment.get("status") or {}).get("readyReplicas", 0)),
        pods=tuple(pod for pod in pods if pod.component == component),
    )


def _pod(pod: Object) -> Pod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    phase = status.get("reason") or status.get("phase") or "Pending"
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", metadata["name"]),
        component=_component(pod),
        state="Terminating" if "deletionTimestamp" in metadata else str(phase),
        containers=tuple(_containers(status)),
    )


def _containers(status: Object) -> Iterator[Container]:
    for each in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state = each.get("state") or {}
        restarts = int(each.get("restartCount", 0))
        yield Container(
            name=each["name"],
            state=_state(state, is_ready=bool(each.get("ready"))),
            restarts=restarts,
            has_log="running" in state or "terminated" in state or restarts > 0,
        )


def _state(state: Object, *, is_ready: bool) -> str:
    if "running" in state:
        return "ready" if is_ready else "running"
    if "terminated" in state:
        ended = state["terminated"]
        return f"ended ({ended.get('reason') or 'exit code'} {ended.get('exitCode', 0)})"
    return str((state.get("waiting") or {}).get("reason") or "waiting")


def _component(manifest: Object) -> str:
    return str((manifest["metadata"].get("labels") or {}).get(COMPONENT_LABEL, ""))
