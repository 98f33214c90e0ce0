"""Removing the results of a job that is deleted: everything below its prefix, the claim on it last."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from labelplane_aggregation.errors import PrefixTaken
from labelplane_aggregation.preparing.claim import read_owner
from labelplane_aggregation.requests import Ownership
from labelplane_core.errors import StoreUnavailable
from labelplane_core.storage import Layout, ObjectStore

__all__ = ["remove_results"]

_AT_ONCE: Final = 32
"""Objects that are being removed at the same time."""
_PASSES: Final = 5
"""Times that the prefix is looked through; two are enough where nobody writes any more."""


async def remove_results(store: ObjectStore, layout: Layout, owner: Ownership, *, kept: Collection[str] = ()) -> int:
    """Remove what a job has written, and return how many objects that were; doing it again removes nothing.

    `owner.json` goes last, so that a removal that was broken off goes on. Folders below the prefix that another job
    has claimed stay, and so do those of `kept`. Where nobody has claimed the prefix, the job came no further than to
    note its operations: these go, and nothing else is its own.

    Args:
        store: of the job.
        layout: of its objects.
        owner: the job.
        kept: folders below the prefix that are no results, as the data set.

    Raises:
        PrefixTaken: another job, or one of another installation, has claimed the prefix; nothing is removed then.
        DamagedRecord: `owner.json` is no claim.
        StoreUnavailable: objects are there after every pass; something still writes.
    """
    is_claimed = await _is_claimed(store, layout, owner)
    folders = (*kept, *await _claimed_below(store, layout))
    removed, last = 0, ""
    for _ in range(_PASSES):
        below = layout.prefix if is_claimed else f"{layout.operations}/{owner.name}"
        found = [key async for key in _keys(store, below) if key != layout.owner and not _is_in(folders, key)]
        if not found:
            return removed + (await _remove_claim(store, layout, owner) if is_claimed else 0)
        await _remove(store, found)
        is_claimed = await _is_claimed(store, layout, owner)
        removed, last = removed + len(found), found[-1]
    raise StoreUnavailable(f"objects still come below the prefix of the job, as {last!r}: see what writes there")


async def _remove_claim(store: ObjectStore, layout: Layout, owner: Ownership) -> int:
    # Another job may have adopted the prefix meanwhile.
    if not await _is_claimed(store, layout, owner):
        return 0
    await store.delete(layout.owner)
    return 1


async def _is_claimed(store: ObjectStore, layout: Layout, owner: Ownership) -> bool:
    """Return whether the job has claimed its prefix; False when nobody has."""
    standing = await read_owner(store, layout)
    if standing is not None and standing != owner:
        raise PrefixTaken(
            f"this output prefix belongs to job {standing.words}, not to {owner.words}: nothing more is removed"
        )
    return standing is not None


async def _claimed_below(store: ObjectStore, layout: Layout) -> list[str]:
    """Return the folders below the prefix that hold a claim of their own."""
    _, _, name = layout.owner.rpartition("/")
    return [
        key.removesuffix(f"/{name}")
        async for key in _keys(store, layout.prefix)
        if key.endswith(f"/{name}") and key != layout.owner
    ]


async def _keys(store: ObjectStore, folder: str) -> AsyncIterator[str]:
    async for info in store.list(folder):
        yield info.key


def _is_in(folders: Collection[str], key: str) -> bool:
    return any(key.startswith(f"{folder}/") for folder in folders)


async def _remove(store: ObjectStore, keys: Sequence[str]) -> None:
    for start in range(0, len(keys), _AT_ONCE):
        await asyncio.gather(*(store.delete(key) for key in keys[start : start + _AT_ONCE]))
