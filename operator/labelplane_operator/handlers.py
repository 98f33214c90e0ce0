"""What kopf calls: each event of a watch goes into the cache, and its job's key into the queue. No logic."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import kopf

from labelplane_operator.cache import JobKey, ObjectCache, job_key
from labelplane_operator.kinds import CHILDREN, LABELING_JOB, POD, Kind
from labelplane_operator.workqueue import WorkQueue

__all__ = ["WATCHED", "Watches"]

WATCHED = (LABELING_JOB, POD, *CHILDREN)
"""What is watched on every cluster."""

_log = logging.getLogger(__name__)


class Watches:
    """The handlers of all watches, as a registry of kopf.

    Args:
        cache: keeps what was seen.
        queue: is given the keys of jobs to look at.
        relisted: called with a kind when its watch began anew with a list, so that what vanished unseen is found.
        kinds: what is watched.
    """

    def __init__(
        self,
        cache: ObjectCache,
        queue: WorkQueue[JobKey],
        *,
        relisted: Callable[[Kind], None],
        kinds: Sequence[Kind] = WATCHED,
    ) -> None:
        self._kinds = kinds
        self._cache = cache
        self._queue = queue
        self._relisted = relisted
        self._came = asyncio.Event()
        self._is_settled = False

    def registry(self) -> kopf.OperatorRegistry:
        """Return the registry: one handler a kind, and how to log in."""
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)
        for kind in self._kinds:
            kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)(self._handler(kind))
        return registry

    async def settle(self, *, quiet_seconds: float, most_seconds: float) -> None:
        """Return when the first lists have come in: nothing more for a while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + most_seconds
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout_at(min(end, loop.time() + quiet_seconds)):
                    await self._came.wait()
                self._came.clear()
        self._is_settled = True

    def _handler(self, kind: Kind) -> Callable[..., Any]:
        async def handle(event: Mapping[str, Any], **_: Any) -> None:
            self._take(kind, event)

        return handle

    def _take(self, kind: Kind, event: Mapping[str, Any]) -> None:
        manifest = {"apiVersion": kind.api_version, "kind": kind.kind, **event["object"]}
        is_news = True
        if event["type"] == "DELETED":
            self._cache.remove(kind, manifest)
        else:
            is_news = self._cache.put(kind, manifest)
        if event["type"] is None:
            self._listed(kind)
        key = job_key(manifest)
        # The echo of an own write tells nothing: its answer is in the cache already.
        if is_news and key is not None:
            self._queue.add(key)

    def _listed(self, kind: Kind) -> None:
        self._came.set()
        if self._is_settled:
            self._relisted(kind)


def _login(**words: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**words) or kopf.login_with_kubeconfig(**words)
