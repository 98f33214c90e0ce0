"""The webhooks of an embedded run: what waits to be sent lies in the run's folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from labelplane_api.job import LabelingJob
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_cli.embedded.runtime import Watcher
from labelplane_core.clock import Clock
from labelplane_operator.plan import Plan
from labelplane_review.webhooks.outbox import Outbox
from labelplane_review.webhooks.sender import Webhooks, running_webhooks
from labelplane_review.webhooks.settings import WebhookSettings

__all__ = ["telling_webhooks"]


@asynccontextmanager
async def telling_webhooks(settings: WebhookSettings, *, folder: RunFolder, clock: Clock) -> AsyncIterator[Watcher]:
    """Send notices while the block runs, and yield what is to be told of the job's plans."""
    outbox = Outbox.read(folder.path / "webhooks.json")
    async with running_webhooks(settings, outbox, now=clock.now) as webhooks:
        feed = _Feed(webhooks)
        feeding = asyncio.create_task(feed.run(), name="webhooks' feed")
        try:
            yield feed
            await feed.finish()
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


class _Feed:
    """Hands every status on, in order; one that is unchanged is passed over."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._jobs: asyncio.Queue[LabelingJob] = asyncio.Queue()
        self._last: LabelingJob | None = None

    def __call__(self, job: LabelingJob, plan: Plan) -> None:
        del plan  # its status is the job's
        if self._last is None or job.status != self._last.status:
            self._last = job
            self._jobs.put_nowait(job)

    async def run(self) -> None:
        while True:
            job = await self._jobs.get()
            await self._webhooks.see(job)
            self._jobs.task_done()

    async def finish(self) -> None:
        await self._jobs.join()
