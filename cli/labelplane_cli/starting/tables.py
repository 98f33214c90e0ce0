"""Finds the items that a table lists."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from labelplane_aggregation.columns import TABLE_SUFFIXES, Columns
from labelplane_api.dataset import DatasetFormat
from labelplane_api.schema import KEY_PATTERN
from labelplane_api.task import TaskType
from labelplane_cli.errors import BadFile
from labelplane_cli.starting.columns import (
    Column,
    LabelColumns,
    find_ids,
    find_images,
    find_labels,
    find_texts,
    read_column,
)
from labelplane_cli.starting.findings import Findings, in_class_order
from labelplane_cli.table_files import read_table, separator_hint
from labelplane_cli.terminal import short_path
from labelplane_core.tasks import task_kind

__all__ = ["NoItemColumn", "find_in_table", "tables_of"]

_LOOKED_AT: Final = 20
"""How many images are looked for; all missing means that the folder is wrong, some may be missing."""

_FORMATS: Final = {".csv": DatasetFormat.CSV, ".parquet": DatasetFormat.PARQUET}


class NoItemColumn(BadFile):
    """No column of a table holds texts or paths of images."""


def tables_of(folder: Path) -> list[Path]:
    """Return the tables that lie in a folder itself, sorted."""
    found = (each for each in folder.iterdir() if each.suffix.lower() in TABLE_SUFFIXES and each.is_file())
    return sorted(each for each in found if not each.name.startswith("."))


def find_in_table(path: Path, *, use_classes: bool = True) -> Findings:
    """Return the items of a table, and which of its columns says what.

    Raises:
        NoItemColumn: no column holds texts or paths of images.
        BadFile: the table cannot be read, an id stands twice, or the images are not below its folder.
    """
    if not re.fullmatch(KEY_PATTERN, path.name):
        raise BadFile(f"{short_path(path)}: rename the file: its name may hold letters, digits, '.', '_' and '-'")
    table = read_table(path)
    columns = [found for name, cells in table.values.items() if (found := read_column(name, cells)) is not None]
    task, item = _find_items(table, columns)
    ids = find_ids(columns, item=item)
    if ids is not None:
        _check_ids(ids, table)
    if task is TaskType.IMAGE_CLASSIFICATION:
        _check_images(item, table, path.absolute().parent)
    named = [each.name for each in (item, ids) if each is not None]
    labels = find_labels(columns, besides=named) if use_classes else LabelColumns()
    return Findings(
        task=task,
        folder=path.absolute().parent,
        format=_FORMATS.get(path.suffix.lower(), DatasetFormat.JSONL),
        n_items=table.n_rows,
        summary=_summary(table, task, item=item, ids=ids),
        classes=in_class_order(labels.names),
        classes_from=_classes_from(labels),
        index=path.name,
        id_field=ids.name if ids else "",
        item_field=item.name,
        gold_field=labels.gold.name if labels.gold else "",
        truth_field=labels.truth.name if labels.truth else "",
    )


def _find_items(table: Columns, columns: Sequence[Column]) -> tuple[TaskType, Column]:
    images = find_images(columns, task_kind(TaskType.IMAGE_CLASSIFICATION.value).suffixes)
    if images is not None:
        return TaskType.IMAGE_CLASSIFICATION, images
    texts = find_texts(columns)
    if texts is not None:
        return TaskType.TEXT_CLASSIFICATION, texts
    listed = ", ".join(map(repr, islice(table.values, 20)))
    todo = separator_hint(table) or "call the one that is meant text or image"
    raise NoItemColumn(f"{table.key}: no column among {listed} holds texts or paths of images: {todo}")


def _check_ids(ids: Column, table: Columns) -> None:
    first: dict[str, int] = {}
    for row, text in enumerate(ids.texts):
        where = f"{ids.name} {text!r}"
        if not text:
            raise BadFile(f"{table.place(row)}: {ids.name} is empty: fill it, or remove the column")
        if first.setdefault(text, row) != row:
            raise BadFile(f"{table.place(row)}: {where} stands already at {table.place(first[text])}: ids must differ")


def _check_images(item: Column, table: Columns, folder: Path) -> None:
    """Refuse paths that lead out of the table's folder, and a folder that has none of the first images."""
    for row, text in enumerate(item.texts):
        if "://" in text or "\\" in text or text.startswith("/") or ".." in PurePosixPath(text).parts:
            raise BadFile(
                f"{table.place(row)}: {item.name} {text[:200]!r} is no path below the table's folder: "
                "put the images there and write their paths from there"
            )
    if not any((folder / text).exists() for text in item.texts[:_LOOKED_AT]):
        raise BadFile(
            f"{table.place(0)}: {item.name} {item.texts[0][:200]!r} is not in {short_path(folder)}, nor are those "
            "after it: put the table beside its images"
        )


def _summary(table: Columns, task: TaskType, *, item: Column, ids: Column | None) -> str:
    what = "images" if task is TaskType.IMAGE_CLASSIFICATION else "texts"
    columns = f"{what} in column {item.name!r}" + (f", ids in {ids.name!r}" if ids else "")
    return f"{table.n_rows:,} {what} in {PurePosixPath(table.key).name} ({columns})"


def _classes_from(labels: LabelColumns) -> str:
    there = [each for each in (labels.gold, labels.truth) if each is not None]
    if not there:
        return "no column looks like classes"
    return " and ".join(f"column {each.name!r} ({each.n_filled:,} filled)" for each in there)
