"""Records that are appended for good, by several callers and several processes."""

import asyncio
from pathlib import Path

import pytest
from aggregation_world import FlakyStore

from labelplane_aggregation.inbox.trail import Record, Trail
from labelplane_core.errors import StoreUnavailable
from labelplane_core.storage import FolderStore, Layout


def trail_of(store: FlakyStore) -> tuple[Trail, list[Record]]:
    told: list[Record] = []
    return Trail(store, Layout().review_audit, tell=told.append), told


@pytest.fixture
def store(tmp_path: Path) -> FlakyStore:
    return FlakyStore(FolderStore(tmp_path))


def numbers(told: list[Record]) -> list[int]:
    return [record["n"] for record in told]


async def test_records_are_told_when_they_are_durable_and_again_after_a_restart(store: FlakyStore) -> None:
    trail, told = trail_of(store)
    for n in range(3):
        await trail.append({"n": n})
    assert numbers(told) == [0, 1, 2]
    again, told = trail_of(store)
    await again.load()
    await again.load()
    assert numbers(told) == [0, 1, 2]


async def test_records_of_many_callers_share_puts(store: FlakyStore, tmp_path: Path) -> None:
    trail, told = trail_of(store)
    await asyncio.gather(*(trail.append({"n": n}) for n in range(50)))
    assert sorted(numbers(told)) == list(range(50))
    assert len(list((tmp_path / "review/audit").iterdir())) < 10


async def test_two_processes_lose_nothing_and_tell_each_of_the_others_records(store: FlakyStore) -> None:
    (one, told_one), (two, told_two) = trail_of(store), trail_of(store)
    for n in range(3):
        await one.append({"n": n})
        await two.append({"n": 10 + n})
    await one.load()
    assert numbers(told_one) == numbers(told_two) == [0, 10, 1, 11, 2, 12]


async def test_store_that_is_away_refuses_and_the_others_are_written_when_it_is_back(store: FlakyStore) -> None:
    trail, told = trail_of(store)
    store.is_away = True
    calls = [asyncio.create_task(trail.append({"n": n})) for n in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in done] == [StoreUnavailable] * 3
    store.is_away = False
    await trail.append({"n": 3})
    assert numbers(told) == [3]


async def test_caller_that_goes_away_takes_no_other_record_with_it(store: FlakyStore) -> None:
    trail, told = trail_of(store)
    calls = [asyncio.create_task(trail.append({"n": n})) for n in range(5)]
    await asyncio.sleep(0)
    calls[0].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [each for each in done[1:] if each is not None] == []
    assert set(range(1, 5)) <= set(numbers(told))
