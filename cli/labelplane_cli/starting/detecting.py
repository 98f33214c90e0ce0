"""Finds the items under an address: a table, a folder with a table, or a folder of files."""

from dataclasses import replace
from pathlib import Path

from labelplane_cli.errors import BadFile, BadUsage
from labelplane_cli.starting.findings import Findings
from labelplane_cli.starting.folders import Scan, find_in_folder, scan_folder
from labelplane_cli.starting.tables import NoItemColumn, find_in_table, tables_of
from labelplane_cli.terminal import short_path

__all__ = ["detect"]


def detect(path: Path, *, use_classes: bool = True) -> Findings:
    """Return what lies under a path.

    Raises:
        BadFile: nothing is there, it cannot be read, or holds no items.
        BadUsage: a folder has several tables and no other items, so that one has to be named.
    """
    if not path.exists():
        raise BadFile(f"{short_path(path)}: no such file or folder: check the path")
    address = str(path.resolve())
    if ":" in address or not address.isprintable():
        raise BadFile(f"{short_path(path)}: a job cannot name a path with a colon or a control sign: rename it")
    if not path.is_dir():
        return find_in_table(path, use_classes=use_classes)
    try:
        tables = tables_of(path)
    except OSError as error:
        raise BadFile(f"{short_path(path)}: cannot be read ({error.strerror}): give a folder you may read") from error
    return _in_folder(path.absolute(), tables, use_classes=use_classes)


def _in_folder(folder: Path, tables: list[Path], *, use_classes: bool) -> Findings:
    if len(tables) == 1:
        try:
            return find_in_table(tables[0], use_classes=use_classes)
        except NoItemColumn:
            found = find_in_folder(scan_folder(folder), use_classes=use_classes)
            if found is None:
                raise
            return replace(found, notes=(*found.notes, f"{tables[0].name} lists no items and is left out"))
    scan = scan_folder(folder)
    found = find_in_folder(scan, use_classes=use_classes)
    if found is not None:
        return found
    if tables:
        names = ", ".join(each.name for each in tables[:3])
        raise BadUsage(
            f"{short_path(folder)}: has {len(tables)} tables ({names}): name one, as in "
            f"labelplane init {short_path(tables[0])}"
        )
    raise BadFile(f"{short_path(folder)}: {_nothing(scan)}: give a folder of images or of .txt files, or a table")


def _nothing(scan: Scan) -> str:
    others = sorted({ending for found in scan.endings.values() for ending in found if ending})
    if not scan.endings:
        return "holds no files"
    return f"holds no images and no texts, only {', '.join(others[:5]) or 'files without an ending'}"
