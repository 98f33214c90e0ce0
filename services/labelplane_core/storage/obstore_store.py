"""Object storage of the clouds, and memory, through `obstore`."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import obstore
from obstore import exceptions as theirs
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from labelplane_core.errors import (
    AlreadyExists,
    ChecksumMismatch,
    LabelplaneError,
    NoConditionalPut,
    ObjectNotFound,
    PreconditionFailed,
)
from labelplane_core.storage.obstore_errors import is_conflict, our_error
from labelplane_core.storage.store import ObjectInfo, StoredObject, check_key, check_prefix

__all__ = ["ObstoreStore", "RetryPolicy"]

_Result = TypeVar("_Result")

_MD5_ETAG = re.compile(r'"?[0-9a-f]{32}"?')
_LARGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a retryable error is tried again: at most `attempts` calls, waits doubling up to `max_seconds`.

    Each wait is drawn at random below `first_seconds`, doubled every time, so that many workers do not come back at
    once.
    """

    attempts: int = 5
    first_seconds: float = 0.1
    max_seconds: float = 5.0


class ObstoreStore:
    """An `ObjectStore` over one of obstore's stores; `open_store` sets the client up as this class needs.

    obstore's own retries must be off: an answer that was lost is told from a refusal here. Every object is one PUT
    (at most 5 GiB on S3), so conditions hold for any size. With `verify`, a write counts once the ETag is the MD5 of
    what was sent, or, where the ETag is something else (encryption, another cloud), once it reads back the same.

    Args:
        store: One of obstore's stores, rooted at our prefix.
        where: The address, for messages; without credentials.
        verify: Whether writes are checked.
        retry: How often retryable errors are tried again.
        by_version: Whether the store's condition is the object's generation, as on GCS, instead of its ETag.
    """

    def __init__(
        self, store: Any, *, where: str, verify: bool = True, retry: RetryPolicy | None = None, by_version: bool = False
    ) -> None:
        self._store = store
        self._where = where
        self._verify = verify
        self._etags_are_md5 = verify
        self._retry = retry or RetryPolicy()
        self._by_version = by_version

    async def get(self, key: str) -> StoredObject:
        """Return the object under `key`, with bytes and ETag of one version."""

        async def attempt(_: int) -> StoredObject:
            stored, theirs_tag = await self._read(key)
            if self._etags_are_md5 and _is_md5(theirs_tag) and not await _matches(theirs_tag, stored.data):
                # Some servers answer with the bytes of one version and the ETag of the next while somebody writes.
                if (await self._read(key))[0] != stored:
                    raise ChecksumMismatch(f"object {key!r} in {self._where} changed while it was read")
                self._etags_are_md5 = False
            return stored

        return await self._call(check_key(key), attempt)

    async def put(self, key: str, data: bytes) -> str:
        """Write `data` whatever is there."""

        async def attempt(_: int) -> str:
            return await self._write(key, data, mode="overwrite")

        return await self._call(check_key(key), attempt)

    async def create(self, key: str, data: bytes) -> str:
        """Write `data` where nothing is."""
        return await self._write_if(key, data, mode="create")

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        """Write `data` over the version named `etag`."""
        try:
            return await self._write_if(key, data, mode={"version" if self._by_version else "e_tag": etag})
        except (AlreadyExists, ObjectNotFound) as error:  # how some servers say it
            raise PreconditionFailed(
                f"object {key!r} in {self._where} changed since it was read: read it again"
            ) from error

    async def delete(self, key: str) -> None:
        """Remove the object, if there is one."""

        async def attempt(_: int) -> None:
            await obstore.delete_async(self._store, key)

        try:
            await self._call(check_key(key), attempt)
        except ObjectNotFound:
            return

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""

        async def attempt(_: int) -> None:
            await obstore.head_async(self._store, key)

        try:
            await self._call(check_key(key), attempt)
        except ObjectNotFound:
            return False
        return True

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield every object below the folder `prefix`, page by page; an error in the middle is raised, not retried."""
        folder = check_prefix(prefix)
        try:
            async for page in obstore.list(self._store, folder or None):
                for meta in page:
                    yield ObjectInfo(meta["path"], int(meta["size"]))
        except (theirs.BaseError, OSError, NotImplementedError) as error:
            raise our_error(folder, self._where, error) from error

    async def _write_if(self, key: str, data: bytes, *, mode: Any) -> str:
        """Write under a condition; a refusal of a retry that finds `data` standing is this call's own success."""

        async def attempt(number: int) -> str:
            try:
                return await self._write(key, data, mode=mode)
            except (theirs.AlreadyExistsError, theirs.PreconditionError) as refusal:
                if number == 1 or is_conflict(refusal):
                    raise
                etag = await self._etag_of(key, data)
                if etag is None:
                    raise
                return etag

        return await self._call(check_key(key), attempt)

    async def _etag_of(self, key: str, data: bytes) -> str | None:
        """Return the ETag of the object when it holds exactly `data`."""
        try:
            stored, _ = await self._read(key)
        except (FileNotFoundError, theirs.NotFoundError):
            return None
        return stored.etag if stored.data == data else None

    async def _write(self, key: str, data: bytes, *, mode: Any) -> str:
        result = await obstore.put_async(self._store, key, data, mode=mode, use_multipart=False)
        tag = self._tag(result)
        if self._verify and not await _matches(result["e_tag"], data):
            await self._read_back(key, data, tag)
        return tag

    async def _read_back(self, key: str, data: bytes, tag: str) -> None:
        stored, _ = await self._read(key)
        # Another tag is another's later write, which is not for this call to judge.
        if stored.etag != tag:
            return
        if stored.data != data:
            raise ChecksumMismatch(f"object {key!r} in {self._where} is not what was written")
        self._etags_are_md5 = False

    async def _read(self, key: str) -> tuple[StoredObject, str | None]:
        """Return an object and its ETag, which is not always the tag that conditions go by."""
        result = await obstore.get_async(self._store, key)
        data = bytes(await result.bytes_async())
        return StoredObject(data, self._tag(result.meta)), result.meta["e_tag"]

    def _tag(self, meta: Any) -> str:
        tag = meta["version" if self._by_version else "e_tag"]
        if tag is None:
            raise NoConditionalPut(f"{self._where} returns no ETag, without which two processes cannot be told apart")
        return str(tag)

    async def _call(self, key: str, attempt: Callable[[int], Awaitable[_Result]]) -> _Result:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._retry.attempts),
            wait=wait_random_exponential(multiplier=self._retry.first_seconds, max=self._retry.max_seconds),
            retry=retry_if_exception(_is_retryable),
            reraise=True,
        )

        async for state in retrying:
            with state:
                return await self._once(key, attempt, state.retry_state)
        raise AssertionError("tenacity raises the last error")

    async def _once(self, key: str, attempt: Callable[[int], Awaitable[_Result]], state: RetryCallState) -> _Result:
        try:
            return await attempt(state.attempt_number)
        except (theirs.BaseError, OSError, NotImplementedError) as error:
            raise our_error(key, self._where, error) from error


def _is_md5(etag: str | None) -> bool:
    """Return whether an ETag looks like an MD5; with server-side encryption one may and not be it."""
    return _MD5_ETAG.fullmatch(etag or "") is not None


async def _matches(etag: str | None, data: bytes) -> bool:
    """Return whether `etag` is the MD5 of `data`; large data is hashed in a thread."""
    if not _is_md5(etag):
        return False
    digest = _md5(data) if len(data) < _LARGE_BYTES else await asyncio.to_thread(_md5, data)
    return digest in (etag or "")


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, LabelplaneError) and error.retryable
