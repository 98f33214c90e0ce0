"""A real S3 server for tests: versitygw over temporary folders, on a free port of the loopback address."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from labelplane_core.storage import RetryPolicy, StoreOptions

ACCESS_KEY = "test-access"
SECRET_KEY = "test-secret"
_READY_SECONDS = 20.0
_STOP_SECONDS = 10.0
_TOOLS = Path(__file__).resolve().parents[2] / ".tools"


@dataclass(frozen=True)
class S3Server:
    """A running server; `buckets` is the folder whose folders are its buckets."""

    port: int
    buckets: Path

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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
def running_s3_server(folder: Path) -> Iterator[S3Server]:
    """Start a server that keeps its objects below `folder`, and stop it by its process id afterwards."""
    binary = _binary()
    buckets = folder / "buckets"
    buckets.mkdir(parents=True)
    port = _free_port()
    command = [
        binary,
        "--access",
        ACCESS_KEY,
        "--secret",
        SECRET_KEY,
        "--port",
        f"127.0.0.1:{port}",
        "--quiet",
        "posix",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *_metadata_arguments(folder), str(buckets)], stdout=log, stderr=log)
    try:
        _await_ready(process, port, folder / "log")
        yield S3Server(port, buckets)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)


def _binary() -> str:
    binary = shutil.which("versitygw", path=f"{_TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
    if binary is None:
        reason = "versitygw is neither in .tools nor on PATH: run `make tools`"
        if os.environ.get("LABELPLANE_REQUIRE_PARTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return binary


def _metadata_arguments(folder: Path) -> list[str]:
    """Return where the server keeps ETags: with the files, or beside them where the file system takes no attributes."""
    try:
        os.setxattr(folder, "user.labelplane-test", b"1")
    except OSError:
        (folder / "metadata").mkdir()
        return ["--sidecar", str(folder / "metadata")]
    return []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"versitygw did not start: {log.read_text()[-2000:]}")
