"""Listing again: what vanished while nobody watched sends no event, and no event is certain to arrive."""

import asyncio
import logging
from collections.abc import Sequence

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import JobKey, ObjectCache, job_key
from labelplane_operator.errors import ApiError, ApiUnavailable
from labelplane_operator.kinds import LABELING_JOB, Kind
from labelplane_operator.kube import Kube
from labelplane_operator.workqueue import WorkQueue

__all__ = ["Sweeps"]

_log = logging.getLogger(__name__)

_LONGEST_RETRY_SECONDS = 60.0


class Sweeps:
    """Lists kinds again: after a watch began anew, and now and then, so that no lost event is lost for good.

    Args:
        kube: lists the objects.
        cache: is made to agree with the lists.
        queue: is given the keys of the jobs of which something had been missed.
        namespaces: to list in; none lists everywhere.
        quiet_seconds: how long a request waits for others. A new watch begins with a list; its last object comes well
            within this time of the one before.
        retry_seconds: how soon a list that failed is made again, at first.
    """

    def __init__(
        self,
        kube: Kube,
        cache: ObjectCache,
        queue: WorkQueue[JobKey],
        *,
        namespaces: tuple[str, ...],
        quiet_seconds: float = 0.5,
        retry_seconds: float = 1.0,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._queue = queue
        self._namespaces = namespaces or ("",)
        self._quiet_seconds = quiet_seconds
        self._retry_seconds = retry_seconds
        self._requested: set[Kind] = set()
        self._running: dict[Kind, asyncio.Task[None]] = {}

    def request(self, kind: Kind) -> None:
        """Have a kind listed soon; one list stands for all requests that come before it is made."""
        self._requested.add(kind)
        if kind not in self._running:
            self._running[kind] = asyncio.create_task(self._list_until_done(kind))
            self._running[kind].add_done_callback(lambda _: self._running.pop(kind, None))

    async def every(self, seconds: float, kinds: Sequence[Kind]) -> None:
        """Have all kinds listed again and again, with a pause before each round; it never returns."""
        while True:
            await asyncio.sleep(seconds)
            for kind in kinds:
                self.request(kind)

    async def _list_until_done(self, kind: Kind) -> None:
        delay = self._retry_seconds
        while kind in self._requested:
            await asyncio.sleep(self._quiet_seconds)
            # A request that comes while the list is under way asks for what that list may not know.
            self._requested.discard(kind)
            try:
                await self._list(kind)
            except (ApiError, ApiUnavailable) as error:
                _log.warning("%s are listed again in %.0f s: %s", kind.plural, delay, error)
                self._requested.add(kind)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_RETRY_SECONDS)

    async def _list(self, kind: Kind) -> None:
        labels = "" if kind is LABELING_JOB else JOB_LABEL
        listings = [await self._kube.list_all(kind, namespace=each, labels=labels) for each in self._namespaces]
        objects = [each for listing in listings for each in listing.objects]
        changed = {job_key(each) for each in objects if self._cache.put(kind, each)}
        uids = {each["metadata"]["uid"] for each in objects}
        changed |= self._cache.keep_only(kind, uids, version=min(listing.version for listing in listings))
        for key in changed:
            if key is not None:
                self._queue.add(key)
