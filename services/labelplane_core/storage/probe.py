"""Finding out at the start whether a store can be trusted with fencing."""

import contextlib

from labelplane_core.errors import AlreadyExists, NoConditionalPut, PreconditionFailed
from labelplane_core.storage.store import ObjectStore

__all__ = ["probe_conditional_put"]

_ADVICE = "use a server with conditional puts, without which two processes could own one operation"


async def probe_conditional_put(store: ObjectStore, *, key: str) -> None:
    """Check that a second create and a replace of an old version are refused; costs five small writes under `key`.

    `key` must be one that nobody else uses, such as one with a new random id in it; it is removed again.

    Raises:
        NoConditionalPut: The store accepts what it must refuse, or has no such writes: two processes could both own
        an operation. StoreError: The store cannot be reached or denies access.
    """
    try:
        first = await store.create(key, b"1")
        await _expect_refused_create(store, key)
        await store.replace(key, b"3", etag=first)
        await _expect_refused_replace(store, key, first)
    except PreconditionFailed as error:
        raise NoConditionalPut(f"the store refuses to replace the version it has just written at {key!r}") from error
    finally:
        with contextlib.suppress(NoConditionalPut):
            await store.delete(key)


async def _expect_refused_create(store: ObjectStore, key: str) -> None:
    with contextlib.suppress(AlreadyExists):
        await store.create(key, b"2")
        raise NoConditionalPut(f"the store let {key!r} be created twice: it ignores If-None-Match: {_ADVICE}")


async def _expect_refused_replace(store: ObjectStore, key: str, old: str) -> None:
    with contextlib.suppress(PreconditionFailed):
        await store.replace(key, b"4", etag=old)
        raise NoConditionalPut(f"the store let an old version of {key!r} be replaced: it ignores If-Match: {_ADVICE}")
