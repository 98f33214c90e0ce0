"""Real programs that tests start: where they are found, on which ports they listen, and how they are stopped."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / ".tools"
_CLAIMS = Path(tempfile.gettempdir()) / f"labelplane-ports-{os.getuid()}"
_STOP_SECONDS = 20.0


def find_tool(name: str) -> str:
    """Return a program of KUBEBUILDER_ASSETS, .tools or PATH.

    Without it the test is skipped, or fails where LABELPLANE_REQUIRE_PARTS says that nothing may be missing.
    """
    places = (os.environ.get("KUBEBUILDER_ASSETS", ""), os.fspath(TOOLS), os.environ.get("PATH", ""))
    program = shutil.which(name, path=os.pathsep.join(place for place in places if place))
    if program is None:
        reason = f"{name} is neither in KUBEBUILDER_ASSETS nor in .tools nor on PATH: run `make tools`"
        if os.environ.get("LABELPLANE_REQUIRE_PARTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on; no other process of tests gets them while this one lives."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if _is_claimed(port):
                found.append(port)
    return found


def _is_claimed(port: int) -> bool:
    """Claim a port among the processes of tests: between its choice and its use the kernel could give it to another."""
    _CLAIMS.mkdir(exist_ok=True)
    claim = os.open(_CLAIMS / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        return False
    return True  # the lock ends with this process


def heeding_ctrl_c(command: Sequence[str]) -> list[str]:
    """Return a command that heeds SIGINT even where the tests run in the background, which makes children ignore it.

    Not by `preexec_fn`: that forks this process, and a copy of one with gRPC's threads may abort at once.
    """
    return ["env", "--default-signal=INT", *command]


@contextmanager
def running(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, what it says in `log`; it is stopped by its process id when the context ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process as the kubelet does: SIGTERM, and SIGKILL when it does not heed that."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)
