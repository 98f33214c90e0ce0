"""The queue of keys: one worker a key, the newest need counts, failures come back later and later."""

import asyncio

import pytest

from labelplane_operator.workqueue import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, WorkQueue


@pytest.fixture
def queue() -> WorkQueue[str]:
    return WorkQueue()


async def test_keys_come_in_the_order_in_which_they_were_added(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "c"):
        queue.add(key)

    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_that_waits_is_there_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("a")

    assert len(queue) == 1


async def test_a_key_in_work_is_given_to_no_second_worker(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("b")

    assert await queue.get() == "b"
    assert len(queue) == 0


async def test_a_key_added_while_in_work_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.done("a")

    assert await queue.get() == "a"


async def test_a_key_that_is_done_does_not_come_again_by_itself(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.done("a")

    assert len(queue) == 0


async def test_a_worker_that_waits_gets_the_key_that_comes(queue: WorkQueue[str]) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert [task.result() for task in done] == ["a"]
    queue.close()
    await asyncio.gather(*waiting)


async def test_of_two_wishes_for_later_the_sooner_stands(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 3600)
    queue.add_after("a", 0)
    queue.add_after("a", 3600)

    assert await queue.get() == "a"


async def test_taking_a_key_cancels_its_wish_for_later(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0.01)
    queue.add("a")
    await queue.get()
    queue.done("a")
    await asyncio.sleep(0.05)

    assert len(queue) == 0


async def test_delays_of_a_failing_key_double_up_to_the_longest(queue: WorkQueue[str]) -> None:
    delays = [queue.retry("a") for _ in range(12)]

    assert delays[:3] == [FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS]
    assert delays[-1] == LONGEST_DELAY_SECONDS


async def test_an_outage_delays_a_key_no_longer_than_it_may(queue: WorkQueue[str]) -> None:
    delays = [queue.retry("a", longest_seconds=15) for _ in range(12)]

    assert delays[0] == FIRST_DELAY_SECONDS
    assert delays[-1] == 15


async def test_a_key_that_went_well_starts_again_with_the_first_delay(queue: WorkQueue[str]) -> None:
    queue.retry("a")
    queue.retry("a")
    queue.forget("a")

    assert queue.retry("a") == FIRST_DELAY_SECONDS


async def test_closing_tells_every_worker_and_takes_no_more_keys(queue: WorkQueue[str]) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.close()
    queue.add("a")
    queue.add_after("b", 0)

    assert await asyncio.gather(*waiting) == [None, None, None]
    assert len(queue) == 0


async def test_the_longest_work_is_that_of_the_oldest_key() -> None:
    now = [0.0]
    queue: WorkQueue[str] = WorkQueue(clock=lambda: now[0])
    assert queue.longest_work_seconds() == 0
    queue.add("a")
    queue.add("b")
    await queue.get()
    now[0] = 5.0
    await queue.get()
    now[0] = 7.0

    assert queue.longest_work_seconds() == 7.0
    queue.done("a")
    assert queue.longest_work_seconds() == 2.0
