"""Prints how far annotators agree."""

import math
from typing import Final

from rich.console import Console
from rich.table import Table

from labelplane_aggregation import Agreement
from labelplane_cli.agreeing.measuring import Measured, Pairs
from labelplane_cli.terminal import printable

__all__ = ["show"]

_CLASSES: Final = 10
_PAIRS: Final = 5
_NAMES: Final = 5


def show(console: Console, found: Measured, *, scale: str, shared: int) -> None:
    """Print coefficients, classes, the pairs that agree least on `shared` items or more, and who was set aside."""
    _show_coefficients(console, found, scale)
    _show_classes(console, found)
    if found.pairs is None:
        console.print("  pairs of annotators: left out, annotators and classes are too many for a table")
        return
    _show_pairs(console, found.pairs, shared)


def _show_coefficients(console: Console, found: Measured, scale: str) -> None:
    table = _table("agreement beyond chance")
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_row(f"  Krippendorff alpha, {scale}", *_cells(found.alpha))
    table.add_row("  Fleiss kappa", *(("-", _no_kappa(found)) if found.kappa is None else _cells(found.kappa)))
    table.add_row("  Gwet AC1", *_cells(found.ac1))
    console.print(table)
    if found.is_skewed:
        first = found.classes[0]
        share = f"{first.share * 100:.0f} % of the votes are for {printable(first.name)}"
        console.print(f"  {share}, so chance alone agrees on most items: alpha and kappa look low, AC1 does not")


def _cells(coefficient: Agreement) -> tuple[str, str]:
    if math.isnan(coefficient.value):
        return "-", "not defined: all votes that can be compared are for one class"
    if math.isnan(coefficient.low):
        return f"{coefficient.value:.3f}", "-"
    return f"{coefficient.value:.3f}", f"{coefficient.low:.3f} to {coefficient.high:.3f}"


def _no_kappa(found: Measured) -> str:
    low, high = found.votes_an_item
    return f"not defined: it needs as many votes on every item, here are {low:,} to {high:,}; read alpha"


def _show_classes(console: Console, found: Measured) -> None:
    table = _table("class")
    table.add_column("share of votes", justify="right")
    table.add_column("mean agreement", justify="right")
    for each in found.classes[:_CLASSES]:
        agreement = "-" if math.isnan(each.agreement) else f"{each.agreement:.2f}"
        table.add_row(f"  {printable(each.name)}", f"{each.share * 100:.1f} %", agreement)
    console.print(table)
    if (more := len(found.classes) - _CLASSES) > 0:
        console.print(f"  and {more:,} smaller ones")


def _show_pairs(console: Console, pairs: Pairs, shared: int) -> None:
    least = pairs.least(_PAIRS, shared=shared)
    if least:
        table = _table("agree least")
        table.add_column("")
        table.add_column("shared items", justify="right")
        table.add_column("Cohen kappa", justify="right")
        for each in least:
            table.add_row(f"  {printable(each.one)}", printable(each.other), f"{each.items:,}", f"{each.kappa:.2f}")
        console.print(table)
    else:
        console.print(f"  no two annotators can be compared on {shared:,} shared items or more: see --min-shared")
    aside = pairs.set_aside(shared=shared)
    if aside:
        names = ", ".join(map(printable, aside[:_NAMES])) + (", ..." if len(aside) > _NAMES else "")
        console.print(f"  set aside, fewer than {shared:,} items shared with anyone: {len(aside):,} ({names})")


def _table(title: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(f"  {title}")
    return table
