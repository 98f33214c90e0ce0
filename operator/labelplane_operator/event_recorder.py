"""Writes events beside the reconciles: they are told after the status, and no job waits for another one's events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from labelplane_operator.errors import ApiConflict, NamespaceEnding, NotLeader, OperatorError
from labelplane_operator.kinds import EVENT
from labelplane_operator.kube import Kube

__all__ = ["EventRecorder"]

_log = logging.getLogger(__name__)

_LEAVE_SECONDS = 2.0

Object = dict[str, Any]


class EventRecorder:
    """Makes events one after another; one that cannot be made is logged and lost, as events are.

    Args:
        kube: makes them.
        most_waiting: how many wait at most.
    """

    def __init__(self, kube: Kube, *, most_waiting: int = 10_000) -> None:
        self._kube = kube
        self._waiting: asyncio.Queue[Object] = asyncio.Queue(most_waiting)

    def record(self, manifest: Object) -> None:
        """Have an event made soon; when very many wait, it is lost."""
        try:
            self._waiting.put_nowait(manifest)
        except asyncio.QueueFull:
            _log.warning("an event was lost, as %d others wait: %s", self._waiting.maxsize, manifest["note"])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make events until the context ends, and for a moment those that still wait then."""
        writing = asyncio.create_task(self._write())
        try:
            yield
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._waiting.join(), _LEAVE_SECONDS)
            writing.cancel()

    async def _write(self) -> None:
        while True:
            manifest = await self._waiting.get()
            try:
                with suppress(ApiConflict):  # told before
                    await self._kube.create(EVENT, manifest)
            except (NamespaceEnding, NotLeader):
                continue  # nobody is left to read it, or another one tells it
            except OperatorError as error:
                _log.warning("an event was lost: %s", error)
            except Exception:  # noqa: BLE001 - one broken event must not silence all that follow; it is logged whole
                _log.exception("a defect: an event was lost: %s", manifest["note"])
            finally:
                self._waiting.task_done()
