"""Showing something again and again: in place on a terminal, once for each change everywhere else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live

from labelplane_cli.terminal import is_live

__all__ = ["Frame", "watch"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown at one time.

    Attributes:
        lines: what people see.
        shown: what the lines are about, without the time that passes: equal where nothing has changed.
        is_last: whether nothing will change any more.
    """

    lines: Sequence[RenderableType]
    shown: object
    is_last: bool = False


def watch(console: Console, look: Callable[[], Frame], *, pause: Callable[[], None]) -> None:
    """Show what `look` gives until it gives the last."""
    if is_live(console):
        with Live(console=console, auto_refresh=False) as live:
            _repeat(look, lambda frame: live.update(Group(*frame.lines), refresh=True), pause)
    else:
        _repeat(look, _Changes(console), pause)


class _Changes:
    """Prints frames that differ from the one before, with an empty line between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: object = None

    def __call__(self, frame: Frame) -> None:
        if frame.shown == self._told:
            return
        if self._told is not None:
            self._console.print()
        self._told = frame.shown
        for line in frame.lines:
            self._console.print(line)


def _repeat(look: Callable[[], Frame], show: Callable[[Frame], None], pause: Callable[[], None]) -> None:
    while True:
        frame = look()
        show(frame)
        if frame.is_last:
            return
        pause()
