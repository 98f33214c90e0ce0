"""The last state of a training, in the attempt's own folder of the store."""

import asyncio

from labelplane_core.errors import ObjectNotFound
from labelplane_core.storage import ObjectStore
from labelplane_distillation.items import run_in_loop

__all__ = ["StoredCheckpoints"]


class StoredCheckpoints:
    """Keeps one state under one key, for a training that runs in a thread beside the loop.

    A process that was fenced may still overwrite it with a state of its own: an older one of the same training, from
    which whoever resumes arrives at the same end.
    """

    def __init__(self, store: ObjectStore, key: str, *, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._key = key
        self._loop = loop

    def load(self) -> bytes | None:
        """Return the state that was saved last, or None."""
        try:
            return bytes(run_in_loop(self._loop, self._store.get(self._key)).data)
        except ObjectNotFound:
            return None

    def save(self, state: bytes) -> None:
        """Keep `state` instead of what was there."""
        run_in_loop(self._loop, self._store.put(self._key, state))
