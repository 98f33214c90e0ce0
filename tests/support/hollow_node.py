"""A node without a kubelet: it starts the containers of Deployments and Jobs as processes of this machine.

Each container runs its own command with the environment of its pod template: values from Secrets are read, files of
mounted Secrets and ConfigMaps are written to a temporary folder (those of ConfigMaps again when they change), and port
50051 becomes a unix socket named after the Deployment, so that many jobs run side by side. What it reports to the API
server is what a Deployment of one pod would: readyReplicas. A pod that waits for its queue, a Secret or a ConfigMap,
and those of Jobs, are made on the API server too. Of a Deployment that takes no calls, scoring workers, as many
processes run as it has replicas.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from api_server import ApiError, ApiServer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hollow_containers import CannotMount, CannotStart, HollowContainers
from hollow_jobs import HollowJobs
from hollow_pods import HollowPods, creating, waiting
from real_parts import stop

from labelplane_operator.builders import JOB_LABEL

_POLL_SECONDS = 0.2
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_GATE = "kueue.x-k8s.io/admission"

Object = dict[str, Any]


@dataclass
class _Pod:
    """The processes of one Deployment, and its uid: another of its name has pods of its own."""

    processes: list[subprocess.Popen[bytes]]
    socket: Path
    uid: str
    takes_calls: bool = True
    is_ready: bool = False


@dataclass
class HollowNode:
    """Runs what the Deployments and Jobs of a namespace ask for.

    Attributes:
        namespace: the namespace that it serves.
        folder: where sockets, logs and mounted files lie.
        started: the Deployments whose processes were started, one entry each time.
        most: how many processes a Deployment without calls had at most.
        images: the scripts that images of users stand for.
        admits: whether pods with a queue are admitted, as by Kueue; the others wait with its gate.
    """

    server: ApiServer
    namespace: str
    folder: Path
    images: dict[str, Path] = field(default_factory=dict)
    _pods: dict[str, _Pod] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _stopping: threading.Event = field(default_factory=threading.Event)
    started: list[str] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)
    admits: bool = True

    def __post_init__(self) -> None:
        self._containers = HollowContainers(self.server, self.namespace, self.folder, self.images)
        self._shown = HollowPods(self.server, self.namespace)
        self.jobs = HollowJobs(self.server, self.namespace, self._containers, self._shown)

    @property
    def service_address(self) -> str:
        """The operator's LABELPLANE_SERVICE_ADDRESS for this node."""
        return f"unix:{self.folder}/{{service}}.sock"

    def run(self) -> None:
        """Look at the Deployments, over and over, until `stop`."""
        while not self._stopping.wait(_POLL_SECONDS):
            with suppress(ApiError, OSError):
                self._sync()

    def stop(self) -> None:
        """Stop every process."""
        self._stopping.set()

    def close(self) -> None:
        for name in tuple(self._pods):
            self._end(name)
        self.jobs.close()

    def kill(self, name: str, *, container: int = 0) -> None:
        """Kill a container; the next look starts its pod again."""
        os.kill(self._pods[name].processes[container].pid, signal.SIGKILL)

    def running(self) -> set[str]:
        """The Deployments that have processes."""
        return set(self._pods)

    def log(self, name: str) -> str:
        """What the containers of a Deployment have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{name}.*.log")))

    def _sync(self) -> None:
        # In this order: what was deleted before a Job came has ended before it is started.
        jobs = self._listed("/apis/batch/v1", "jobs")
        deployments = self._listed("/apis/apps/v1", "deployments")
        for name in tuple(self._pods):
            wanted = deployments.get(name)
            pod = self._pods[name]
            is_dead = any(process.poll() is not None for process in pod.processes)
            if wanted is None or wanted["metadata"]["uid"] != pod.uid or not wanted["spec"]["replicas"] or is_dead:
                self._end(name)
        for name, deployment in deployments.items():
            if deployment["spec"]["replicas"] and name not in self._pods:
                self._begin(name, deployment)
            elif name in self._pods and not self._pods[name].takes_calls:
                self._resize(name, deployment)
            elif name in self._pods:
                self._containers.refresh(name, deployment["spec"]["template"]["spec"])
        for name, deployment in deployments.items():
            self._report(name, deployment)
        self._hide_running(deployments)
        self.jobs.sync(jobs)

    def _listed(self, group: str, plural: str) -> dict[str, Object]:
        path = f"{group}/namespaces/{self.namespace}/{plural}"
        return {each["metadata"]["name"]: each for each in self.server.get(path, labelSelector=JOB_LABEL)["items"]}

    def _begin(self, name: str, deployment: Object) -> None:
        template = deployment["spec"]["template"]
        if _QUEUE_LABEL in template["metadata"]["labels"] and not self.admits:
            self._show(name, template, gate=_GATE)
            return
        socket = self.folder / f"{name}.sock"
        socket.unlink(missing_ok=True)
        address = f"unix:{socket}"
        here = {"LABELPLANE_LISTEN": address, "LABELPLANE_INBOX_ADDRESS": address}
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for number, container in enumerate(template["spec"]["containers"]):
                processes.append(self._containers.start(name, number, container, template["spec"], **here))
        except CannotStart as error:  # a kubelet tries again too
            for process in processes:
                stop(process)
            self._show(name, template)
            cannot = template["spec"]["containers"][len(processes)]
            state = creating() if isinstance(error, CannotMount) else waiting(error)
            self._shown.tell(_waiting_pod(name), cannot, phase="Pending", state=state)
            return
        variables = {each["name"] for each in template["spec"]["containers"][0]["env"]}
        takes_calls = "LABELPLANE_LISTEN" in variables
        self._pods[name] = _Pod(processes, socket, deployment["metadata"]["uid"], takes_calls)
        self.started.append(name)

    def _resize(self, name: str, deployment: Object) -> None:
        """Start more processes of a Deployment that takes no calls, or stop those that are too many."""
        pod, spec = self._pods[name], deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        while len(pod.processes) > deployment["spec"]["replicas"]:
            stop(pod.processes.pop())
        while len(pod.processes) < deployment["spec"]["replicas"]:
            pod.processes.append(self._containers.start(name, len(pod.processes), container, spec))
        self.most[name] = max(self.most.get(name, 0), len(pod.processes))

    def _show(self, name: str, template: Object, *, gate: str = "") -> None:
        """Let people see the pod of a Deployment, which runs only when nothing is wrong with it."""
        self._shown.make(_waiting_pod(name), template, gate=gate)
        self._waiting.add(name)

    def _hide_running(self, deployments: dict[str, Object]) -> None:
        """Remove the pods that wait no longer: what runs is told by its Deployment."""
        for name in tuple(self._waiting):
            is_wanted = name in deployments and deployments[name]["spec"]["replicas"]
            if name in self._pods or not is_wanted:
                self._shown.remove(_waiting_pod(name))
                self._waiting.discard(name)

    def _end(self, name: str) -> None:
        for process in self._pods.pop(name).processes:
            stop(process)

    def _report(self, name: str, deployment: Object) -> None:
        pod = self._pods.get(name)
        ready = int(self._is_ready(pod)) if pod is not None and pod.takes_calls else len(pod.processes if pod else ())
        if deployment.get("status", {}).get("readyReplicas", 0) == ready:
            return
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}/status"
        body = {"status": {"replicas": ready, "readyReplicas": ready}}
        self.server.request("PATCH", path, body=body, content_type="application/merge-patch+json")

    @staticmethod
    def _is_ready(pod: _Pod) -> bool:
        if pod.is_ready or not pod.socket.exists():
            return pod.is_ready
        with grpc.insecure_channel(f"unix:{pod.socket}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)  # type: ignore[no-untyped-call]
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
        pod.is_ready = answer.status == health_pb2.HealthCheckResponse.SERVING
        return pod.is_ready


def _waiting_pod(name: str) -> str:
    return f"{name}-waiting"


@contextmanager
def hollow_node(server: ApiServer, namespace: str, folder: Path) -> Iterator[HollowNode]:
    """Serve a namespace, with a connection of its own, until the context ends; all processes are stopped then."""
    folder.mkdir(parents=True, exist_ok=True)
    own = ApiServer(port=server.port, token=server.token, certificate=server.certificate, folder=server.folder)
    node = HollowNode(own, namespace, folder)
    thread = threading.Thread(target=node.run, name=f"node-{namespace}")
    thread.start()
    try:
        yield node
    finally:
        node.stop()
        thread.join()
        node.close()
        own.close()
