"""What the watches show comes into the cache and wakes its job; a watch that begins anew asks for a list."""

import asyncio
from typing import Any

import pytest

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.handlers import WATCHED, Watches
from labelplane_operator.kinds import DEPLOYMENT, LABELING_JOB, POD, Kind
from labelplane_operator.kopf_settings import kopf_settings
from labelplane_operator.workqueue import WorkQueue

KEY = ("team", "digits")


class World:
    """Watches with what they feed."""

    def __init__(self) -> None:
        self.cache = ObjectCache()
        self.queue: WorkQueue[JobKey] = WorkQueue()
        self.relisted: list[Kind] = []
        self.watches = Watches(self.cache, self.queue, relisted=self.relisted.append)
        handlers = self.watches.registry()._watching.get_all_handlers()  # kopf has no public way to call one
        self._handlers: dict[str, Any] = {str(handler.selector.any_name): handler.fn for handler in handlers}

    async def see(self, kind: Kind, event: str | None, **metadata: Any) -> None:
        """Have kopf bring an event."""
        standing = {"name": "digits", "namespace": "team", "uid": "1", "resourceVersion": "5"} | metadata
        await self._handlers[kind.plural](event={"type": event, "object": {"metadata": standing}}, more="words")


@pytest.fixture
def world() -> World:
    """Watches that have shown nothing yet."""
    return World()


async def test_every_kind_has_a_handler_and_children_are_told_by_their_label(world: World) -> None:
    settings = kopf_settings(WATCHED)

    assert set(world._handlers) == {kind.plural for kind in WATCHED}
    assert set(settings.watching.label_selectors.values()) == {JOB_LABEL}
    assert len(settings.watching.label_selectors) == len(WATCHED) - 1


@pytest.mark.parametrize("event", [None, "ADDED", "MODIFIED"])
async def test_what_is_there_is_kept_and_wakes_its_job(world: World, event: str | None) -> None:
    await world.see(DEPLOYMENT, event, name="digits-scoring", labels={JOB_LABEL: "digits"})

    found = world.cache.child(KEY, DEPLOYMENT, "digits-scoring")
    assert found is not None
    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "Deployment")
    assert await world.queue.get() == KEY


async def test_what_is_gone_is_forgotten_and_wakes_its_job(world: World) -> None:
    await world.see(LABELING_JOB, "ADDED")
    await world.see(LABELING_JOB, "DELETED", resourceVersion="6")

    assert world.cache.job(KEY) is None
    assert await world.queue.get() == KEY


async def test_what_is_nobodys_wakes_nobody(world: World) -> None:
    await world.see(POD, "ADDED")

    assert len(world.queue) == 0


async def test_the_first_lists_are_waited_for_and_later_ones_are_checked(world: World) -> None:
    settling = asyncio.create_task(world.watches.settle(quiet_seconds=0.01, most_seconds=5))
    await asyncio.sleep(0)
    await world.see(LABELING_JOB, None)
    await settling
    assert world.relisted == []
    await world.see(LABELING_JOB, "MODIFIED", resourceVersion="6")
    assert world.relisted == []
    await world.see(LABELING_JOB, None, resourceVersion="7")

    assert world.relisted == [LABELING_JOB]


async def test_lists_that_never_end_are_not_waited_for_without_end(world: World) -> None:
    async def flood() -> None:
        while True:
            await world.see(LABELING_JOB, None)
            await asyncio.sleep(0)

    flooding = asyncio.create_task(flood())
    await world.watches.settle(quiet_seconds=60, most_seconds=0.05)
    flooding.cancel()


async def test_kopf_compares_and_notes_nothing() -> None:
    persistence = kopf_settings(WATCHED).persistence
    diffs: Any = persistence.diffbase_storage
    progress: Any = persistence.progress_storage

    assert diffs.build(body={"spec": {"a": 1}}) == {}
    assert diffs.fetch(body={}) is None
    assert diffs.store(body={}) is None
    assert progress.fetch(key="a") is None
    assert progress.clear(essence={"a": 1}) == {"a": 1}
    assert [progress.store(), progress.purge(), progress.touch()] == [None, None, None]
