"""Lists that find what the watches missed: the cache agrees with them, and only jobs with news are woken."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from played_api import Object, PlayedApi, refusal

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.kinds import DEPLOYMENT, LABELING_JOB, POD
from labelplane_operator.kube import Kube
from labelplane_operator.sweeps import Sweeps
from labelplane_operator.workqueue import WorkQueue

KEY = ("team", "digits")
PODS = POD.path("team")


@dataclass
class World:
    """Sweeps over a played server."""

    api: PlayedApi = field(default_factory=PlayedApi)
    cache: ObjectCache = field(default_factory=ObjectCache)
    queue: WorkQueue[JobKey] = field(default_factory=WorkQueue)
    namespaces: tuple[str, ...] = ("team",)
    retry_seconds: float = 0.0

    def __post_init__(self) -> None:
        kube = Kube(self.api, may_write=lambda: True, count=lambda *_: None)  # type: ignore[arg-type]
        self.sweeps = Sweeps(
            kube,
            self.cache,
            self.queue,
            namespaces=self.namespaces,
            quiet_seconds=0.0,
            retry_seconds=self.retry_seconds,
        )

    def make_pod(self, name: str) -> Object:
        """Have a pod of the job stand."""
        metadata = {"name": name, "namespace": "team", "labels": {JOB_LABEL: "digits"}}
        return self.api.put(f"{PODS}/{name}", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata})

    async def settled(self) -> None:
        """Return when every list that was asked for is done."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


@pytest.fixture
def world() -> World:
    """A world that does not wait between its tries."""
    return World()


async def test_what_appeared_unseen_is_found_and_its_job_is_woken(world: World) -> None:
    world.make_pod("digits-1")
    world.sweeps.request(POD)
    await world.settled()

    assert [each["metadata"]["name"] for each in world.cache.children(KEY, POD)] == ["digits-1"]
    assert await world.queue.get() == KEY


async def test_what_vanished_unseen_is_forgotten_and_its_job_is_woken(world: World) -> None:
    world.cache.put(POD, world.make_pod("digits-1"))
    world.api.objects.clear()
    world.sweeps.request(POD)
    await world.settled()

    assert world.cache.children(KEY) == []
    assert await world.queue.get() == KEY


async def test_a_list_without_news_wakes_nobody(world: World) -> None:
    world.cache.put(POD, world.make_pod("digits-1"))
    world.sweeps.request(POD)
    await world.settled()

    assert len(world.queue) == 0


async def test_requests_that_come_before_the_list_is_made_are_one(world: World) -> None:
    world.sweeps.request(POD)
    world.sweeps.request(POD)
    await world.settled()

    assert world.api.asked() == [f"get {PODS}"]


async def test_a_request_that_comes_while_the_list_is_under_way_has_one_of_its_own(world: World) -> None:
    class AskedMeanwhile(PlayedApi):
        async def request(self, method: str, path: str, **words: Any) -> Any:
            if not self.requests:
                world.sweeps.request(POD)
            return await super().request(method, path, **words)

    world.api = AskedMeanwhile()
    world.__post_init__()
    world.sweeps.request(POD)
    await world.settled()

    assert world.api.asked() == [f"get {PODS}", f"get {PODS}"]


@pytest.mark.parametrize(
    "error", [refusal(403, "no right"), refusal(503, "away"), TimeoutError()], ids=["no right", "away", "no answer"]
)
async def test_a_list_that_fails_is_made_again(world: World, error: Exception) -> None:
    world.make_pod("digits-1")
    world.api.fail("get", PODS, error, error)
    world.sweeps.request(POD)
    await world.settled()

    assert len(world.cache.children(KEY, POD)) == 1
    assert len(world.api.requests) == 3


async def test_a_kind_that_may_not_be_listed_holds_up_no_other() -> None:
    world = World(retry_seconds=3600.0)
    world.api.fail("get", DEPLOYMENT.path("team"), refusal(403, "no right"))
    world.make_pod("digits-1")
    running = asyncio.create_task(world.sweeps.every(0.0, (DEPLOYMENT, POD)))
    assert await world.queue.get() == KEY
    running.cancel()

    assert len(world.cache.children(KEY, POD)) == 1
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_each_namespace_that_is_watched_is_listed_and_none_means_all(world: World) -> None:
    world.namespaces = ("a", "b")
    world.__post_init__()
    world.sweeps.request(LABELING_JOB)
    await world.settled()
    assert world.api.asked() == [f"get {LABELING_JOB.path('a')}", f"get {LABELING_JOB.path('b')}"]

    world.namespaces = ()
    world.__post_init__()
    world.sweeps.request(LABELING_JOB)
    await world.settled()
    assert world.api.asked() == [f"get {LABELING_JOB.path()}"]
