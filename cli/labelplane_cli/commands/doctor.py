"""`labelplane doctor`: what is missing on this machine, and what for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from labelplane_cli.terminal import output, print_next, printable

if TYPE_CHECKING:
    from labelplane_cli.diagnosing.needs import Finding, Machine

__all__ = ["doctor", "examine"]


def doctor() -> None:
    """Check what labelplane needs on this machine; exit 1 when a run cannot work."""
    from labelplane_cli.diagnosing.this_machine import ThisMachine

    raise typer.Exit(examine(output(), ThisMachine()))


def examine(console: Console, machine: "Machine") -> int:
    """Print what a machine has and lacks; return 0 when a run works on it, 1 otherwise."""
    from labelplane_cli.diagnosing.needs import can_run, diagnose

    findings = list(diagnose(machine))
    _print_findings(console, findings)
    if not can_run(findings):
        first = next(each for each in findings if not each.is_there)
        console.print("  a run cannot work here yet")
        print_next(console, [(f"mend {first.name}:", first.remedy)])
        return 1
    missing = sum(not each.is_there for each in findings)
    console.print("  a run works here" + (f"; {missing} optional parts are missing" if missing else ""))
    print_next(console, [("try it:", "labelplane demo")])
    return 0


def _print_findings(console: Console, findings: Sequence["Finding"]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2))
    for name in ("part", "for", "", "found", "to get it"):
        table.add_column(name, overflow="fold")
    for each in findings:
        state = Text("ok", style="green") if each.is_there else Text("missing", style=_style(each))
        table.add_row(each.name, each.purpose.value, state, printable(each.detail), each.remedy)
    console.print(table)


def _style(finding: "Finding") -> str:
    from labelplane_cli.diagnosing.needs import Purpose

    return "red" if finding.purpose is Purpose.RUN else "yellow"
