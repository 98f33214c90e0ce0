"""A real Triton for tests: CPU, the Python backend, explicit loading, free ports of the loopback address.

The program is that of .tools/parts; its Python backend starts processes with the part's own interpreter and numpy.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from real_parts import TOOLS, free_ports, stop

_READY_SECONDS = 240.0
_KILL_SECONDS = 20.0
_LOOK_SECONDS = 0.05


@dataclass
class TritonServer:
    """A server that may be stopped, killed and started again on its ports.

    Attributes:
        grpc_port: where it takes v2 by gRPC.
        http_port: where it says that it is ready.
        folder: holds its repository, its backends and its log.
        mode: its --model-control-mode.
    """

    grpc_port: int
    http_port: int
    folder: Path
    mode: str = "explicit"
    _process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        """Start the server, and return when it is ready."""
        part = _part()
        command = [
            str(_site_packages(part) / "pytriton/tritonserver/bin/tritonserver"),
            f"--model-repository={self.repository}",
            f"--backend-directory={self.folder / 'backends'}",
            f"--model-control-mode={self.mode}",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self.grpc_port}",
            "--http-address=127.0.0.1",
            f"--http-port={self.http_port}",
            "--http-thread-count=2",
            "--allow-metrics=false",
            "--exit-timeout-secs=5",
        ]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=_environment(part))
        self._await_ready()

    def stop(self) -> None:
        """Stop the server as the kubelet does."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def kill(self) -> None:
        """Kill the server, as a node that dies does; what it started ends by itself when it is gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(_KILL_SECONDS)
        self._process = None

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _READY_SECONDS
        with httpx.Client(trust_env=False, timeout=10) as http:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    if http.get(f"http://127.0.0.1:{self.http_port}/v2/health/ready").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"Triton did not start: {self.log.read_text()[-2000:]}")


@contextmanager
def running_triton(folder: Path, *, mode: str = "explicit") -> Iterator[TritonServer]:
    """Start a server whose repository, empty at first, lies below `folder`; it is stopped by its process id."""
    grpc_port, http_port = free_ports(2)
    server = TritonServer(grpc_port, http_port, folder, mode)
    server.repository.mkdir(parents=True, exist_ok=True)
    _lay_out_backends(folder / "backends")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _part() -> Path:
    part = TOOLS / "parts" / "triton"
    if not part.exists():
        reason = f"{part} is not there: run `make tools`"
        if os.environ.get("LABELPLANE_REQUIRE_PARTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return part.resolve()


def _site_packages(part: Path) -> Path:
    (found,) = (part / "lib").glob("python3.*/site-packages")
    return found


def _lay_out_backends(target: Path) -> None:
    """Put the Python backend together: its library, and the program that holds the part's interpreter."""
    packages = _site_packages(_part())
    shipped, version = packages / "pytriton/tritonserver", packages.parent.name.removeprefix("python")
    shutil.copytree(shipped / "backends", target, dirs_exist_ok=True)
    shutil.copy(shipped / "python_backend_stubs" / version / "triton_python_backend_stub", target / "python")


def _environment(part: Path) -> Mapping[str, str]:
    packages = _site_packages(part)
    interpreter = (part / "bin/python").resolve()
    libraries = [interpreter.parents[1] / "lib", packages / "nvidia_pytriton.libs"]
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "TMPDIR"}}
    return {
        **kept,
        "PATH": f"{part / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PYTHONPATH": str(packages),
        "OPENBLAS_NUM_THREADS": "1",
    }
