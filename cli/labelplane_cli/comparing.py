"""What a replay found, as lines."""

from collections.abc import Sequence

from rich.console import Console

from labelplane_cli.embedded.replay import Compared

__all__ = ["print_comparison"]


def print_comparison(console: Console, number: int, compared: Sequence[Compared]) -> bool:
    """Print a line for each stage and return whether the round gave again what a replay promises."""
    for each in compared:
        verdict = "same to the bit" if each.is_exact else "the same" if each.is_same else "DIFFERENT"
        console.print(f"  {each.stage.value:<10} {verdict:<16} {each.detail}")
    is_same = all(each.is_same for each in compared)
    words = "gives the same results again" if is_same else "does not give the same results again"
    console.print(f"  round {number} {words}; nothing was written")
    return is_same
