"""Sends notices until they are confirmed: signed anew at every attempt, later and later while nobody answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Protocol

import aiohttp

from labelplane_api.job import LabelingJob
from labelplane_review.webhooks.addresses import GuardedResolver
from labelplane_review.webhooks.events import Event, implied_events
from labelplane_review.webhooks.outbox import Outbox
from labelplane_review.webhooks.settings import WebhookSettings
from labelplane_review.webhooks.signing import Signature

__all__ = ["Webhooks", "running_webhooks"]

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 600.0
GIVEN_UP_AFTER: Final = timedelta(days=3)
FAREWELL_SECONDS: Final = 5.0
"""How long the last notices of a run have; what is left is sent by the next."""
_ATTEMPT_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class Post(Protocol):
    """Sends bytes to an address."""

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Return the status of the answer; `OSError`, `TimeoutError` or `aiohttp.ClientError` when there is none."""
        ...


class Webhooks:
    """Watches a job and tells its addresses what happens. Each address has its own pace; each keeps the order."""

    def __init__(
        self,
        settings: WebhookSettings,
        outbox: Outbox,
        post: Post,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._urls = settings.addresses
        self._signature = Signature(settings.secret)
        self._outbox, self._post, self._now, self._sleep = outbox, post, now, sleep
        self._news = asyncio.Condition()

    async def see(self, job: LabelingJob) -> None:
        """Take in what a job's status tells; it is durable then."""
        if self._outbox.add(implied_events(job, now=self._now()), self._urls):
            async with self._news:
                self._news.notify_all()

    async def run(self) -> None:
        """Send what waits, for ever."""
        async with asyncio.TaskGroup() as group:
            for url in self._urls:
                group.create_task(self._serve(url), name=f"webhook {url}")

    async def settle(self) -> None:
        """Return when nothing waits."""
        async with self._news:
            await self._news.wait_for(lambda: not self._outbox.waiting)

    async def _serve(self, url: str) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            event = await self._next(url)
            problem = await self._attempt(url, event)
            is_over = self._now() - event.time > GIVEN_UP_AFTER
            if problem and not is_over:
                _log.warning("webhook %s: %s is sent again in %g s: %s", url, event.type.value, pause, problem)
                await self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            if problem:
                _log.error("webhook %s: %s %s is given up: %s", url, event.type.value, event.event_id, problem)
            pause = FIRST_PAUSE_SECONDS
            self._outbox.done(event, url)
            async with self._news:
                self._news.notify_all()

    async def _next(self, url: str) -> Event:
        async with self._news:
            await self._news.wait_for(lambda: self._outbox.next_for(url) is not None)
        event = self._outbox.next_for(url)
        assert event is not None
        return event

    async def _attempt(self, url: str, event: Event) -> str:
        """Send an event once; return what went wrong, empty when it is confirmed."""
        body, timestamp = event.body(), int(self._now().timestamp())
        headers = self._signature.headers(event_id=event.event_id, timestamp=timestamp, body=body)
        try:
            status = await self._post(url, body, headers | {"Content-Type": "application/json"})
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            return f"no answer ({type(error).__name__}: {error})"
        return "" if 200 <= status < 300 else f"answered {status}"


@asynccontextmanager
async def running_webhooks(
    settings: WebhookSettings,
    outbox: Outbox,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    farewell_seconds: float = FAREWELL_SECONDS,
) -> AsyncIterator[Webhooks]:
    """Send notices while the block runs, and a moment longer so that the last ones go; no redirection is followed."""
    connector = aiohttp.TCPConnector(resolver=GuardedResolver(), limit=8)
    timeout = aiohttp.ClientTimeout(total=_ATTEMPT_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status

        webhooks = Webhooks(settings, outbox, post, now=now, sleep=sleep)
        sending = asyncio.create_task(webhooks.run(), name="webhooks")
        try:
            yield webhooks
            await _farewell(webhooks, farewell_seconds)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _farewell(webhooks: Webhooks, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await webhooks.settle()
    except TimeoutError:
        _log.warning("webhooks: some notices are not confirmed yet: the next run sends them")
