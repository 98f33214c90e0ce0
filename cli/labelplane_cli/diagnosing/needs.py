"""What labelplane needs, what for, and how to get it. Pure: a `Machine` answers what is there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

__all__ = ["Finding", "Machine", "Purpose", "can_run", "diagnose"]

_LEAST_PYTHON: Final = (3, 11)


class Purpose(StrEnum):
    """What a part is for; everything but a run is optional."""

    RUN = "run"
    LOCAL = "neural models"
    ENCODERS = "pretrained encoders"
    TEST = "tests"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part.

    Attributes:
        name: the part.
        purpose: what it is for.
        is_there: whether it is there and works.
        detail: its version, or what is wrong with it.
        remedy: the command that brings it, or what to do; empty when it is there.
    """

    name: str
    purpose: Purpose
    is_there: bool
    detail: str
    remedy: str = ""


class Machine(Protocol):
    """Answers what is there; each answer is a detail, and a part that is missing or broken raises `LookupError`."""

    @property
    def python(self) -> tuple[int, int, int]:
        """The version of the interpreter."""
        ...

    def load(self, module: str) -> None:
        """Import a module; `LookupError` says why it cannot be."""
        ...

    def version(self, distribution: str) -> str:
        """Return the version of an installed distribution."""
        ...

    def program(self, names: Sequence[str]) -> str:
        """Return where the first of these programs lies that is there."""
        ...

    def write(self, place: str) -> str:
        """Write and remove a file in the "working" or the "temporary" folder; return the folder."""
        ...

    def call(self) -> str:
        """Serve and call gRPC through a unix socket."""
        ...

    def compile(self) -> str:
        """Compile a function with numba and call it."""
        ...


@dataclass(frozen=True, slots=True)
class _Package:
    """A distribution, the module to import (empty: only its version is looked up), and its purpose."""

    distribution: str
    module: str
    purpose: Purpose = Purpose.RUN


_PACKAGES: Final = (
    _Package("numpy", "numpy"),
    _Package("pyarrow", "pyarrow.parquet"),
    _Package("pydantic", "pydantic"),
    _Package("pyyaml", "yaml"),
    _Package("pillow", "PIL.Image"),
    _Package("obstore", "obstore"),
    _Package("ahocorasick-rs", "ahocorasick_rs"),
    _Package("common-expression-language", "cel"),
    _Package("aiohttp", "aiohttp"),
    _Package("httpx", "httpx"),
    _Package("grpcio", "grpc"),
    _Package("grpcio-health-checking", "grpc_health.v1"),
    _Package("grpcio-reflection", "grpc_reflection.v1alpha"),
    _Package("protobuf", "google.protobuf.message"),
    _Package("jinja2", "jinja2"),
    _Package("markdown-it-py", "markdown_it"),
    _Package("aiohttp", "aiohttp"),
    _Package("tenacity", "tenacity"),
    _Package("prometheus-client", "prometheus_client"),
    _Package("onnx", "onnx"),
    _Package("onnxruntime", "onnxruntime"),
    _Package("safetensors", "safetensors.numpy"),
    _Package("aiohttp", "aiohttp"),
    _Package("httpx", "httpx"),
    _Package("ahocorasick-rs", "ahocorasick_rs"),
    _Package("common-expression-language", "cel"),
    # Seconds to import: their versions say enough.
    _Package("torch", "", Purpose.LOCAL),
    _Package("torchvision", "", Purpose.ENCODERS),
    _Package("transformers", "", Purpose.ENCODERS),
    _Package("pytest", "", Purpose.TEST),
    _Package("hypothesis", "", Purpose.TEST),
    _Package("scikit-learn", "", Purpose.TEST),
    _Package("playwright", "", Purpose.TEST),
)

_PROGRAMS: Final = (
    ("make", ("make",), "install make"),
    ("Go", ("go",), "install Go: it builds two tools of the tests"),
    ("Chromium", ("chromium", "chromium-browser", "google-chrome"), "hack/install-parts.sh"),
)
"""Name, what to look for, and how to get it."""

_INSTALL: Final = {
    Purpose.RUN: "pip install --force-reinstall {name}",
    Purpose.LOCAL: "pip install 'labelplane[local]'",
    Purpose.ENCODERS: "pip install 'labelplane[encoders]'",
    Purpose.TEST: "pip install 'labelplane[test]'",
}


def diagnose(machine: Machine) -> Iterator[Finding]:
    """Look at each part in turn, those that a run needs first."""
    yield _python(machine)
    yield from (_package(machine, each) for each in _PACKAGES if each.purpose is Purpose.RUN)
    yield from _workings(machine)
    yield from (_package(machine, each) for each in _PACKAGES if each.purpose is not Purpose.RUN)
    for name, programs, remedy in _PROGRAMS:
        yield _asked(name, Purpose.TEST, partial(machine.program, programs), remedy=remedy)


def can_run(findings: Sequence[Finding]) -> bool:
    """Tell whether everything is there that a run needs."""
    return all(each.is_there for each in findings if each.purpose is Purpose.RUN)


def _python(machine: Machine) -> Finding:
    version = ".".join(map(str, machine.python))
    least = ".".join(map(str, _LEAST_PYTHON))
    if machine.python >= _LEAST_PYTHON:
        return Finding("Python", Purpose.RUN, is_there=True, detail=version)
    return Finding("Python", Purpose.RUN, is_there=False, detail=version, remedy=f"install Python {least} or newer")


def _package(machine: Machine, package: _Package) -> Finding:
    def ask() -> str:
        version = machine.version(package.distribution)
        if package.module:
            machine.load(package.module)
        return version

    remedy = _INSTALL[package.purpose].format(name=package.distribution)
    return _asked(package.distribution, package.purpose, ask, remedy=remedy)


def _workings(machine: Machine) -> Iterator[Finding]:
    run = Purpose.RUN
    yield _asked("numba compiles", run, machine.compile, remedy=_INSTALL[run].format(name="numba"))
    yield _asked(
        "gRPC through a unix socket", run, machine.call, remedy="set TMPDIR to a folder of a local file system"
    )
    yield _asked(
        "working folder", run, partial(machine.write, "working"), remedy="cd to a folder that you may write to"
    )
    yield _asked(
        "temporary folder",
        run,
        partial(machine.write, "temporary"),
        remedy="set TMPDIR to a folder that you may write to",
    )


def _asked(name: str, purpose: Purpose, ask: Callable[[], str], *, remedy: str) -> Finding:
    try:
        return Finding(name, purpose, is_there=True, detail=ask())
    except LookupError as error:
        return Finding(name, purpose, is_there=False, detail=str(error.args[0]), remedy=remedy)
