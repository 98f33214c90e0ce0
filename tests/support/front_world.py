"""The front over a real aggregation service, called as a browser calls it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aggregation_world import TOKEN, Service
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer, unused_port
from job_builder import make_job

from labelplane_api.job import LabelingJob
from labelplane_core.clock import SystemClock
from labelplane_core.rpc import open_channel
from labelplane_review.desk_client import DeskClient
from labelplane_review.jury_client import JuryClient
from labelplane_review.web.access import SecretLink
from labelplane_review.web.app import make_app
from labelplane_review.web.jobs import JobAtHand

SECRET = "secret-of-the-test"
GUEST_SECRET = "what-others-get"


@dataclass
class OneJob:
    """The jobs of a front that has one, which a test may change; several names lead to it."""

    job: LabelingJob
    desk: DeskClient
    jury: JuryClient
    others: Sequence[str] = ()

    def names(self) -> Sequence[str]:
        return (self.job.metadata.name, *self.others)

    def look_at(self, name: str) -> LabelingJob | None:
        return self.job if name in self.names() else None

    def find(self, name: str) -> JobAtHand | None:
        return JobAtHand(self.job, self.desk, self.jury) if name in self.names() else None


@dataclass
class Browser:
    """One person's browser."""

    client: Any
    jobs: OneJob

    async def enter(self, secret: str = SECRET) -> int:
        """Open the secret link; return the status of the page that it leads to."""
        return int((await self.client.get(f"/enter/{secret}")).status)

    async def call(self, what: str, body: Any = None, **extra: Any) -> tuple[int, Any]:
        """Call the job's API and return status and answer; GET without a body."""
        path = what if what.startswith("/") else f"/api/jobs/{self.jobs.job.metadata.name}/{what}"
        if body is None:
            response = await self.client.get(path, **extra)
        else:
            response = await self.client.post(path, json=body, **extra)
        return response.status, await response.json()

    async def text(self, path: str, **extra: Any) -> str:
        response = await self.client.get(path, **extra)
        return str(await response.text())


def page_job(*, name: str = "job", **review: Any) -> LabelingJob:
    """A job whose votes come from the page."""
    builder = make_job().with_uid("uid").having("metadata.name", name).having("spec.sources.humans", {"inbox": {}})
    for key, value in review.items():
        builder = builder.having(f"spec.review.{key}", value)
    job: LabelingJob = builder.build()
    return job


@asynccontextmanager
async def front_of(service: Service, *, job: LabelingJob | None = None) -> AsyncIterator[Browser]:
    """Serve the front of a job, and yield a browser that has not come in yet."""
    channel = open_channel(service.address, token=TOKEN)
    jobs = OneJob(job or page_job(), DeskClient(channel), JuryClient(channel))
    port = unused_port()
    access = SecretLink(SECRET, name="ann", hosts=(f"127.0.0.1:{port}",), guest_secret=GUEST_SECRET)
    server = TestServer(make_app(jobs, access, now=SystemClock().now), host="127.0.0.1", port=port)
    client = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    await client.start_server()
    try:
        yield Browser(client, jobs)
    finally:
        await client.close()
        await channel.close()
