"""A real NATS server with JetStream for tests: a free port of the loopback address, a folder of its own."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from real_parts import find_tool, free_ports, stop

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.02


@dataclass
class NatsServer:
    """A server that may be stopped, killed and started again; it keeps its port and what it has stored.

    Attributes:
        port: where it listens.
        folder: where its configuration, its log and its streams lie.
    """

    port: int
    folder: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        """Start the server, and return when it takes connections."""
        command = [find_tool("nats-server"), "-c", str(self.folder / "nats.conf")]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self._await_ready()

    def stop(self) -> None:
        """Stop the server as the kubelet does."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def kill(self) -> None:
        """Kill the server, as a node that dies does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(_STOP_SECONDS)
        self._process = None

    def configure(self, more: str) -> None:
        """Write the configuration, `more` at its end; it counts from the next start on."""
        store = json.dumps(str(self.folder / "jetstream"))
        (self.folder / "nats.conf").write_text(
            f"listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: {store}, max_mem: 64M, max_file: 1G }}\n{more}\n"
        )

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"nats-server did not start: {self.log.read_text()[-2000:]}")


@contextmanager
def running_nats_server(folder: Path, *, configuration: str = "") -> Iterator[NatsServer]:
    """Start a server that keeps its streams below `folder`, and stop it by its process id afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    server = NatsServer(port, folder)
    server.configure(configuration)
    server.start()
    try:
        yield server
    finally:
        server.stop()
