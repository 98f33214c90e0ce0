"""Calling kubectl. Its kubeconfig, contexts, credentials and proxies are the user's own: none of them is read here."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labelplane_kubectl.errors import KubectlMissing

__all__ = ["Answer", "Kubectl", "KubectlProgram", "Stream"]

_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call of kubectl gave.

    Attributes:
        code: its exit code.
        output: what it wrote.
        complaint: what it wrote to standard error.
    """

    code: int
    output: str
    complaint: str = ""


class Stream(Protocol):
    """A kubectl that writes to the user while it runs."""

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        ...

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        ...

    def complaint(self) -> str:
        """Return what it wrote to standard error; it must have ended."""
        ...

    def stop(self) -> None:
        """End it; one that has ended stays as it is."""
        ...


class Kubectl(Protocol):
    """Calls kubectl. Arguments come without the program's name.

    Both methods raise `KubectlMissing` when there is no kubectl.
    """

    def ask(self, arguments: Sequence[str]) -> Answer:
        """Call it and return what it gave."""
        ...

    def stream(self, arguments: Sequence[str]) -> Stream:
        """Start it, so that it writes to standard output by itself."""
        ...


class KubectlProgram:
    """The kubectl on PATH."""

    def ask(self, arguments: Sequence[str]) -> Answer:
        """Call it and return what it gave."""
        with _started(arguments, output=subprocess.PIPE) as process:
            output, complaint = process.communicate()
        return Answer(process.returncode, output, complaint)

    def stream(self, arguments: Sequence[str]) -> Stream:
        """Start it, so that it writes to standard output by itself."""
        return _Streaming(_started(arguments, output=None))


class _Streaming:
    """A started kubectl."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self) -> int:
        return self._process.wait()

    def complaint(self) -> str:
        pipe = self._process.stderr
        return pipe.read() if pipe is not None and not pipe.closed else ""

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()


def _started(arguments: Sequence[str], *, output: int | None) -> "subprocess.Popen[str]":
    command = ["kubectl", *arguments]
    try:
        return subprocess.Popen(  # noqa: S603 - no shell; kubectl is the program that called this one
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
    except OSError as error:
        raise KubectlMissing(f"kubectl cannot be started ({error.strerror}): put it on PATH") from error
