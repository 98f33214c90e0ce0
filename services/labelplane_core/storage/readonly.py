"""A store that cannot be written through."""

from collections.abc import AsyncIterator
from typing import NoReturn

from labelplane_core.errors import StoreReadOnly
from labelplane_core.storage.store import ObjectInfo, ObjectStore, StoredObject

__all__ = ["ReadOnlyStore"]


class ReadOnlyStore:
    """Reads pass through; every write raises `StoreReadOnly` before anything is touched."""

    def __init__(self, store: ObjectStore, *, where: str) -> None:
        self._store = store
        self._where = where

    async def get(self, key: str) -> StoredObject:
        """Return the object under `key`."""
        return await self._store.get(key)

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        return await self._store.exists(key)

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield every object below the folder `prefix`."""
        return self._store.list(prefix)

    async def put(self, key: str, data: bytes) -> str:  # noqa: ARG002 - the Protocol's signature
        """Refuse."""
        self._refuse(key)

    async def create(self, key: str, data: bytes) -> str:  # noqa: ARG002 - the Protocol's signature
        """Refuse."""
        self._refuse(key)

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:  # noqa: ARG002 - the Protocol's signature
        """Refuse."""
        self._refuse(key)

    async def delete(self, key: str) -> None:
        """Refuse."""
        self._refuse(key)

    def _refuse(self, key: str) -> NoReturn:
        raise StoreReadOnly(f"object {key!r} must not be written: {self._where} is opened for reading")
