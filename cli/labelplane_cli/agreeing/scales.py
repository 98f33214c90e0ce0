"""The order and the numbers of the classes, from their names or as the user gives them."""

import csv
import math
from collections.abc import Sequence
from itertools import pairwise

from labelplane_cli.errors import BadUsage

__all__ = ["class_numbers", "ordered_classes", "parse_order"]


def parse_order(text: str) -> list[str]:
    """Return the classes in a list with commas; a class that holds a comma stands in double quotes.

    Raises:
        BadUsage: a name is empty or comes twice.
    """
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or "" in names:
        raise BadUsage(f"--order {text!r} has an empty name: write the classes like low,middle,high")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadUsage(f"--order names {twice!r} twice: name each class once")
    return names


def ordered_classes(found: Sequence[str], order: Sequence[str] | None, *, scale: str) -> Sequence[str]:
    """Return the classes in their order: as given, by their numbers, or as found where the scale has no order.

    Raises:
        BadUsage: `order` leaves out a class, or the scale needs an order and the classes tell none.
    """
    if order is not None:
        missing = next((name for name in found if name not in set(order)), None)
        if missing is not None:
            raise BadUsage(f"--order leaves out the class {missing!r}: name every class that has a vote")
        return order
    if scale == "nominal":
        return found
    numbers = class_numbers(found)
    if numbers is None:
        odd = next(name for name in found if _number(name) is None)
        raise BadUsage(f"--scale {scale}: class {odd!r} is no number: give the order, as in --order low,middle,high")
    pairs = sorted(zip(numbers, found, strict=True))
    for (number, name), (next_number, next_name) in pairwise(pairs):
        if number == next_number:
            raise BadUsage(f"--scale {scale}: classes {name!r} and {next_name!r} are one number: write it one way")
    return [name for _, name in pairs]


def class_numbers(classes: Sequence[str]) -> list[float] | None:
    """Return the number that each class is, None when one is no finite number."""
    numbers = [number for number in map(_number, classes) if number is not None]
    return numbers if len(numbers) == len(classes) else None


def _number(name: str) -> float | None:
    try:
        number = float(name)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
