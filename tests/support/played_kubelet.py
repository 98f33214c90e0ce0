"""A kubelet that only has logs: the API server asks it for them, as it asks a real one, and kubectl the API server."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from api_server import ApiServer

Object = dict[str, Any]

_LONGEST_LOG_SECONDS = 60.0


@dataclass
class PlayedKubelet:
    """A node of the cluster, and the logs of its containers.

    Attributes:
        server: the API server that it is a node of.
        name: of the node.
        logs: what containers have written, by pod and container.
        ends: set for a container that has ended, so that following its log ends too; by pod and container.
    """

    server: ApiServer
    name: str
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    ends: dict[tuple[str, str], threading.Event] = field(default_factory=dict)

    def run_pod(self, manifest: Object, **logs: str) -> None:
        """Put a pod of a job on the node, its containers running, each with what it has written."""
        metadata = {key: value for key, value in manifest["metadata"].items() if key != "uid"}
        pods = f"/api/v1/namespaces/{metadata['namespace']}/pods"
        body = {**manifest, "metadata": metadata, "spec": {**manifest["spec"], "nodeName": self.name}}
        made = self.server.create(pods, {key: value for key, value in body.items() if key != "status"})
        made["status"] = manifest["status"]
        self.server.replace(f"{pods}/{metadata['name']}/status", made)
        for container, text in logs.items():
            self.logs[metadata["name"], container] = text
            self.ends[metadata["name"], container] = threading.Event()

    def end_all(self) -> None:
        """Let every container have written all that it will."""
        for each in self.ends.values():
            each.set()


@contextmanager
def played_kubelet(server: ApiServer, name: str) -> Iterator[PlayedKubelet]:
    """Start a node of this name, and take it away again."""
    kubelet = PlayedKubelet(server, name)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kubelet))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.folder / "apiserver.key")
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, name="played-kubelet")
    thread.start()
    server.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    node = server.get(f"/api/v1/nodes/{name}")
    node["status"] = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": listener.server_port}},
    }
    server.replace(f"/api/v1/nodes/{name}/status", node)
    try:
        yield kubelet
    finally:
        kubelet.end_all()
        listener.shutdown()
        listener.server_close()
        thread.join()
        server.delete(f"/api/v1/nodes/{name}")


def _handler(kubelet: PlayedKubelet) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(self.path)
            _, _, _, pod, container = target.path.split("/")  # /containerLogs/NAMESPACE/POD/CONTAINER
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(kubelet.logs[pod, container].encode())
            self.wfile.flush()
            if "follow=true" in target.query:
                kubelet.ends[pod, container].wait(_LONGEST_LOG_SECONDS)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing: pytest shows what tests print."""

    return Handler
