"""A job's standing as server-sent events: the newest whenever it has changed."""

import asyncio
import json
from typing import Final

import grpc
from aiohttp import web

from labelplane_review.web.front import Front
from labelplane_review.web.progress import job_view
from labelplane_review.web.refusals import Refused

__all__ = ["Events"]

_LOOK_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 10.0
"""A comment goes out after so long without news, so that either end notices that the other has gone."""


class Events:
    """Streams `GET /api/jobs/{job}/events`."""

    def __init__(self, front: Front, *, closing: asyncio.Event) -> None:
        self._front = front
        self._closing = closing

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the job's view now and after every change, until the page goes or the front closes."""
        await self._front.job(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        last, quiet = "", 0.0
        while True:
            is_last = self._closing.is_set()
            try:
                view = await self._view(request)
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

    async def _view(self, request: web.Request) -> str:
        at_hand, _ = await self._front.job(request)
        try:
            counts, people = await at_hand.desk.counts(has_details=True), await at_hand.desk.people()
        except grpc.aio.AioRpcError:
            return ""  # away: the next look may find it
        return json.dumps(job_view(at_hand.job, counts, people), ensure_ascii=False)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            pass
