import asyncio

import pytest
from fake_clock import FakeClock
from queue_conformance import LIMITS, PassTime, QueueConformance, leased, make_shard

from labelplane_core.clock import SystemClock
from labelplane_core.queue import MemoryQueue, QueueLimits, WorkQueue


class TestMemoryQueue(QueueConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def pass_time(self, clock: FakeClock) -> PassTime:
        async def passing(seconds: float) -> None:
            clock.advance(seconds)

        return passing

    @pytest.fixture
    def queue(self, clock: FakeClock) -> WorkQueue:
        return MemoryQueue(clock, limits=LIMITS)


async def test_waiting_worker_gets_a_shard_whose_lease_runs_out_meanwhile() -> None:
    queue = MemoryQueue(SystemClock(), limits=QueueLimits(lease_seconds=0.05))
    await queue.put(make_shard())
    await leased(queue)

    lease = await asyncio.wait_for(queue.lease(5), 5)

    assert lease is not None
    assert lease.shard == make_shard()


async def test_waiting_worker_gives_up_when_its_time_is_over() -> None:
    queue = MemoryQueue(SystemClock())

    assert await asyncio.wait_for(queue.lease(0.02), 5) is None


async def test_cancelled_wait_takes_no_shard() -> None:
    queue = MemoryQueue(SystemClock())
    waiting = asyncio.create_task(queue.lease(5))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    await queue.put(make_shard())

    assert (await leased(queue)).shard == make_shard()
