"""A real Kubernetes API server for tests: etcd and kube-apiserver on free ports of the loopback address.

No node and no controller runs: objects are stored, defaulted, validated and watched as in production, and nothing more.
Binaries are found as `real_parts` tells.
"""

import json
import os
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from real_parts import find_tool, free_ports, running

_READY_SECONDS = 120.0
_SERVICE_NETWORK = "10.0.0.0/24"


class ApiError(Exception):
    """The API server refused a request; `status` is its answer."""

    def __init__(self, code: int, status: dict[str, Any]) -> None:
        self.code = code
        self.status = status
        super().__init__(f"{code} {status.get('reason', '')}: {status.get('message', '')}")

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))

    @property
    def causes(self) -> tuple[tuple[str, str], ...]:
        """The field and the text of every single complaint."""
        causes = self.status.get("details", {}).get("causes", ())
        return tuple((cause.get("field", ""), cause.get("message", "")) for cause in causes)


@dataclass
class ApiServer:
    """A running server, and a client of its own: one kept connection, as a member of system:masters.

    Attributes:
        port: where it listens on 127.0.0.1, with TLS.
        token: the bearer token of a member of system:masters.
        certificate: the file with the certificate that it shows.
        folder: where certificates, keys, logs and the data of etcd lie.
    """

    port: int
    token: str
    certificate: Path
    folder: Path
    _connection: HTTPSConnection | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self) -> Path:
        """Write a kubeconfig for kubectl and client libraries, and return its path."""
        cluster = {"server": self.url, "certificate-authority": os.fspath(self.certificate)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> dict[str, Any]:
        return self.request("GET", path, accept=accept, query=query)

    def create(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        return self.request("POST", path, body=body, query=query)

    def replace(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        return self.request("PUT", path, body=body, query=query)

    def delete(self, path: str) -> dict[str, Any]:
        return self.request("DELETE", path)

    def apply(self, path: str, body: dict[str, Any], *, manager: str = "test", **query: str) -> dict[str, Any]:
        """Apply an object server-side, as `kubectl apply --server-side --force-conflicts` does."""
        query = {"fieldManager": manager, "force": "true", **query}
        return self.request("PATCH", path, body=body, query=query, content_type="application/apply-patch+yaml")

    def make_namespace(self, name: str) -> str:
        """Make a namespace, and return its name."""
        self.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def request(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Send a request and return the object of the answer.

        Raises:
            ApiError: the answer is no success.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept, "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        code, answer = self._exchange(method, target, data, headers)
        content: dict[str, Any] = json.loads(answer) if answer.startswith(b"{") else {"message": answer.decode()}
        if code >= 300:
            raise ApiError(code, content)
        return content

    def _exchange(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            return self._exchange_once(method, target, data, headers)
        except (HTTPException, OSError):
            # The server closes a connection that was idle for long; a test server that is gone fails the second time.
            self.close()
            return self._exchange_once(method, target, data, headers)

    def _exchange_once(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if self._connection is None:
            context = ssl.create_default_context(cafile=os.fspath(self.certificate))
            self._connection = HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        self._connection.request(method, target, body=data, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def running_api_server(folder: Path) -> Iterator[ApiServer]:
    """Start etcd and an API server that keep everything below `folder`; both are stopped by their process ids."""
    apiserver, openssl = (find_tool(name) for name in ("kube-apiserver", "openssl"))
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as started:
        client_port, peer_port, port = free_ports(3)
        command = etcd_command(folder, client_port=client_port, peer_port=peer_port)
        process = started.enter_context(running(command, log=folder / "etcd.log"))
        _await(lambda: _answers(client_port, "/health"), process, log=folder / "etcd.log")
        token = secrets.token_hex(16)
        (folder / "tokens.csv").write_text(f"{token},test,test,system:masters\n")
        arguments = [
            f"--etcd-servers=http://127.0.0.1:{client_port}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
        ]
        arguments += [
            *_identity(folder, openssl),
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
        ]
        arguments += [f"--service-cluster-ip-range={_SERVICE_NETWORK}", "--allow-privileged=true", "--profiling=false"]
        # Without a controller manager no namespace gets its ServiceAccount, which this plugin would wait for.
        arguments += ["--disable-admission-plugins=ServiceAccount"]
        process = started.enter_context(running([apiserver, *arguments], log=folder / "apiserver.log"))
        server = ApiServer(port=port, token=token, certificate=folder / "apiserver.crt", folder=folder)
        started.callback(server.close)
        _await(lambda: _is_ready(server), process, log=folder / "apiserver.log")
        yield server


def etcd_command(folder: Path, *, client_port: int, peer_port: int) -> list[str]:
    """Return the command of an etcd on the loopback address, which trusts its disk to be as short-lived as a test."""
    client, peer = (f"http://127.0.0.1:{port}" for port in (client_port, peer_port))
    return [
        find_tool("etcd"),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _identity(folder: Path, openssl: str) -> list[str]:
    """Make the certificate of the server and the key that signs tokens, and return the arguments that name them."""
    key, certificate, signing_key = (folder / name for name in ("apiserver.key", "apiserver.crt", "tokens.key"))
    make_key = ["-newkey", "rsa:2048", "-nodes", "-keyout", os.fspath(key)]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    commands = (
        [openssl, "req", "-x509", *make_key, *subject, "-out", os.fspath(certificate)],
        [openssl, "genrsa", "-out", os.fspath(signing_key), "2048"],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return [
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        "--service-account-issuer=https://127.0.0.1",
        f"--service-account-key-file={signing_key}",
        f"--service-account-signing-key-file={signing_key}",
    ]


def _await(is_ready: Any, process: subprocess.Popen[bytes], *, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start: {log.read_text()[-3000:]}")


def _answers(port: int, path: str) -> bool:
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status == 200
    except OSError:
        return False


def _is_ready(server: ApiServer) -> bool:
    try:
        server.request("GET", "/readyz")
        server.get("/api/v1/namespaces/default")
    except (ApiError, OSError, HTTPException):
        server.close()
        return False
    return True
