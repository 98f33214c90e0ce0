"""Showing something again and again: in place on a terminal, once for each change everywhere else."""

from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live

from labelplane_cli.terminal import is_live

__all__ = ["watch"]

Look = Callable[[], tuple[Sequence[RenderableType], bool]]
"""Returns lines, and whether they are the last."""


def watch(console: Console, look: Look, *, pause: Callable[[], None]) -> None:
    """Show what `look` gives until it gives the last."""
    if is_live(console):
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            _repeat(look, lambda lines: live.update(Group(*lines), refresh=True), pause)
    else:
        _repeat(look, _Changes(console), pause)


class _Changes:
    """Prints lines that differ from those before, with an empty line between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: list[str] = []

    def __call__(self, lines: Sequence[RenderableType]) -> None:
        texts = [str(line) for line in lines]
        if texts == self._told:
            return
        if self._told:
            self._console.print()
        self._told = texts
        for line in lines:
            self._console.print(line)


def _repeat(look: Look, show: Callable[[Sequence[RenderableType]], None], pause: Callable[[], None]) -> None:
    while True:
        lines, is_last = look()
        show(lines)
        if is_last:
            return
        pause()
