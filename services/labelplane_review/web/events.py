"""What jobs stand at as server-sent events: the newest whenever it has changed."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import grpc
from aiohttp import web

from labelplane_review.desk_client import Counts, PersonCounts
from labelplane_review.web.front import Front
from labelplane_review.web.progress import job_view, listed_view, told_counts
from labelplane_review.web.refusals import Refused

__all__ = ["Events"]

_LOOK_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 10.0
"""A comment goes out after so long without news, so that either end notices that the other has gone."""

_View = Callable[[web.Request], Awaitable[str]]


@dataclass(slots=True)
class _Heard:
    """What the inbox has told a stream last, None before it has."""

    counts: Counts | None = None
    people: Sequence[PersonCounts] = ()


class Events:
    """Streams `GET /api/jobs/{job}/events`, and of all jobs `GET /api/events`."""

    def __init__(self, front: Front, *, closing: asyncio.Event, segment: str) -> None:
        self._front = front
        self._closing = closing
        self._segment = segment

    def routes(self) -> list[web.RouteDef]:
        """Return what is called how."""
        return [
            web.get("/api/events", self.of_all),
            web.get(f"/api/jobs/{self._segment}/events", self.of_job),
        ]

    async def of_job(self, request: web.Request) -> web.StreamResponse:
        """Send a job's view now and after every change, until the page goes or the front closes."""
        await self._front.job(request)
        return await self._stream(request, partial(self._job_view, heard=_Heard()))

    async def of_all(self, request: web.Request) -> web.StreamResponse:
        """Send the list of the jobs that a person may see, now and after every change."""
        await self._front.visitor(request)
        return await self._stream(request, self._list_view)

    async def _stream(self, request: web.Request, view_of: _View) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        last, quiet = "", 0.0
        while True:
            is_last = self._closing.is_set()
            try:
                view = await view_of(request)
            except Refused:
                return response  # the job is gone, or the person may not see it any more
            if view and view != last:
                await response.write(f"data: {view}\n\n".encode())
                last, quiet = view, 0.0
            elif quiet >= _QUIET_SECONDS:
                await response.write(b": still here\n\n")
                quiet = 0.0
            if is_last:
                return response
            quiet += _LOOK_SECONDS
            await self._pause()

    async def _job_view(self, request: web.Request, *, heard: _Heard) -> str:
        at_hand, _ = await self._front.job(request)
        # It may be away, as while a cluster trains or when the job has ended: the status goes on without it.
        with suppress(grpc.aio.AioRpcError):
            heard.counts, heard.people = await at_hand.desk.counts(has_details=True), await at_hand.desk.people()
        view = job_view(at_hand.job, heard.counts or told_counts(at_hand.job), heard.people)
        return json.dumps(view, ensure_ascii=False)

    async def _list_view(self, request: web.Request) -> str:
        names = await self._front.names(await self._front.visitor(request))
        found = [(name, self._front.look_at(name)) for name in names]
        jobs = [listed_view(name, job) for name, job in found if job is not None]
        return json.dumps({"jobs": jobs}, ensure_ascii=False)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            pass
