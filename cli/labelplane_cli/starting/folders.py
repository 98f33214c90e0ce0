"""Finds the items of a folder: images or text files, in folders named as classes or not. No file is opened."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Final

from labelplane_api.dataset import DatasetFormat
from labelplane_api.task import TaskType
from labelplane_cli.starting.findings import MOST_CLASSES, Findings, are_class_names, in_class_order
from labelplane_core.tasks import TASK_KINDS

__all__ = ["Scan", "find_in_folder", "scan_folder"]

_SPLITS: Final = ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
_NAMES: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".txt": "text"}


@dataclass(frozen=True, slots=True)
class Scan:
    """The files of a folder, hidden ones left out.

    Attributes:
        folder: where they are.
        endings: by each first folder below it ("" for files of the folder itself) the number of files by ending.
        nested: the first folders that have folders with files in them.
    """

    folder: Path
    endings: Mapping[str, Counter[str]]
    nested: frozenset[str] = field(default_factory=frozenset)

    def of_kind(self, suffixes: frozenset[str]) -> dict[str, int]:
        """Return how many files of these endings each first folder has, folders without any left out."""
        counts = {top: sum(found[each] for each in suffixes) for top, found in self.endings.items()}
        return {top: count for top, count in counts.items() if count}


def scan_folder(folder: Path) -> Scan:
    """Count the files below a folder by their first folder and ending. Reads names only: O(files)."""
    endings: dict[str, Counter[str]] = {}
    nested: set[str] = set()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        parts = PurePath(place).relative_to(folder).parts
        top = parts[0] if parts else ""
        shown = [os.path.splitext(each)[1].lower() for each in files if not each.startswith(".")]  # noqa: PTH122 - speed
        if shown:
            endings.setdefault(top, Counter()).update(shown)
        if shown and len(parts) > 1:
            nested.add(top)
    return Scan(folder, endings, frozenset(nested))


def find_in_folder(scan: Scan, *, use_classes: bool = True) -> Findings | None:
    """Return the items that lie as files in a folder, None when there is no image and no text file.

    A folder that only wraps another one is opened, and of folders that are called train, test and so on the first
    that holds class folders is taken.
    """
    kind = max(TASK_KINDS, key=lambda each: sum(scan.of_kind(each.suffixes).values()))
    counts = scan.of_kind(kind.suffixes)
    if not counts:
        return None
    inner = _inner_folder(counts, scan) if use_classes else ""
    if inner:
        return _inside(scan, inner, others=[each for each in counts if each != inner])
    return _with_classes(_plain(scan, counts, TaskType(kind.type_name)), counts, use_classes=use_classes)


def _inner_folder(counts: Mapping[str, int], scan: Scan) -> str:
    """Return the one folder that should be looked at instead, "" for none."""
    if "" in counts:
        return ""
    if len(counts) == 1:
        return next(iter(counts))
    splits = sorted(counts, key=lambda each: _SPLITS.index(each.lower()) if each.lower() in _SPLITS else -1)
    if all(each.lower() in _SPLITS for each in splits):
        return next((each for each in splits if each in scan.nested), "")
    return ""


def _inside(scan: Scan, inner: str, *, others: list[str]) -> Findings | None:
    found = find_in_folder(scan_folder(scan.folder / inner))
    if found is None or not others:
        return found
    note = f"took the folder {inner}; {', '.join(others)} look like other parts of the data set and are left out"
    return replace(found, notes=(note, *found.notes))


def _plain(scan: Scan, counts: Mapping[str, int], task: TaskType) -> Findings:
    folders = [top for top in counts if top]
    by_ending: Counter[str] = sum((scan.endings[top] for top in counts), Counter())
    suffixes = next(each.suffixes for each in TASK_KINDS if each.type_name == task.value)
    where = f" in {len(folders):,} folders" if len(folders) > 1 else ""
    return Findings(
        task=task,
        folder=scan.folder,
        format=DatasetFormat.CLASS_FOLDERS,
        n_items=sum(counts.values()),
        summary=f"{_counted(by_ending, suffixes, task)}{where}",
    )


def _with_classes(found: Findings, counts: Mapping[str, int], *, use_classes: bool) -> Findings:
    """Return the findings with the folders as classes where they look so; the items of no folder have no class yet."""
    names = in_class_order(top for top in counts if top)
    reason = _no_classes(names, sum(counts[name] for name in names)) if use_classes else "folder names are ignored"
    if reason:
        return replace(found, classes_from=reason)
    if "" not in counts:
        return replace(found, classes=names, classes_from="the folder names", truth_field="folder")
    note = f"{counts['']:,} files lie in no folder: their class is not known yet"
    return replace(found, classes=names, classes_from="the folder names", gold_field="folder", notes=(note,))


def _no_classes(names: tuple[str, ...], n_items: int) -> str:
    """Return why folders are no classes, "" when they look like classes."""
    if len(names) < 2:
        return "there are no class folders"
    if len(names) > MOST_CLASSES or n_items < 2 * len(names):
        return f"{len(names):,} folders for {n_items:,} files are too many to be classes"
    if all(name.lower() in _SPLITS for name in names):
        return "the folders are parts of the data set"
    return "" if are_class_names(names) else "the folder names are no names of classes"


def _counted(by_ending: Counter[str], suffixes: frozenset[str], task: TaskType) -> str:
    formats: Counter[str] = Counter()
    for ending, count in by_ending.items():
        if ending in suffixes:
            formats[_NAMES.get(ending, ending[1:].upper())] += count
    what = "images" if task is TaskType.IMAGE_CLASSIFICATION else "files"
    if len(formats) == 1:
        return f"{formats.total():,} {next(iter(formats))} {what}"
    parts = ", ".join(f"{count:,} {name}" for name, count in formats.most_common())
    return f"{formats.total():,} {what} ({parts})"
