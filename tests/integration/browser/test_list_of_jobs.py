"""The list of a cluster's jobs in a browser: live, by keys, without violations, and in reach of the jobs' pages."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from job_builder import make_job
from page_visit import PageVisit

from labelplane_api.job import LabelingJob
from labelplane_core.clock import SystemClock
from labelplane_review.cluster.process import JOB_SEGMENT
from labelplane_review.cluster.watched_jobs import JobChannels
from labelplane_review.web.app import make_app
from labelplane_review.web.jobs import JobAtHand
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Deed, Visitor

pytestmark = pytest.mark.slow


@dataclass
class Team:
    """Jobs of two namespaces, whose pods are away, and one person who may see and label one of the namespaces."""

    may_rename = False
    jobs: dict[str, LabelingJob] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        return sorted(self.jobs)

    def look_at(self, name: str) -> LabelingJob | None:
        return self.jobs.get(name)

    def find(self, name: str) -> JobAtHand | None:
        job = self.jobs.get(name)
        return None if job is None else JobChannels("unix:/nowhere/{service}", token_of=str).reach(name, job)

    def add(self, namespace: str, name: str) -> None:
        job = make_job().named(name, namespace=namespace).with_uid(name).build()
        self.jobs[f"{namespace}/{name}"] = job

    def routes(self) -> Sequence[web.RouteDef]:
        return ()

    async def admit(self, request: web.Request) -> Visitor:
        del request
        return Visitor("zoe@example.com")

    async def may(self, visitor: Visitor, deed: Deed, job: str) -> bool:
        del visitor
        return job.startswith("team-a/") and deed in {Deed.SEE, Deed.LABEL}

    async def seen_by(self, visitor: Visitor, jobs: Sequence[str]) -> Sequence[str]:
        return [job for job in jobs if await self.may(visitor, Deed.SEE, job)]

    def refusal(self, deed: Deed) -> Refused:
        return Refused(403, "NotAllowed", f"you may not {deed} here")


@contextmanager
def served(team: Team) -> Iterator[str]:
    """Serve the front in a thread of its own, as Playwright holds this one; yield its address."""
    loop, closing = asyncio.new_event_loop(), asyncio.Event()
    app = make_app(team, team, now=SystemClock().now, closing=closing, job_segment=JOB_SEGMENT)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def stop() -> None:
        closing.set()
        await runner.cleanup()

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_jobs_come_to_the_list_as_they_are_made_and_keys_lead_to_them(browser: Any) -> None:
    team = Team()
    team.add("team-a", "invoices")
    team.add("team-b", "secret-plans")
    with served(team) as address, PageVisit(browser, f"{address}/jobs") as visit:
        visit.wait_for("() => document.querySelector('#jobs').textContent.includes('Starting')")
        team.add("team-a", "refunds")
        visit.page.locator("#jobs li", has_text="team-a/refunds").wait_for()
        assert visit.violations() == []
        visit.page.emulate_media(color_scheme="dark")
        assert visit.violations() == []
        assert "secret-plans" not in visit.text("body")
        assert visit.complaints == []  # later it complains of comments, which are with the pods
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url(f"{address}/jobs/team-a/refunds")
        visit.wait_for("() => document.querySelector('#stage').textContent === 'Starting'")
        assert visit.violations() == []
        visit.page.goto(f"{address}/t/team-a/refunds")
        assert visit.page.locator("#open-name").is_disabled()
        assert visit.violations() == []
