"""The Jobs of a namespace, as the Job controller and a node bring them on, their containers one after the other."""

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from api_server import ApiServer
from hollow_containers import CannotMount, CannotStart, HollowContainers
from hollow_pods import HollowPods, creating, terminated, waiting

Object = dict[str, Any]

_STOP_SECONDS = 20.0
_FINISHED = frozenset({"Complete", "Failed"})


@dataclass
class _Run:
    """What became of one Job so far; `step` is the container of its pod that runs."""

    uid: str
    failures: int = 0
    step: int = 0
    process: "subprocess.Popen[bytes] | None" = None


@dataclass
class HollowJobs:
    """Runs Jobs: a pod at a time, again at once when it fails, until backoffLimit or podFailurePolicy says no more.

    Attributes:
        started: the Jobs whose process was started, one entry each time.
    """

    server: ApiServer
    namespace: str
    containers: HollowContainers
    pods: HollowPods
    started: list[str] = field(default_factory=list)
    _runs: dict[str, _Run] = field(default_factory=dict)

    def sync(self, listed: dict[str, Object]) -> None:
        """Bring every Job on, given those that there are by their names; what is gone ends, pods too."""
        for name, run in tuple(self._runs.items()):
            if name not in listed or listed[name]["metadata"]["uid"] != run.uid:
                self._end(name)
        for name, job in listed.items():
            conditions = job.get("status", {}).get("conditions", ())
            if not job["spec"].get("suspend") and not any(each["type"] in _FINISHED for each in conditions):
                self._bring_on(name, job)

    def close(self) -> None:
        """End every process."""
        for name in tuple(self._runs):
            self._end(name)

    def _bring_on(self, name: str, job: Object) -> None:
        run = self._runs.setdefault(name, _Run(job["metadata"]["uid"]))
        if run.process is None:
            self._begin(name, run, job)
            return
        code = run.process.poll()
        if code is not None:
            run.process = None
            self._ended(name, run, job, code)

    def _begin(self, name: str, run: _Run, job: Object) -> None:
        template, pod = job["spec"]["template"], _pod_name(name, run)
        before, container = _containers(job, run)
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": run.uid, "controller": True}
        self.pods.make(pod, template, owner=owner)
        try:
            run.process = self.containers.start(pod, run.step, container, template["spec"])
        except CannotStart as error:
            state = creating() if isinstance(error, CannotMount) else waiting(error)
            self.pods.tell(pod, container, phase="Pending", state=state, before=before)
            return
        if run.step == 0:
            self.started.append(name)
        running = {"running": {"startedAt": _now()}}
        phase = "Pending" if container.get("isInit") else "Running"
        self.pods.tell(pod, container, phase=phase, state=running, before=before)
        if "startTime" not in job.get("status", {}):
            self._report(name, {"startTime": _now(), "active": 1})

    def _ended(self, name: str, run: _Run, job: Object, code: int) -> None:
        pod = _pod_name(name, run)
        before, container = _containers(job, run)
        if code == 0 and container.get("isInit"):
            run.step += 1
            self._begin(name, run, job)
            return
        state = terminated(code, self.containers.log(pod, run.step).read_text())
        self.pods.tell(pod, container, phase="Failed" if code else "Succeeded", state=state, before=before)
        if code == 0:
            conditions = _conditions("SuccessCriteriaMet", "Complete", reason="CompletionsReached", message="done")
            done = {"succeeded": 1, "failed": run.failures, "completionTime": _now()}
            self._report(name, {**done, "active": 0, "conditions": conditions})
            return
        run.failures, run.step = run.failures + 1, 0
        reason = _why_no_more(job["spec"], run, code)
        if reason:
            message = f"Job {name} has failed: {reason}"
            conditions = _conditions("FailureTarget", "Failed", reason=reason, message=message)
            self._report(name, {"failed": run.failures, "active": 0, "conditions": conditions})

    def _end(self, name: str) -> None:
        run = self._runs.pop(name)
        if run.process is not None:
            run.process.kill()
            run.process.wait(_STOP_SECONDS)
        for failures in range(run.failures + 1):
            self.pods.remove(_pod_name(name, _Run(run.uid, failures)))

    def _report(self, name: str, status: Object) -> None:
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{name}/status"
        self.server.request("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")


def _containers(job: Object, run: _Run) -> tuple[list[Object], Object]:
    """Return the containers that have done their work, and the one whose turn it is."""
    spec = job["spec"]["template"]["spec"]
    ordered = [*({**each, "isInit": True} for each in spec.get("initContainers", ())), *spec["containers"]]
    return ordered[: run.step], ordered[run.step]


def _pod_name(name: str, run: _Run) -> str:
    return f"{name}-{run.uid[:5]}-{run.failures}"


def _why_no_more(spec: Object, run: _Run, code: int) -> str:
    """Return why a Job has failed, empty when its pod is tried again."""
    rules = spec.get("podFailurePolicy", {}).get("rules", ())
    if any(code in rule["onExitCodes"]["values"] for rule in rules if rule["action"] == "FailJob"):
        return "PodFailurePolicy"
    return "BackoffLimitExceeded" if run.failures > spec["backoffLimit"] else ""


def _conditions(*types: str, reason: str, message: str) -> list[Object]:
    # Kubernetes 1.31 and later refuse the end of a Job without the condition that announces it.
    told = {"status": "True", "reason": reason, "message": message, "lastTransitionTime": _now()}
    return [{"type": each, **told} for each in types]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
