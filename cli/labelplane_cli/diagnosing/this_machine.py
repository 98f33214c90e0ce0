"""This machine, as `diagnose` asks it."""

import importlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Final

__all__ = ["ThisMachine"]

_CALL_SECONDS: Final = 10.0
_LONGEST: Final = 200


class ThisMachine:
    """A `Machine`: the one this process runs on."""

    @property
    def python(self) -> tuple[int, int, int]:
        """The version of the interpreter."""
        return sys.version_info[:3]

    def load(self, module: str) -> None:
        """Import a module; any error means that it is broken."""
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken native library raises whatever it likes
            raise LookupError(_broken(error)) from error

    def version(self, distribution: str) -> str:
        """Return the version of an installed distribution."""
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError as error:
            raise LookupError("not installed") from error

    def program(self, names: Sequence[str]) -> str:
        """Return the path of the first of these programs that is there."""
        for name in names:
            if path := shutil.which(name):
                return path
        raise LookupError("not found")

    def write(self, place: str) -> str:
        """Write and remove a file in the "working" or the "temporary" folder; return the folder."""
        try:
            folder = Path.cwd() if place == "working" else Path(tempfile.gettempdir())
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".labelplane-") as file:
                file.write(b"labelplane")
        except OSError as error:
            raise LookupError(f"cannot be written ({error.strerror})") from error
        return str(folder)

    def call(self) -> str:
        """Serve gRPC at a unix socket of the temporary folder and connect to it."""
        try:
            with tempfile.TemporaryDirectory(prefix="labelplane-") as folder:
                return _connected(f"unix:{folder}/s")
        except Exception as error:  # gRPC raises errors of its own, the folder those of the system
            raise LookupError(_broken(error)) from error

    def compile(self) -> str:
        """Compile a function with numba, call it, and return numba's version."""
        version = self.version("numba")
        try:
            doubled = importlib.import_module("numba").njit(lambda number: number + number)(21)
        except Exception as error:  # compilers and their libraries raise whatever they like
            raise LookupError(_broken(error)) from error
        if doubled != 42:
            raise LookupError(f"numba {version} computes wrongly")
        return version


def _connected(address: str) -> str:
    import grpc

    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    server.add_insecure_port(address)
    server.start()
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=_CALL_SECONDS)
    finally:
        server.stop(grace=None).wait()
    return "connects"


def _broken(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"broken: {type(error).__name__}: {text}"[:_LONGEST]
