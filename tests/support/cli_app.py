"""The commands behind a parser of their own, run in this process as `labelplane` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import typer

from labelplane_cli.failing import Session, report_failure


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The one line that a refused command prints."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"one line is wanted, not {lines}"
        assert self.code == 2, self
        assert "Traceback" not in self.err
        return lines[0]


@dataclass(frozen=True)
class CommandLine:
    """Runs commands; `capture` is where they print."""

    commands: dict[str, Any]
    capture: pytest.CaptureFixture[str]
    app: typer.Typer = field(default_factory=lambda: typer.Typer(pretty_exceptions_enable=False))

    def __post_init__(self) -> None:
        self.app.callback()(lambda: None)  # a lone command would take the place of the group
        for name, function in self.commands.items():
            self.app.command(name)(function)

    def __call__(self, *arguments: object) -> Ended:
        self.capture.readouterr()
        code = self._invoke([str(each) for each in arguments])
        printed = self.capture.readouterr()
        return Ended(code, printed.out, printed.err)

    def _invoke(self, arguments: Sequence[str]) -> int:
        try:
            code = self.app(list(arguments), prog_name="labelplane", standalone_mode=False)
        except Exception as error:  # noqa: BLE001 - as the command's own entry point does
            return report_failure(error, Session())
        return code if isinstance(code, int) else 0
