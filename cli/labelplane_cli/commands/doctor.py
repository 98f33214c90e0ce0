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
    """Print a line for each part. A table would wrap, and a command that is cut in two cannot be copied."""
    from rich.text import Text

    name_width = max(len(each.name) for each in findings)
    purpose_width = max(len(each.purpose) for each in findings)
    for each in findings:
        line = Text("  ")
        line.append(f"{'ok' if each.is_there else 'missing':<7}", style=_style(each))
        line.append(f"  {each.name:<{name_width}}  {each.purpose:<{purpose_width}}  {_found(each)}")
        console.print(line)


def _found(finding: "Finding") -> str:
    detail = printable(finding.detail)
    return detail if finding.is_there else f"{detail}: {finding.remedy}"


def _style(finding: "Finding") -> str:
    from labelplane_cli.diagnosing.needs import Purpose

    if finding.is_there:
        return "green"
    return "red" if finding.purpose is Purpose.RUN else "yellow"
