"""The front of a cluster as a process of its own, with the rights that the chart gives it, and its visitors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from api_server import ApiServer
from cluster_objects import ClusterObjects, as_service_account
from helm import Chart
from operator_process import KEY
from real_parts import free_ports, stop

SECRET: Final = "what-the-proxy-brings"
USER_HEADER: Final = "X-Auth-Request-Email"
_NAME: Final = "labelplane-review"
_READY_SECONDS: Final = 60.0


def install_rights(chart: Chart, server: ApiServer, namespace: str) -> str:
    """Make the front's ServiceAccount and its roles in a namespace as the chart does, and the roles of people.

    Returns what the names of the roles begin with.
    """
    objects = ClusterObjects(server)
    # With one namespace watched, so that no front of a test sees the jobs of another.
    values = {"review": {"enabled": True}, "watchNamespaces": [namespace]}
    kinds = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    for each in chart.render(values, namespace=namespace).manifests:
        if each["kind"] in kinds and "operator" not in each["metadata"]["name"]:
            objects.apply(each)
    return f"{namespace}:labelplane"


@dataclass
class FrontProcess:
    """A front that runs, is killed and started again at the same address."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, env=self.environment)

    def await_ready(self) -> None:
        """Return once it knows the jobs."""
        assert self.process is not None
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the front did not start: {self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """Kill it, as a node that dies does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Stop it."""
        if self.process is not None and self.process.poll() is None:
            stop(self.process)


@contextmanager
def front_process(
    server: ApiServer, folder: Path, *, namespace: str, service_address: str, name: str
) -> Iterator[FrontProcess]:
    """Start a front that shows the jobs of a namespace; it is stopped at the end. Others may start meanwhile."""
    home = folder / name
    home.mkdir(parents=True)
    account = as_service_account(server, namespace, _NAME, home)
    texts = {"installation.key": KEY.decode(), "token": account.token, "proxy-secret": SECRET}
    for file, text in texts.items():
        (home / file).write_text(text)
    (port,) = free_ports(1)
    values = {
        "installation_key_file": str(home / "installation.key"),
        "watch_namespaces": namespace,
        "service_address": service_address,
        "listen": "127.0.0.1",
        "port": str(port),
        "api_server": server.url,
        "api_token_file": str(home / "token"),
        "api_ca_file": str(server.certificate),
        "user_header": USER_HEADER,
        "proxy_secret_file": str(home / "proxy-secret"),
    }
    environment = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "HOME") if key in os.environ}
    environment |= {f"LABELPLANE_{key.upper()}": value for key, value in values.items()}
    command = [sys.executable, "-m", "labelplane_review.web"]
    front = FrontProcess(command, environment, home / "front.log", port)
    try:
        front.start()
        yield front
    finally:
        front.close()


@dataclass(frozen=True)
class Visitor:
    """Somebody who calls a front; `headers` say who they are."""

    headers: dict[str, str]

    def get(self, front: FrontProcess, path: str, **extra: str) -> httpx.Response:
        return httpx.get(front.url + path, headers={**self.headers, **extra}, timeout=60)

    def post(self, front: FrontProcess, path: str, body: Any, **extra: str) -> httpx.Response:
        return httpx.post(front.url + path, json=body, headers={**self.headers, **extra}, timeout=60)


def by_proxy(user: str) -> Visitor:
    """Somebody whom the proxy has signed in."""
    return Visitor({USER_HEADER: user, "X-Labelplane-Proxy-Secret": SECRET})


def by_token(server: ApiServer, namespace: str, name: str, folder: Path) -> Visitor:
    """A ServiceAccount of its own, with a token of the API server."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    server.create(path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    token = as_service_account(server, namespace, name, folder).token
    return Visitor({"Authorization": f"Bearer {token}"})


def bind(server: ApiServer, namespace: str, role: str, subject: dict[str, str]) -> None:
    """Give somebody a ClusterRole in a namespace."""
    group = "rbac.authorization.k8s.io"
    name = f"{subject['name']}-{role.rpartition('-')[2]}".replace("@", ".at.")
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
    server.create(f"/apis/{group}/v1/namespaces/{namespace}/rolebindings", body)


def user(name: str) -> dict[str, str]:
    """A user as the subject of a binding."""
    return {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def account(name: str, namespace: str) -> dict[str, str]:
    """A ServiceAccount as the subject of a binding."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
