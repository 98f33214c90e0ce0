"""What every object store does, whoever keeps the bytes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from labelplane_core.errors import AlreadyExists, BadKey

__all__ = ["ObjectInfo", "ObjectStore", "StoredObject", "check_key", "check_prefix", "put_once"]

MAX_KEY_BYTES = 1024
"""S3's bound on a key's length in UTF-8, kept for every store."""

RESERVED_FOLDER = ".labelplane"
"""Where a folder store keeps its locks and unfinished files; no key may begin with it."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes, and the tag that names this version of them."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object's key and size, as a listing tells them."""

    key: str
    size_bytes: int


class ObjectStore(Protocol):
    """Bytes under keys, with create-only and compare-and-set writes.

    Keys are relative to the store's root: segments joined by `/`, at most 1,024 bytes, no empty, `.` or `..` segment,
    no control character, valid UTF-8 (`BadKey`). A write that returned is durable and whole: no reader ever sees half
    an object. An ETag names a version of one object's content; it may be the same again when the same bytes are
    written again. Errors of the network are retried inside, a bounded number of times, before they are raised.
    """

    async def get(self, key: str) -> StoredObject:
        """Return the object under `key`; `ObjectNotFound` when there is none."""
        ...

    async def put(self, key: str, data: bytes) -> str:
        """Write `data` whatever is there, and return the new ETag."""
        ...

    async def create(self, key: str, data: bytes) -> str:
        """Write `data` where nothing is, and return its ETag; `AlreadyExists` otherwise.

        Of any number of concurrent creates of different bytes exactly one succeeds. When an answer was lost on the
        way and the retry finds exactly `data`, that counts as this call's own success; so callers that compete put
        their identity in.
        """
        ...

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        """Write `data` over the version named `etag`, and return the new ETag; `PreconditionFailed` otherwise.

        Of any number of concurrent replaces of one version exactly one succeeds; a lost answer is treated as in
        `create`.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; none there is no error."""
        ...

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield every object below the folder `prefix` (all for the empty one), at any depth, in no promised order.

        `a/b` lists `a/b/c`, but neither `a/b` itself nor `a/bc`.
        """
        ...


async def put_once(store: ObjectStore, key: str, data: bytes) -> bool:
    """Create the object unless it exists, and keep what exists; return whether `data` was written."""
    try:
        await store.create(key, data)
    except AlreadyExists:
        return False
    return True


def check_key(key: str) -> str:
    """Return `key` when it is one; `BadKey` names what is wrong with it."""
    if not key:
        raise BadKey("an object's key is empty")
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise BadKey(f"key {key[:60]!r}... is longer than {MAX_KEY_BYTES} bytes")
    if any(ord(character) < 32 or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in key):
        raise BadKey(f"key {key!r} holds a control character or is not valid UTF-8")
    segments = key.split("/")
    if any(segment in {"", ".", ".."} for segment in segments):
        raise BadKey(f"key {key!r} must be relative, without empty, '.' or '..' segments")
    if segments[0] == RESERVED_FOLDER:
        raise BadKey(f"key {key!r} lies in {RESERVED_FOLDER}/, which belongs to the store itself")
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` without its closing slash when it is empty or a valid key; `BadKey` otherwise."""
    trimmed = prefix.removesuffix("/")
    return check_key(trimmed) if prefix else ""
