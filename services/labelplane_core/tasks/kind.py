"""The one interface behind which the kinds of task differ."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["DecodedItem", "Modality", "Presentation", "TaskKind"]

DecodedItem = npt.NDArray[np.uint8] | str
"""An item as algorithms see it: an image of shape (height, width, 3), or a text."""


class Modality(StrEnum):
    """What an item is made of."""

    IMAGE = "image"
    TEXT = "text"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Presentation:
    """An item's content as every browser shows it."""

    media_type: str
    data: bytes


class TaskKind(ABC):
    """What an item, an answer and a vote are, and how answers become labels, for one `task.type`.

    Everything else in labelplane works on *units*, the sub-questions with one class as their answer that truth
    inference works on: `vote_units` turns votes into votes on units, and `labels_from_units` turns the units'
    posteriors back into an answer for every item. A unit is the item itself in classification; it would be a matched
    box in detection and a span or token in token classification.

    All methods are pure and synchronous; a caller on an event loop runs `decode`, `thumbnail` and `present` in a
    thread.
    """

    type_name: ClassVar[str]
    """The CRD's `task.type`."""
    modality: ClassVar[Modality]
    """What the items are made of."""
    suffixes: ClassVar[frozenset[str]]
    """Lower-case file name endings of single items, with the dot; empty when items are rows of a file."""
    browser_suffixes: ClassVar[frozenset[str]] = frozenset()
    """Those of them that browsers show as they are."""
    report_panels: ClassVar[tuple[str, ...]]
    """Names of what the report draws for this kind, in order."""
    export_formats: ClassVar[tuple[str, ...]]
    """Names of the formats that can hold this kind's labels, the default first."""

    @classmethod
    def detect(cls, names: Sequence[str]) -> float:
        """Return the share of the files `names` that are items of this kind by their endings; 0 without files."""
        matching = sum(PurePosixPath(name).suffix.lower() in cls.suffixes for name in names)
        return matching / len(names) if names else 0.0

    @abstractmethod
    def decode(self, raw: bytes | str) -> DecodedItem:
        """Return an item's content from the bytes in the store or the text in the index.

        Memory is bounded before it is taken. Raises a `BadItem` whose class is the reason; the caller knows the
        item's name.
        """

    @abstractmethod
    def thumbnail(self, raw: bytes | str, *, size: int = 96) -> str:
        """Return what a report shows of an item, safe in HTML.

        That is a `data:` URI of a PNG of at most `size` pixels a side for an image, and an escaped snippet of at most
        `size` characters for a text. `BadItem` as `decode`.
        """

    @abstractmethod
    def present(self, raw: bytes | str) -> Presentation:
        """Return an item whole, as people are shown it, in its own format where browsers know it.

        `BadItem` as `decode`.
        """

    @abstractmethod
    def parse_answer(self, text: str, classes: Sequence[str]) -> str:
        """Return the one canonical spelling of what a person or tool answered; `BadVote` when it is no answer."""

    @abstractmethod
    def vote_units(self, votes: pa.Table, classes: Sequence[str]) -> pa.Table:
        """Return `UNIT_VOTES` for `VOTES`: which unit each vote answers, and with which class.

        The votes are those that count (`current_votes`), with canonical answers; `UnknownClass` names the first that
        is not.
        """

    @abstractmethod
    def labels_from_units(self, units: pa.Table, classes: Sequence[str]) -> pa.Table:
        """Return (item_id, answer, confidence) for every item in `UNIT_POSTERIORS`; confidence is P(answer)."""

    @abstractmethod
    def item_uncertainty(self, items: pa.Table) -> pa.Table:
        """Return (item_id, uncertainty), one row an item in the order of first appearance.

        Args:
            items: The columns item_id (string) and uncertainty (float), a row for every unit.
        """
