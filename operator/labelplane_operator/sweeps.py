"""Listing a kind again after its watch began anew, since what vanished while nobody watched sends no event."""

import asyncio
import logging

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.errors import ApiError, ApiUnavailable
from labelplane_operator.kinds import LABELING_JOB, Kind
from labelplane_operator.kube import Kube
from labelplane_operator.workqueue import WorkQueue

__all__ = ["Sweeps"]

_log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.5
"""A new watch begins with a list; its last object comes well within this time of the one before."""


class Sweeps:
    """Lists a kind once after its watch began anew, to find what vanished while nobody watched."""

    def __init__(self, kube: Kube, cache: ObjectCache, queue: WorkQueue[JobKey], namespaces: tuple[str, ...]) -> None:
        self._kube = kube
        self._cache = cache
        self._queue = queue
        self._namespaces = namespaces or ("",)
        self._running: dict[Kind, asyncio.Task[None]] = {}

    def request(self, kind: Kind) -> None:
        """Have a kind swept; one sweep stands for all requests that come while it waits."""
        if kind not in self._running:
            self._running[kind] = asyncio.create_task(self._sweep(kind))
            self._running[kind].add_done_callback(lambda _: self._running.pop(kind, None))

    async def _sweep(self, kind: Kind) -> None:
        await asyncio.sleep(_QUIET_SECONDS)
        labels = "" if kind is LABELING_JOB else JOB_LABEL
        while True:
            try:
                listings = [await self._kube.list_all(kind, namespace=each, labels=labels) for each in self._namespaces]
                break
            except (ApiError, ApiUnavailable) as error:
                _log.warning("%s are listed again later: %s", kind.plural, error)
                await asyncio.sleep(1.0)
        uids = {each["metadata"]["uid"] for listing in listings for each in listing.objects}
        for key in self._cache.keep_only(kind, uids, version=min(listing.version for listing in listings)):
            self._queue.add(key)
