import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from labelplane_cli.commands.doctor import examine
from labelplane_cli.diagnosing.needs import Finding, Purpose, can_run, diagnose
from labelplane_cli.diagnosing.this_machine import ThisMachine

PROJECT = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@dataclass(frozen=True)
class FakeMachine:
    """A machine that lacks and breaks what it is told to."""

    lacks: frozenset[str] = frozenset()
    python: tuple[int, int, int] = (3, 11, 7)

    def load(self, module: str) -> None:
        self._ask(f"import {module}")

    def version(self, distribution: str) -> str:
        return self._ask(distribution)

    def program(self, names: Sequence[str]) -> str:
        return self._ask(names[0])

    def write(self, place: str) -> str:
        return self._ask(place)

    def call(self) -> str:
        return self._ask("socket")

    def compile(self) -> str:
        return self._ask("numba")

    def _ask(self, part: str) -> str:
        if part in self.lacks:
            raise LookupError(f"no {part}")
        return "1.0"


def missing(machine: FakeMachine) -> list[Finding]:
    return [each for each in diagnose(machine) if not each.is_there]


def test_a_whole_machine_misses_nothing() -> None:
    assert missing(FakeMachine()) == []


@pytest.mark.parametrize(
    ("lacks", "want_purpose", "want_remedy"),
    [
        pytest.param("numpy", Purpose.RUN, "pip install --force-reinstall numpy", id="a base package"),
        pytest.param("import onnxruntime", Purpose.RUN, "pip install --force-reinstall onnxruntime", id="a broken one"),
        pytest.param("numba", Purpose.RUN, "pip install --force-reinstall numba", id="a compiler that fails"),
        pytest.param("socket", Purpose.RUN, "set TMPDIR to a folder of a local file system", id="no unix socket"),
        pytest.param("working", Purpose.RUN, "cd to a folder that you may write to", id="a folder to read only"),
        pytest.param("temporary", Purpose.RUN, "set TMPDIR to a folder that you may write to", id="a full disk"),
        pytest.param("torch", Purpose.LOCAL, "pip install 'labelplane[local]'", id="torch"),
        pytest.param("transformers", Purpose.ENCODERS, "pip install 'labelplane[encoders]'", id="encoders"),
        pytest.param("pytest", Purpose.TEST, "pip install 'labelplane[test]'", id="tests"),
        pytest.param("chromium", Purpose.TEST, "hack/install-parts.sh", id="a browser"),
    ],
)
def test_what_is_missing_has_a_purpose_and_a_remedy(lacks: str, want_purpose: Purpose, want_remedy: str) -> None:
    (found,) = missing(FakeMachine(frozenset({lacks})))
    assert (found.purpose, found.remedy, found.detail) == (want_purpose, want_remedy, f"no {lacks}")
    assert can_run([found]) is (want_purpose is not Purpose.RUN)


def test_an_old_python_cannot_run_it() -> None:
    (found,) = missing(FakeMachine(python=(3, 10, 9)))
    assert (found.detail, found.remedy) == ("3.10.9", "install Python 3.11 or newer")


@pytest.mark.parametrize(
    ("lacks", "want_code", "want_next"),
    [
        pytest.param("torch", 0, "Next: try it: labelplane demo", id="an optional part"),
        pytest.param("pyarrow", 1, "Next: mend pyarrow: pip install --force-reinstall pyarrow", id="a part of a run"),
    ],
)
def test_the_code_tells_whether_a_run_works(
    lacks: str, want_code: int, want_next: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert examine(Console(width=160, soft_wrap=True), FakeMachine(frozenset({lacks}))) == want_code
    printed = capsys.readouterr().out
    assert " ".join(printed.splitlines()[-1].split()) == want_next
    assert "missing" in next(line for line in printed.splitlines() if lacks in line.split())


def test_every_dependency_of_a_run_is_looked_at() -> None:
    looked_at = {each.name.removesuffix(" compiles") for each in diagnose(FakeMachine())}
    needed = {each.split(">")[0] for each in PROJECT["dependencies"]}
    # Without these two there is no command line that could say so.
    assert needed - looked_at == {"rich", "typer"}


def test_a_module_that_cannot_be_imported_is_told_as_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_for_doctor.py").write_text("raise OSError('libx.so:\\n no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(LookupError, match=r"broken: OSError: libx\.so: no such file"):
        ThisMachine().load("broken_for_doctor")


def test_what_is_not_installed_is_not_found() -> None:
    machine = ThisMachine()
    with pytest.raises(LookupError, match="not installed"):
        machine.version("no-such-distribution-of-labelplane")
    with pytest.raises(LookupError, match="not found"):
        machine.program(["no-such-program-of-labelplane"])


def test_a_folder_that_cannot_be_written_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(LookupError, match="cannot be written"):
        ThisMachine().write("working")
