"""A store laid over another one, which is only read."""

from collections.abc import AsyncIterator

from labelplane_core.errors import AlreadyExists, ObjectNotFound, PreconditionFailed
from labelplane_core.storage.store import ObjectInfo, ObjectStore, StoredObject

__all__ = ["OverlayStore"]


class OverlayStore:
    """Everything is written to `above`; what is not there is read from `below`.

    What lies below cannot be removed: `delete` takes away what was written above, and the object below shows again.
    A create-only put looks below first; nobody else may write below meanwhile. The stores name versions differently,
    as a folder and memory do; a name that both use would stand for two versions.
    """

    def __init__(self, below: ObjectStore, above: ObjectStore) -> None:
        self._below = below
        self._above = above

    async def get(self, key: str) -> StoredObject:
        """Return the object under `key`."""
        try:
            return await self._above.get(key)
        except ObjectNotFound:
            return await self._below.get(key)

    async def put(self, key: str, data: bytes) -> str:
        """Write `data` above."""
        return await self._above.put(key, data)

    async def create(self, key: str, data: bytes) -> str:
        """Write `data` above where nothing is, above or below."""
        if await self._below.exists(key):
            raise AlreadyExists(f"object {key!r} is there already")
        return await self._above.create(key, data)

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        """Write `data` above over the version named `etag`, wherever that lies."""
        if await self._above.exists(key):
            return await self._above.replace(key, data, etag=etag)
        try:
            if (await self._below.get(key)).etag == etag:
                return await self._above.create(key, data)
        except (ObjectNotFound, AlreadyExists) as error:
            raise _changed(key) from error
        raise _changed(key)

    async def delete(self, key: str) -> None:
        """Remove what was written above."""
        await self._above.delete(key)

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        return await self._above.exists(key) or await self._below.exists(key)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield every object of both stores below the folder `prefix`, that above where both have one."""
        seen = set()
        async for info in self._above.list(prefix):
            seen.add(info.key)
            yield info
        async for info in self._below.list(prefix):
            if info.key not in seen:
                yield info


def _changed(key: str) -> PreconditionFailed:
    return PreconditionFailed(f"object {key!r} changed since it was read: read it again")
