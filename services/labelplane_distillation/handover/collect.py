"""Puts into the store what a training image wrote: `python -m labelplane_distillation.handover.collect`."""

import asyncio
import os
import stat
import time
from pathlib import Path

from labelplane_core.leaving import leave
from labelplane_core.models import digest_files, hash_file
from labelplane_core.storage import Layout, ObjectStore, open_store, put_once
from labelplane_distillation.errors import BadTrainedModel
from labelplane_distillation.handover.contract import (
    CARD_FILE,
    LARGEST_FILES,
    MODEL_FILE,
    TASK_FILE,
    Listing,
    listing_key,
    trained_file_key,
)
from labelplane_distillation.handover.settings import HandoverSettings, run_step
from labelplane_distillation.requests import TrainRequest

__all__ = ["collect", "main", "read_written"]

_NEEDED = (MODEL_FILE, CARD_FILE)
_MOST_NAMED = 5


def read_written(folder: Path) -> dict[str, bytes]:
    """Return the files that an image wrote, those that a model has; whatever else lies there is left alone.

    Raises:
        BadTrainedModel: one is missing, too large, or no plain file. A link could lead to what is this process's own.
    """
    found = sorted(each.name for each in folder.iterdir())
    if missing := [name for name in _NEEDED if name not in found]:
        raise BadTrainedModel(_told_missing(missing, found))
    return {name: _read(folder / name, most_bytes=most) for name, most in LARGEST_FILES.items() if name in found}


def _told_missing(missing: list[str], found: list[str]) -> str:
    there = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
    return (
        f"the training image ended well and wrote no {' and no '.join(missing)} to the folder LABELPLANE_OUTPUT; there "
        f"is {there or 'nothing'}: a model is taken as ONNX with its card, never pickled"
    )


def _read(path: Path, *, most_bytes: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadTrainedModel(
            f"{path.name} cannot be read: {error.strerror}: write a plain file that every user may read"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise BadTrainedModel(f"{path.name} is no plain file")
        if about.st_size > most_bytes:
            raise BadTrainedModel(f"{path.name} has {about.st_size:,} bytes, of which at most {most_bytes:,} are taken")
        return file.read()


async def collect(
    store: ObjectStore, layout: Layout, request: TrainRequest, files: dict[str, bytes], *, seconds: float
) -> bool:
    """Write the files and then their listing; return whether they are what counts for the request.

    They do not when another pod of the same attempt was faster: the first listing stays.
    """
    hashes = {name: hash_file(data) for name, data in files.items()}
    listing = Listing(folder=digest_files(hashes), files=hashes, seconds=seconds)
    for name, data in files.items():
        await put_once(store, trained_file_key(layout, request, folder=listing.folder, name=name), data)
    return await put_once(store, listing_key(layout, request), listing.to_json())


async def _collect(settings: HandoverSettings) -> str:
    files = await asyncio.to_thread(read_written, settings.output)
    # What was staged last is as old as the image's work.
    seconds = max(0.0, time.time() - (settings.input / TASK_FILE).stat().st_mtime)
    store = open_store(settings.store_uri, options=settings.store_options())
    is_first = await collect(store, Layout(), settings.train_request(), files, seconds=seconds)
    written = f"{', '.join(files)} are handed over"
    return written if is_first else "another pod of this attempt has handed a model over: that one counts"


def main() -> int:
    """Put the files into the store, and return the exit code."""
    return run_step("collect", _collect, os.environ)


if __name__ == "__main__":
    leave(main())
