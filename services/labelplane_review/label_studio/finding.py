"""Which item a task is about: the one that it names, or else the one whose text or file it shows."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from labelplane_core.errors import ObjectNotFound
from labelplane_core.storage import Layout, ObjectStore
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX
from labelplane_review.label_studio.answers import ITEM_FIELD

__all__ = ["ItemFinder", "named_item"]

_UPLOADED: Final = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that was uploaded to it."""


def named_item(data: Mapping[str, Any]) -> str | None:
    """Return the item that a task's data names."""
    item = data.get(ITEM_FIELD)
    return str(item) if isinstance(item, str | int) and item != "" else None


class ItemFinder:
    """Knows a data set's items by their texts and files, once it has read its index.

    A project that was begun elsewhere names no items. A text or a file's name that several items share finds none.
    """

    def __init__(self, store: ObjectStore, layout: Layout) -> None:
        self._store = store
        self._layout = layout
        self._items: dict[str, str] | None = None

    async def ready(self) -> None:
        """Read the index when there is one; until then items are found by their names alone."""
        if self._items is None:
            try:
                index = await TableStore(self._store).read(self._layout.index_manifest, INDEX)
            except ObjectNotFound:
                return
            self._items = _shown_by(index)

    def __call__(self, data: Mapping[str, Any]) -> str | None:
        """Return the item of a task's data; None when there is none."""
        named = named_item(data)
        if named is not None or self._items is None:
            return named
        shown = (value for value in data.values() if isinstance(value, str))
        found = {item for value in shown if (item := self._items.get(value) or self._items.get(_file_name(value)))}
        return found.pop() if len(found) == 1 else None


def _shown_by(index: pa.Table) -> dict[str, str]:
    """Return the items by text, by key and by file name, without what several items share."""
    rows = index.select(["item_id", "uri", "text"]).to_pylist()
    words = [
        (word, row["item_id"])
        for row in rows
        for word in {row["text"], row["uri"], row["uri"] and _file_name(row["uri"])}
        if word
    ]
    counts = Counter(word for word, _ in words)
    return {word: item for word, item in words if counts[word] == 1}


def _file_name(address: str) -> str:
    """Return the name of the file at an address, as it was before it was uploaded."""
    if len(address) > 4096:  # a text, or an image in the task itself
        return ""
    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    return _UPLOADED.sub("", PurePosixPath(unquote(path)).name)
