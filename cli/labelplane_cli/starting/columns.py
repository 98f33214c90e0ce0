"""Finds which column of a table is the id, the item and the label, by its name and by what it holds. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Self

from labelplane_aggregation.columns import as_text
from labelplane_cli.starting.findings import are_class_names

__all__ = ["Column", "LabelColumns", "find_ids", "find_images", "find_labels", "find_texts", "read_column"]

_ID_NAMES: Final = (
    "id", "item_id", "item", "uid", "uuid", "guid", "key", "sample_id", "example_id", "doc_id", "image_id", "text_id",
)  # fmt: skip
_IMAGE_NAMES: Final = ("image", "file", "path", "file_name", "filename", "image_path", "img", "filepath", "file_path")
_TEXT_NAMES: Final = (
    "text", "sentence", "content", "review", "comment", "body", "message", "question", "document", "description",
    "tweet", "title",
)  # fmt: skip
_LABEL_NAMES: Final = (
    "label_text", "label_name", "class_name", "label", "class", "category", "target", "sentiment", "topic", "intent",
    "answer", "labels", "tag", "y",
)  # fmt: skip
_GOLD_NAMES: Final = ("gold", "gold_label")
_TRUTH_NAMES: Final = ("truth", "true_label", "ground_truth")
_NO_LABEL_NAMES: Final = frozenset(
    ("split", "set", "fold", "part", "source", "lang", "language", "user", "author", "annotator", "date", "year",
     "width", "height", "weight"),
)  # fmt: skip
_PATH_NAMES: Final = frozenset(("image", "file", "path"))
"""Columns that hold paths wherever they stand, so that none of them is text."""

_LONGEST_NAME: Final = 128
"""As the job file's fields bound it."""
_LONGEST_ID: Final = 512
_IMAGE_SHARE: Final = 0.9
_SHORTEST_TEXT: Final = 15
_MOST_GUESSED_CLASSES: Final = 50
_LONGEST_GUESSED_CLASS: Final = 40
_FEWEST_A_CLASS: Final = 5
_DECIMAL: Final = re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of single values.

    Attributes:
        name: as it stands in the table.
        texts: its cells as text, "" where a cell is empty.
        distinct: its values, the empty one left out.
        n_filled: how many cells have one.
    """

    name: str
    texts: Sequence[str]
    distinct: frozenset[str]
    n_filled: int

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> Self:
        """Return a column of these texts."""
        return cls(name, texts, frozenset(texts) - {""}, sum(map(bool, texts)))

    @property
    def word(self) -> str:
        """The name as names are compared: small letters, words joined by an underscore."""
        return re.sub(r"[\s-]+", "_", self.name.strip().casefold())

    @property
    def is_full(self) -> bool:
        """Whether no cell is empty."""
        return self.n_filled == len(self.texts)


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Columns with classes: `gold` knows them of some items, `truth` of all."""

    gold: Column | None = None
    truth: Column | None = None

    @property
    def names(self) -> frozenset[str]:
        """Every class that one of them names."""
        return frozenset().union(*(each.distinct for each in (self.gold, self.truth) if each is not None))


def read_column(name: str, values: Sequence[Any]) -> Column | None:
    """Return a column of texts, numbers or truth values; None for one of lists, objects or nothing, or without name."""
    if not 0 < len(name) <= _LONGEST_NAME or not all(
        value is None or isinstance(value, str | int | float) for value in values
    ):
        return None
    column = Column.of(name, [as_text(value) for value in values])
    return column if column.n_filled else None


def find_images(columns: Sequence[Column], suffixes: frozenset[str]) -> Column | None:
    """Return the column of paths of images; of several, the one with the most usual name."""
    paths = [each for each in columns if each.is_full and _share_of_images(each, suffixes) >= _IMAGE_SHARE]
    return _by_name(paths, _IMAGE_NAMES) or next(iter(paths), None)


def find_texts(columns: Sequence[Column]) -> Column | None:
    """Return the column of texts: one of a usual name, else the one with the longest cells that mostly differ."""
    usable = [each for each in columns if each.word not in _PATH_NAMES]
    named = _by_name([each for each in usable if len(each.distinct) * 2 > each.n_filled], _TEXT_NAMES)
    if named is not None:
        return named
    lengths = {each.name: sum(map(len, each.texts)) / len(each.texts) for each in usable}
    long = [
        each
        for each in usable
        if lengths[each.name] >= _SHORTEST_TEXT
        and len(each.distinct) * 2 > each.n_filled
        and any(" " in text for text in each.texts[:100])
    ]
    return max(long, key=lambda each: lengths[each.name], default=None)


def find_ids(columns: Sequence[Column], *, item: Column) -> Column | None:
    """Return the column of ids: every cell filled, short and unlike all others. One that is called id need not be."""
    others = [each for each in columns if each.name != item.name]
    usable = [each for each in others if each.name in ("id", "item") or _are_ids(each)]
    return _by_name(usable, _ID_NAMES)


def find_labels(columns: Sequence[Column], *, besides: Sequence[str]) -> LabelColumns:
    """Return the columns of classes, by name, else the only one that repeats few short values."""
    usable = [each for each in columns if each.name not in besides and _are_labels(each)]
    gold, truth = _by_name(usable, _GOLD_NAMES), _by_name(usable, _TRUTH_NAMES)
    if gold is not None and truth is not None:
        return LabelColumns(gold, truth)
    column = gold or truth or _by_name(usable, _LABEL_NAMES) or _guessed(usable)
    if column is None:
        return LabelColumns()
    return LabelColumns(truth=column) if column.is_full else LabelColumns(gold=column)


def _share_of_images(column: Column, suffixes: frozenset[str]) -> float:
    return sum(PurePath(text).suffix.lower() in suffixes for text in column.texts) / len(column.texts)


def _are_ids(column: Column) -> bool:
    return column.is_full and len(column.distinct) == column.n_filled and max(map(len, column.texts)) <= _LONGEST_ID


def _are_labels(column: Column) -> bool:
    """Tell whether values can be classes: they repeat, and none is a decimal number."""
    repeats = len(column.distinct) * 2 <= column.n_filled
    return repeats and are_class_names(list(column.distinct)) and not any(map(_DECIMAL.fullmatch, column.distinct))


def _guessed(columns: Sequence[Column]) -> Column | None:
    likely = [
        each
        for each in columns
        if each.word not in _NO_LABEL_NAMES
        and len(each.distinct) <= _MOST_GUESSED_CLASSES
        and max(map(len, each.distinct)) <= _LONGEST_GUESSED_CLASS
        and each.n_filled >= _FEWEST_A_CLASS * len(each.distinct)
    ]
    return likely[0] if len(likely) == 1 else None


def _by_name(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    there: Mapping[str, Column] = {each.word: each for each in reversed(columns)}
    return next((there[name] for name in names if name in there), None)
