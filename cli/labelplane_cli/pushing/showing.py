"""How far a push is: a bar where somebody looks, nothing where nobody does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from labelplane_cli.terminal import is_live

__all__ = ["showing"]


@contextmanager
def showing(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Yield what is to be told of how many votes are confirmed, and of how many."""
    if not is_live(console):
        yield _nothing
        return
    columns = (TextColumn("  votes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("votes", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _nothing(done: int, total: int) -> None:
    del done, total
