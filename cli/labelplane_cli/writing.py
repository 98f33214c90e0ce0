"""Writing a file whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from labelplane_cli.errors import BadFile

__all__ = ["write_whole"]


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place and move it there; a file that was there stays until then.

    Raises:
        BadFile: the folder is missing or may not be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}-", delete=False) as part:
            try:
                write(part)  # type: ignore[arg-type]
                part.close()
                Path(part.name).chmod(0o666 & ~_umask())
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}: name a file in a folder that you may write") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
