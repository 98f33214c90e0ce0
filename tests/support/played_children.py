"""Deployments and pods of a job as an API server holds them, with the parts of a status that people look at."""

from typing import Any

Object = dict[str, Any]


def _labels(job: str, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "labelplane",
        "app.kubernetes.io/managed-by": "labelplane",
        "app.kubernetes.io/component": component,
        "labelplane.io/job": job,
    }


def deployment(job: str, component: str = "small", *, wanted: int = 1, ready: int = 0) -> Object:
    """Return a Deployment of a job."""
    name = job if component == "small" else f"{job}-{component}"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": _labels(job, component)},
        "spec": {"replicas": wanted},
        "status": {"replicas": wanted, **({"readyReplicas": ready} if ready else {})},
    }


def pod(job: str, component: str = "small", *, end: str = "x2x7k", containers: tuple[Object, ...] = ()) -> Object:
    """Return a running pod of a job; without `containers` its one container is ready."""
    name = f"{job}-{end}" if component == "small" else f"{job}-{component}-{end}"
    statuses = containers or (ready(component),)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": _labels(job, component)},
        "spec": {"containers": [{"name": each["name"], "image": "labelplane-small:0.1.0"} for each in statuses]},
        "status": {"phase": "Running", "containerStatuses": list(statuses)},
    }


def unschedulable(job: str, component: str, message: str) -> Object:
    """Return a pod that no node takes."""
    made = pod(job, component)
    reason = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    made["status"] = {"phase": "Pending", "conditions": [reason]}
    return made


def ready(name: str, *, restarts: int = 0) -> Object:
    """Return the status of a container that answers."""
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    return {"name": name, "ready": True, "restartCount": restarts, "state": state}


def waiting(name: str, reason: str, message: str = "", *, restarts: int = 0, exit_code: int | None = None) -> Object:
    """Return the status of a container that does not run."""
    last = {} if exit_code is None else {"terminated": {"exitCode": exit_code, "reason": "Error"}}
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": name, "ready": False, "restartCount": restarts, "state": state, "lastState": last}
