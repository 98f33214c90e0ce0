"""What was found of a data set."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labelplane_api.dataset import DatasetFormat
from labelplane_api.task import TaskType

__all__ = ["MOST_CLASSES", "Findings", "are_class_names", "in_class_order", "some"]

MOST_CLASSES: Final = 1000
_LONGEST_CLASS: Final = 128
_SHOWN: Final = 10
_WIDEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A data set as a job file describes it.

    Attributes:
        task: what is labelled.
        folder: the folder of the items.
        format: how they are listed.
        n_items: how many there are.
        summary: what was found, for people.
        classes: the classes that the data set shows; empty when it shows none.
        classes_from: where they stand, as in "the folder names"; says why not when there are none.
        index: the table inside the folder; empty when items are files.
        id_field: its column of ids; empty when there is none.
        item_field: its column of texts or paths.
        gold_field: the column with the class of some items.
        truth_field: the column with the class of all items.
        notes: what the user should know besides.
    """

    task: TaskType
    folder: Path
    format: DatasetFormat
    n_items: int
    summary: str
    classes: tuple[str, ...] = ()
    classes_from: str = ""
    index: str = ""
    id_field: str = ""
    item_field: str = ""
    gold_field: str = ""
    truth_field: str = ""
    notes: tuple[str, ...] = ()


def are_class_names(names: Sequence[str]) -> bool:
    """Tell whether names can be a task's classes: 2 to 1,000, each short, on one line and without outer space."""
    return 2 <= len(names) <= MOST_CLASSES and all(
        name.strip() == name and name.isprintable() and 0 < len(name) <= _LONGEST_CLASS for name in names
    )


def in_class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names sorted as people count: 2 before 10."""
    return tuple(sorted(names, key=_natural))


def some(names: Sequence[str]) -> str:
    """Return the first names on one line; dots stand for the others."""
    shown: list[str] = []
    for name in names[:_SHOWN]:
        if sum(map(len, shown)) + len(name) > _WIDEST and shown:
            break
        shown.append(name)
    return " ".join([*shown, "..."] if len(shown) < len(names) else shown)


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts] + [(2, 0, name)]
