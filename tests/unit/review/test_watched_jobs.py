"""What a front knows of the jobs of a cluster, as lists and watches tell it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from job_builder import make_job
from until import until

from labelplane_api.job import LabelingJob
from labelplane_review.cluster.watched_jobs import JobChannels, WatchedJobs
from labelplane_review.errors import ApiServerAway

Event = dict[str, Any]
END = object()


def manifest(name: str, *, version: int = 1, **changes: Any) -> dict[str, Any]:
    """A job as the API server lists it: without its kind."""
    made = make_job().named(name, namespace="team").with_uid(f"uid-{name}").as_manifest()
    made = {key: value for key, value in made.items() if key not in {"apiVersion", "kind"}} | changes
    made["metadata"]["resourceVersion"] = str(version)
    return made


@dataclass
class Server:
    """An API server whose lists and events a test puts down."""

    lists: list[list[dict[str, Any]]]
    events: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)
    watched_from: list[str] = field(default_factory=list)

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/apis/labelplane.io/v1alpha1/namespaces/team/labelingjobs"
        if not self.lists:
            raise ApiServerAway("away")
        return {"metadata": {"resourceVersion": "7"}, "items": self.lists.pop(0)}

    async def watch(self, path: str, *, version: str) -> AsyncIterator[Event]:
        del path
        self.watched_from.append(version)
        while True:
            event = await self.events.get()
            if event is END:
                return
            if isinstance(event, Exception):
                raise event
            yield event


def channels() -> JobChannels:
    return JobChannels("unix:/nowhere/{service}.{namespace}.sock", token_of=lambda uid: f"token-{uid}")


@asynccontextmanager
async def following(server: Server) -> AsyncIterator[WatchedJobs]:
    reached = channels()
    jobs = WatchedJobs(server, reached, namespaces=["team"], again_seconds=0.01)
    running = asyncio.create_task(jobs.run())
    try:
        await until(lambda: jobs.is_known)
        yield jobs
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await reached.close()


async def test_jobs_come_change_and_go_with_their_events() -> None:
    server = Server([[manifest("a")]])
    async with following(server) as jobs:
        assert jobs.names() == ["team/a"]
        server.events.put_nowait({"type": "ADDED", "object": manifest("b", version=8)})
        await until(lambda: jobs.names() == ["team/a", "team/b"])
        changed = manifest("b", version=9)
        changed["spec"]["budget"] = {"votes": 77}
        server.events.put_nowait({"type": "MODIFIED", "object": changed})
        await until(lambda: _votes(jobs.look_at("team/b")) == 77)
        server.events.put_nowait({"type": "DELETED", "object": manifest("a", version=10)})
        await until(lambda: jobs.look_at("team/a") is None)


async def test_a_watch_that_ends_goes_on_from_the_last_event_and_a_broken_one_from_a_list() -> None:
    server = Server([[manifest("a")], [manifest("c")]])
    async with following(server) as jobs:
        server.events.put_nowait({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}})
        server.events.put_nowait(END)
        await until(lambda: server.watched_from == ["7", "12"])
        server.events.put_nowait(ApiServerAway("too old"))
        await until(lambda: jobs.names() == ["team/c"])


async def test_while_the_api_server_is_away_the_last_that_was_known_is_shown() -> None:
    server = Server([[manifest("a")]])
    async with following(server) as jobs:
        server.events.put_nowait(ApiServerAway("gone"))
        await until(server.events.empty)
        assert jobs.names() == ["team/a"]


async def test_a_job_that_cannot_be_read_is_passed_over() -> None:
    async with following(Server([[manifest("a"), manifest("b", spec={"nothing": 1})]])) as jobs:
        assert jobs.names() == ["team/a"]


async def test_another_job_of_the_same_name_is_reached_anew() -> None:
    reached = channels()
    first, second = (make_job().named("a", namespace="team").with_uid(uid).build() for uid in ("one", "two"))

    assert reached.reach("team/a", first).desk is reached.reach("team/a", first).desk
    assert reached.reach("team/a", second).desk is not reached.reach("team/a", first).desk
    await reached.close()


def _votes(job: LabelingJob | None) -> int | None:
    return None if job is None else job.spec.budget.votes
