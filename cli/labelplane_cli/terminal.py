"""What every command prints on: plain lines where nobody looks, colours and moving lines where somebody does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from rich.console import Console

__all__ = [
    "Next",
    "error_output",
    "folder_at",
    "is_live",
    "one_line",
    "output",
    "print_next",
    "printable",
    "short_path",
]

_LONGEST_LINE: Final = 2000
_WIDTH_OF_FILES: Final = 160

Next = tuple[str, str]
"""What to do next: words, and the command or the path."""


def output() -> Console:
    """Return the console for results; colours only on a terminal, and never under NO_COLOR."""
    return _console(is_error=False)


def error_output() -> Console:
    """Return the console for errors, which scripts read line by line."""
    return _console(is_error=True)


def is_live(console: Console) -> bool:
    """Tell whether lines may move: on a terminal that can."""
    return console.is_terminal and not console.is_dumb_terminal


def printable(text: str) -> str:
    """Return a text of unknown origin so that it cannot steer a terminal: other than printable becomes an escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def one_line(text: str) -> str:
    """Return a message as one bounded line."""
    joined = printable(" ".join(text.split()))
    return joined if len(joined) <= _LONGEST_LINE else f"{joined[: _LONGEST_LINE - 3]}..."


def short_path(path: Path | str) -> str:
    """Return a path as somebody in the working folder writes it; an address of another kind as it is."""
    folder = folder_at(path) if isinstance(path, str) else path
    if folder is None:
        return str(path)
    own, here = folder.absolute(), Path.cwd()
    return str(own.relative_to(here)) if own.is_relative_to(here) else str(own)


def folder_at(address: str) -> Path | None:
    """Return the path that an address names, decoded; None when it is no path of this machine."""
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path))
    return None if "://" in address else Path(address)


def print_next(console: Console, steps: Sequence[Next]) -> None:
    """Print what to do next, the first step after "Next:" and the others below it."""
    width = max((len(words) for words, _ in steps), default=0)
    for number, (words, target) in enumerate(steps):
        head = "Next:" if number == 0 else ""
        console.print(f"  [bold]{head:<5}[/bold] {words:<{width}}  [cyan]", end="", markup=True)
        console.print(target, style="cyan")


def _console(*, is_error: bool) -> Console:
    console = Console(stderr=is_error, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        # A file has no width; wrapping its lines would break what scripts look for.
        return Console(
            stderr=is_error, highlight=False, markup=False, emoji=False, soft_wrap=True, width=_WIDTH_OF_FILES
        )
    return console
