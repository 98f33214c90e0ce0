"""The workers: each takes a key, reconciles it and says when it is to come again."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from labelplane_operator.cache import JobKey
from labelplane_operator.errors import ApiConflict, ApiUnavailable, NotLeader, OperatorError
from labelplane_operator.metrics import OperatorMetrics
from labelplane_operator.workqueue import WorkQueue

__all__ = ["Workers"]

_log = logging.getLogger(__name__)

_LONGEST_OUTAGE_DELAY_SECONDS = 15.0
"""An outage ends by itself, and work must go on soon after; what people have to mend may wait longer."""

Reconcile = Callable[[JobKey], Awaitable[float | None]]
"""Brings a job a step on; returns in how many seconds to look again, None when only a change matters."""


class Workers:
    """Works on the keys of a queue."""

    def __init__(self, queue: WorkQueue[JobKey], reconcile: Reconcile, metrics: OperatorMetrics) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._metrics = metrics

    @asynccontextmanager
    async def running(self, count: int, *, leave_seconds: float = 10.0) -> AsyncIterator[None]:
        """Run workers; on leaving, the queue is closed and each worker finishes the reconcile that it is in.

        One that takes longer than `leave_seconds` is cut short: the next leader does it again, and must not wait until
        the kubelet kills this process with the Lease in its hand.
        """
        workers = [asyncio.create_task(self._work()) for _ in range(count)]
        try:
            yield
        finally:
            self._queue.close()
            _, late = await asyncio.wait(workers, timeout=leave_seconds)
            for each in late:
                each.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            begun = time.monotonic()
            try:
                outcome = await self._work_on(key)
            finally:
                self._queue.done(key)
            self._metrics.reconciled(time.monotonic() - begun, outcome=outcome)

    async def _work_on(self, key: JobKey) -> str:
        """Reconcile a job, and return how that ended."""
        try:
            again = await self._reconcile(key)
        except OperatorError as error:
            delay = self._failed(key, error)
            # A conflict is how an old state of the cache shows; the watch brings the new one.
            level = logging.DEBUG if isinstance(error, ApiConflict | NotLeader) else logging.WARNING
            _log.log(level, "%s/%s: %s; tried again in %.1f s", *key, error, delay)
            return "error"
        except Exception as error:  # noqa: BLE001 - one broken job must not stop the others; it is logged whole
            delay = self._failed(key, error)
            _log.exception("%s/%s: a defect; tried again in %.1f s", *key, delay)
            return "error"
        self._queue.forget(key)
        if again is not None:
            self._queue.add_after(key, again)
        return "success"

    def _failed(self, key: JobKey, error: Exception) -> float:
        self._metrics.failed(error)
        if isinstance(error, ApiConflict | ApiUnavailable):
            return self._queue.retry(key, longest_seconds=_LONGEST_OUTAGE_DELAY_SECONDS)
        return self._queue.retry(key)
