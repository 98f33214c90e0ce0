"""Reads a table that the user names; what is wrong with it becomes one line."""

from pathlib import Path

from labelplane_aggregation.columns import TABLE_SUFFIXES, Columns, read_columns
from labelplane_aggregation.errors import BadDataset
from labelplane_cli.errors import BadFile
from labelplane_cli.terminal import short_path
from labelplane_core.errors import EmptyDataset

__all__ = ["read_table", "separator_hint"]

_OTHER_SEPARATORS = ";\t|"


def read_table(path: Path) -> Columns:
    """Return the columns of a CSV, JSONL or Parquet file.

    Raises:
        BadFile: it is missing, empty, of another ending or damaged; the message names file and line.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise BadFile(f"{short_path(path)}: cannot be read by its ending: give a file in {', '.join(TABLE_SUFFIXES)}")
    try:
        return read_columns(_bytes(path), key=short_path(path))
    except EmptyDataset as error:
        what = str(error).split(": nothing", maxsplit=1)[0]
        raise BadFile(f"{what}: give a file with at least one row") from error
    except BadDataset as error:
        raise BadFile(f"{str(error).rstrip('.')}: mend the file") from error


def separator_hint(columns: Columns) -> str:
    """Return what to do with a CSV file whose cells are not separated by commas, "" for any other table."""
    names = list(columns.values)
    if len(names) > 1:
        return ""
    mark = next((each for each in _OTHER_SEPARATORS if each in names[0]), "")
    return f"its cells are separated by {mark!r}: save it with commas" if mark else ""


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadFile(f"{short_path(path)}: no such file: check the path") from error
    except OSError as error:
        raise BadFile(
            f"{short_path(path)}: cannot be read ({error.strerror}): give a file that you may read"
        ) from error
