"""A job as JSON for scripts: what the tree shows, under names that stay."""

from datetime import datetime
from typing import Any

from labelplane_kubectl.pressing import pressing
from labelplane_kubectl.seen_job import SeenJob
from labelplane_kubectl.tree import JobView
from labelplane_kubectl.workloads import Workload
from labelplane_operator.policies.deadlines import worked_seconds

__all__ = ["job_summary", "view_summary"]

Object = dict[str, Any]


def job_summary(seen: SeenJob, *, now: datetime) -> Object:
    """Return a job without its pods. Below the first level, names are those of the job's status."""
    status = seen.status.to_manifest()
    job = seen.job
    return {
        "name": seen.name,
        "namespace": seen.namespace,
        "stage": seen.stage,
        "round": seen.status.rounds[-1].round if seen.status.rounds else None,
        "maxRounds": job.spec.stop.max_rounds if job else None,
        "operation": status.get("operation"),
        "progress": status["progress"],
        "model": status.get("model"),
        "cost": status["cost"],
        "budget": job.spec.budget.to_manifest() if job else None,
        "workedSeconds": round(worked_seconds(seen.status, now=now)),
        "pressing": [each.to_manifest() for each in pressing(seen.status.conditions)],
        "rounds": status.get("rounds", []),
        "artifacts": status.get("artifacts", {}),
    }


def view_summary(view: JobView, *, now: datetime) -> Object:
    """Return a job with what runs for it; `workloads` is null where that could not be read."""
    return {
        **job_summary(view.seen, now=now),
        "workloads": None if view.hindrance else [_workload(each) for each in view.workloads],
    }


def _workload(workload: Workload) -> Object:
    return {
        "name": workload.name,
        "component": workload.component,
        "wanted": workload.wanted,
        "ready": workload.ready,
        "pods": [
            {
                "name": pod.name,
                "state": pod.state,
                "containers": [
                    {"name": each.name, "state": each.state, "restarts": each.restarts} for each in pod.containers
                ],
            }
            for pod in workload.pods
        ],
    }
