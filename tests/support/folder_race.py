"""One process of a race for an object in a folder store; importable by a spawned process."""

import asyncio
from multiprocessing.synchronize import Barrier
from pathlib import Path

from labelplane_core.errors import AlreadyExists, PreconditionFailed
from labelplane_core.storage import FolderStore


def count_wins(root: Path, name: str, rounds: int, barrier: Barrier) -> list[str]:
    """Compete in every round for a create and a replace, and return the objects that this process won."""
    return asyncio.run(_race(FolderStore(root), name, rounds, barrier))


async def _race(store: FolderStore, name: str, rounds: int, barrier: Barrier) -> list[str]:
    won: list[str] = []
    for number in range(rounds):
        barrier.wait(30)
        try:
            await store.create(f"create-{number}", name.encode())
            won.append(f"create-{number}")
        except AlreadyExists:
            pass
        barrier.wait(30)
        etag = (await store.get(f"create-{number}")).etag
        barrier.wait(30)
        try:
            await store.replace(f"create-{number}", f"replaced by {name}".encode(), etag=etag)
            won.append(f"replace-{number}")
        except PreconditionFailed:
            pass
    return won
