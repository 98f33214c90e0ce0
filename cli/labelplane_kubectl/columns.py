"""Rows with their columns under each other, never wrapped: scripts look for what stands in them."""

from collections.abc import Collection, Sequence

from rich.cells import cell_len

__all__ = ["columns"]

_GAP = "  "


def columns(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """Return a line for each row.

    Args:
        rows: texts, as many in each row.
        right: the columns whose texts end, not begin, under each other: numbers.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(_padded(text, widths[place], is_right=place in right) for place, text in enumerate(row)).rstrip()
        for row in rows
    ]


def _padded(text: str, width: int, *, is_right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if is_right else text + blanks
