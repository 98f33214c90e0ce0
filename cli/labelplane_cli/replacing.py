"""Writes a file whole or not at all."""

import os
import tempfile
from pathlib import Path

from labelplane_cli.errors import BadFile
from labelplane_cli.terminal import short_path

__all__ = ["check_folder_of", "replace_file"]


def check_folder_of(path: Path) -> None:
    """Refuse a file that could not be written.

    Raises:
        BadFile: it is a folder, or the one it would lie in is not there or not writable.
    """
    if path.is_dir():
        raise BadFile(f"{short_path(path)}: is a folder: name a file")
    if _is_device(path):
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        raise BadFile(f"{short_path(path)}: its folder {short_path(folder)} is not there: make it, or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadFile(f"{short_path(path)}: nothing may be written into {short_path(folder)}: name another folder")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file under its name at once; one that is there is replaced and its rights are kept.

    A device or a pipe is written to, as `/dev/null` and `/dev/stdout` must not become files.

    Raises:
        BadFile: the disk is full, or the folder refuses the file.
    """
    try:
        if _is_device(path):
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadFile(f"{short_path(path)}: cannot be written ({reason}): name another file") from error


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _replace(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _mode(path))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """Return the rights of the file that is replaced, or those that a new file would get."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
