"""A node without a kubelet: it starts the containers of Deployments as processes of this machine.

Each container runs its own command with the environment of its pod template: values from Secrets are read, files of
mounted Secrets are written to a temporary folder, and port 50051 becomes a unix socket named after the Deployment, so
that many jobs run side by side. What it reports to the API server is what a Deployment of one pod would: readyReplicas.
"""

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from api_server import ApiError, ApiServer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from real_parts import stop

JOB_LABEL = "labelplane.io/job"
_POLL_SECONDS = 0.2
_PORT = "50051"

Object = dict[str, Any]


@dataclass
class _Pod:
    """The processes of one Deployment."""

    processes: list[subprocess.Popen[bytes]]
    socket: Path
    generation: int
    is_ready: bool = False


@dataclass
class HollowNode:
    """Runs what the Deployments of a namespace ask for.

    Attributes:
        namespace: the namespace that it serves.
        folder: where sockets, logs and mounted files lie.
    """

    server: ApiServer
    namespace: str
    folder: Path
    _pods: dict[str, _Pod] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    started: list[str] = field(default_factory=list)

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
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        listed = {each["metadata"]["name"]: each for each in self.server.get(path, labelSelector=JOB_LABEL)["items"]}
        for name in tuple(self._pods):
            wanted = listed.get(name)
            pod = self._pods[name]
            is_dead = any(process.poll() is not None for process in pod.processes)
            if wanted is None or not wanted["spec"]["replicas"] or is_dead:
                self._end(name)
        for name, deployment in listed.items():
            if deployment["spec"]["replicas"] and name not in self._pods:
                self._begin(name, deployment)
        for name, deployment in listed.items():
            self._report(name, deployment)

    def _begin(self, name: str, deployment: Object) -> None:
        template = deployment["spec"]["template"]["spec"]
        socket = self.folder / f"{name}.sock"
        socket.unlink(missing_ok=True)
        processes = []
        for number, container in enumerate(template["containers"]):
            environment = self._environment(name, container, template.get("volumes", ()), socket)
            log = (self.folder / f"{name}.{number}.log").open("ab")
            with log:
                command = [sys.executable, *container["command"][1:]]
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        self._pods[name] = _Pod(processes, socket, deployment["metadata"]["generation"])
        self.started.append(name)

    def _end(self, name: str) -> None:
        pod = self._pods.pop(name)
        for process in pod.processes:
            stop(process)

    def _report(self, name: str, deployment: Object) -> None:
        pod = self._pods.get(name)
        ready = int(pod is not None and self._is_ready(pod))
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

    def _environment(self, name: str, container: Object, volumes: Any, socket: Path) -> dict[str, str]:
        mounts = self._mounted(name, container, volumes)
        values = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        for each in container["env"]:
            values[each["name"]] = _below(mounts, self._value(each))
        values["HOME"] = os.environ.get("HOME", "/")
        values.pop("NUMBA_CACHE_DIR", None)
        values["LABELPLANE_METRICS_PORT"] = "0"
        if "LABELPLANE_LISTEN" in values:
            values["LABELPLANE_LISTEN"] = f"unix:{socket}"
        if "LABELPLANE_INBOX_ADDRESS" in values:
            values["LABELPLANE_INBOX_ADDRESS"] = f"unix:{socket}"
        return values

    def _value(self, variable: Object) -> str:
        source = variable.get("valueFrom")
        if source is None:
            return str(variable.get("value", ""))
        if "secretKeyRef" in source:
            reference = source["secretKeyRef"]
            return self._secret(reference["name"]).get(reference["key"], b"").decode()
        return "1"  # a share of the container's CPU

    def _mounted(self, name: str, container: Object, volumes: Any) -> dict[str, Path]:
        """Write the files of mounted Secrets, and return where each mount path lies."""
        sources = {volume["name"]: volume for volume in volumes}
        mounts = {}
        for mount in container.get("volumeMounts", ()):
            secret = sources[mount["name"]].get("secret")
            if secret is None:
                continue
            folder = self.folder / "mounts" / name / mount["name"]
            folder.mkdir(parents=True, exist_ok=True)
            for key, value in self._secret(secret["secretName"]).items():
                (folder / key).write_bytes(value)
            mounts[mount["mountPath"]] = folder
        return mounts

    def _secret(self, name: str) -> dict[str, bytes]:
        found = self.server.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}


def _below(mounts: dict[str, Path], value: str) -> str:
    for path, folder in mounts.items():
        if value.startswith(f"{path}/"):
            return str(folder / value[len(path) + 1 :])
    return value


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
