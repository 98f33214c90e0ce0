"""A real S3 server for tests: versitygw over temporary folders, on a free port."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from real_parts import find_tool, free_ports, running

from labelplane_core.storage import RetryPolicy, StoreOptions

ACCESS_KEY = "test-access"
SECRET_KEY = "test-secret"
_READY_SECONDS = 20.0


@dataclass(frozen=True)
class S3Server:
    """A running server; `buckets` is the folder whose folders are its buckets."""

    port: int
    buckets: Path
    host: str = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def options(self) -> StoreOptions:
        return options_for(self.endpoint)

    def make_bucket(self, name: str) -> str:
        """Make a bucket, and return its address."""
        (self.buckets / name).mkdir()
        return f"s3://{name}"


def options_for(endpoint: str, **changes: object) -> StoreOptions:
    """Return options that reach `endpoint` as the test's user, retrying without long waits."""
    standard: dict[str, object] = {
        "endpoint": endpoint,
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "allow_http": True,
        "timeout_seconds": 10.0,
        "retry": RetryPolicy(attempts=4, first_seconds=0.01, max_seconds=0.05),
    }
    return StoreOptions(**(standard | changes))  # type: ignore[arg-type]


@contextmanager
def running_s3_server(folder: Path, *, host: str = "127.0.0.1") -> Iterator[S3Server]:
    """Start a server that keeps its objects below `folder`, and stop it by its process id afterwards."""
    binary = find_tool("versitygw")
    buckets = folder / "buckets"
    buckets.mkdir(parents=True)
    (port,) = free_ports(1)
    command = [
        binary,
        "--access",
        ACCESS_KEY,
        "--secret",
        SECRET_KEY,
        "--port",
        f"{host}:{port}",
        "--quiet",
        "posix",
    ]
    with running([*command, *_metadata_arguments(folder), str(buckets)], log=folder / "log") as process:
        _await_ready(process, (host, port), folder / "log")
        yield S3Server(port, buckets, host)


def _metadata_arguments(folder: Path) -> list[str]:
    """Return where the server keeps ETags: with the files, or beside them where the file system takes no attributes."""
    try:
        os.setxattr(folder, "user.labelplane-test", b"1")
    except OSError:
        (folder / "metadata").mkdir()
        return ["--sidecar", str(folder / "metadata")]
    return []


def _await_ready(process: subprocess.Popen[bytes], address: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(address) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"versitygw did not start: {log.read_text()[-2000:]}")
