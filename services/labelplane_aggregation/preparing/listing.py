"""What a data set lists, before any item is read: ids, addresses or texts, and the columns that were asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from labelplane_aggregation.columns import TABLE_SUFFIXES, Columns, as_text, read_columns
from labelplane_aggregation.errors import BadDataset
from labelplane_aggregation.requests import Dataset, DatasetFormat, Task
from labelplane_core.errors import BadKey, EmptyDataset, ObjectNotFound
from labelplane_core.storage import ObjectStore
from labelplane_core.storage.store import check_key
from labelplane_core.tasks import Modality

__all__ = ["FOLDER_FIELDS", "Listing", "read_listing"]

FOLDER_FIELDS = ("folder", "$folder")
"""How jobs name the one column that class folders have."""

_ID_COLUMNS = ("id", "item")
_ITEM_COLUMNS = {Modality.IMAGE: ("image", "file", "path"), Modality.TEXT: ("text",)}
_MAX_ID_LENGTH = 512


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The items as the data set names them, in its order.

    Attributes:
        item_ids: one each, no two the same.
        uris: keys in the data set's store; None for texts that stand in the table.
        texts: the texts; None for items that are files.
        fields: the columns that were asked for, values as they are in the file.
        place: says where an item is listed, for messages.
    """

    item_ids: Sequence[str]
    uris: Sequence[str] | None
    texts: Sequence[str] | None
    fields: Mapping[str, Sequence[Any]]
    place: Callable[[int], str]

    def __len__(self) -> int:
        """Return how many items are listed."""
        return len(self.item_ids)


async def read_listing(data: ObjectStore, task: Task, dataset: Dataset, *, fields: Sequence[str] = ()) -> Listing:
    """Return what the data set lists.

    Args:
        data: the data set's store.
        task: what kind of items to look for; for class folders its classes are the folders' names.
        dataset: how they lie.
        fields: columns to read beside id and item.

    Raises:
        BadDataset: a table, column, id or path is missing or wrong; the message names file, line and column.
        EmptyDataset: nothing is listed.
    """
    files = [] if dataset.index else await _files(data)
    table = dataset.index or _only_table(files, dataset.format)
    if table and dataset.format is not DatasetFormat.CLASS_FOLDERS:
        return _from_table(await _read(data, table), task, dataset, fields=fields)
    return _from_files(files, task, fields=fields)


async def _files(data: ObjectStore) -> list[str]:
    keys = [info.key async for info in data.list()]
    return sorted(key for key in keys if not any(part.startswith(".") for part in key.split("/")))


def _only_table(files: Sequence[str], wanted: DatasetFormat) -> str:
    """Return the one table that lies beside the items; none for Auto when there is none."""
    if wanted is DatasetFormat.CLASS_FOLDERS:
        return ""
    suffixes = _SUFFIXES.get(wanted, TABLE_SUFFIXES)
    tables = [key for key in files if "/" not in key and PurePosixPath(key).suffix.lower() in suffixes]
    if len(tables) > 1:
        raise BadDataset(f"there are {len(tables)} tables ({', '.join(tables[:3])}): name one as dataset.index")
    if not tables and wanted is not DatasetFormat.AUTO:
        raise BadDataset(f"no table ends in {' or '.join(suffixes)}: name it as dataset.index")
    return tables[0] if tables else ""


_SUFFIXES = {
    DatasetFormat.CSV: (".csv",),
    DatasetFormat.JSONL: (".jsonl", ".ndjson"),
    DatasetFormat.PARQUET: (".parquet",),
}


async def _read(data: ObjectStore, key: str) -> Columns:
    try:
        stored = await data.get(key)
    except ObjectNotFound as error:
        raise BadDataset(f"dataset.index {key!r} is not below the data set's address") from error
    return read_columns(stored.data, key=key)


def _from_files(files: Sequence[str], task: Task, *, fields: Sequence[str]) -> Listing:
    items = [key for key in files if PurePosixPath(key).suffix.lower() in task.kind.suffixes]
    if not items:
        endings = ", ".join(sorted(task.kind.suffixes))
        raise EmptyDataset(f"no file ends in {endings} and no table lists items: check dataset.uri")
    if unknown := [name for name in fields if name not in FOLDER_FIELDS]:
        raise BadDataset(f"files have no column {unknown[0]!r}: the one they have is 'folder', their first folder")
    folders = [key.split("/")[0] if "/" in key else "" for key in items]
    return Listing(
        item_ids=items,
        uris=items,
        texts=None,
        fields=dict.fromkeys(fields, folders),
        place=lambda row: items[row],
    )


def _from_table(columns: Columns, task: Task, dataset: Dataset, *, fields: Sequence[str]) -> Listing:
    item_field = dataset.item_field or _default_item_field(columns, task.kind.modality)
    texts = [as_text(value) for value in columns[item_field]]
    is_inline = task.kind.modality is Modality.TEXT and item_field not in _ITEM_COLUMNS[Modality.IMAGE]
    if not is_inline:
        _check_paths(texts, columns, item_field)
    ids = _ids(columns, dataset, item_field=item_field, paths=None if is_inline else texts)
    return Listing(
        item_ids=ids,
        uris=None if is_inline else texts,
        texts=texts if is_inline else None,
        fields={name: columns[name] for name in fields},
        place=columns.place,
    )


def _default_item_field(columns: Columns, modality: Modality) -> str:
    usual = _ITEM_COLUMNS[Modality.TEXT] if modality is Modality.TEXT else ()
    candidates = (*usual, *_ITEM_COLUMNS[Modality.IMAGE])
    for name in candidates:
        if name in columns.values:
            return name
    raise BadDataset(
        f"{columns.key}: no column is called {' or '.join(candidates)}: set dataset.itemField to one of "
        f"{', '.join(map(repr, columns.values))}, or dataset.format to ClassFolders to take the files"
    )


def _ids(columns: Columns, dataset: Dataset, *, item_field: str, paths: Sequence[str] | None) -> Sequence[str]:
    usual = next((name for name in _ID_COLUMNS if name in columns.values and name != item_field), "")
    field = dataset.id_field or usual
    if field:
        ids = [as_text(value) for value in columns[field]]
    else:
        ids = list(paths) if paths is not None else [f"row-{row}" for row in range(1, columns.n_rows + 1)]
    _check_ids(ids, columns, field or item_field)
    return ids


def _check_ids(ids: Sequence[str], columns: Columns, field: str) -> None:
    first: dict[str, int] = {}
    for row, item_id in enumerate(ids):
        if not item_id or len(item_id) > _MAX_ID_LENGTH:
            raise BadDataset(f"{columns.place(row)}: {field} must have 1 to {_MAX_ID_LENGTH} characters")
        if first.setdefault(item_id, row) != row:
            raise BadDataset(
                f"{columns.place(row)}: {field} {item_id!r} stands already at {columns.place(first[item_id])}: "
                "ids must differ"
            )


def _check_paths(paths: Sequence[str], columns: Columns, field: str) -> None:
    """Refuse what is no path below the data set's own address."""
    for row, path in enumerate(paths):
        try:
            check_key(path)
        except BadKey as error:
            raise BadDataset(_path_message(columns.place(row), field, path)) from error
        if "://" in path or "\\" in path:
            raise BadDataset(_path_message(columns.place(row), field, path))


def _path_message(place: str, field: str, path: str) -> str:
    return f"{place}: {field} {path[:200]!r} must be a path below the data set's address, without '..', root or scheme"
