import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fake_clock import FakeClock
from queue_conformance import LIMITS, make_shard

from labelplane_core.errors import BadTable, Fenced, LeaseLost, QueueUnavailable, StoreReadOnly, StoreUnavailable
from labelplane_core.queue import Depth, Lease, MemoryQueue
from labelplane_core.shards import Shard, WorkReport, work


class PartStore:
    """A handler that keeps parts in memory; `on_block` may do anything first."""

    def __init__(self, on_block: Callable[[int], Awaitable[None]] | None = None) -> None:
        self.parts: set[int] = set()
        self.processed: list[int] = []
        self._on_block = on_block

    async def has_part(self, shard: Shard, block: int) -> bool:
        assert block in shard.blocks
        return block in self.parts

    async def process(self, shard: Shard, block: int) -> None:
        assert block in shard.blocks
        self.processed.append(block)
        if self._on_block is not None:
            await self._on_block(block)
        self.parts.add(block)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> MemoryQueue:
    return MemoryQueue(clock, limits=LIMITS)


async def run(queue: MemoryQueue, handler: PartStore, **options: float) -> WorkReport:
    return await asyncio.wait_for(work(queue, handler, stop=asyncio.Event(), until_empty=True, **options), 10)


async def test_every_block_gets_its_part_and_the_queue_is_empty(queue: MemoryQueue) -> None:
    handler = PartStore()
    await queue.put(make_shard(0, 2))
    await queue.put(make_shard(3))

    report = await run(queue, handler)

    assert handler.processed == [0, 1, 2, 3]
    assert report == WorkReport(shards_done=2, blocks_done=4)
    assert await queue.depth() == Depth(0, 0)


async def test_as_many_blocks_of_a_shard_are_in_hand_as_may_be_and_no_more(queue: MemoryQueue) -> None:
    in_hand, most = 0, 0
    both = asyncio.Event()

    async def count(block: int) -> None:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        if in_hand == 2:
            both.set()
        await both.wait()
        await asyncio.sleep(0)
        in_hand -= 1

    handler = PartStore(count)
    await queue.put(make_shard(0, 6))

    report = await run(queue, handler, overlap=2)

    assert most == 2
    assert handler.parts == set(range(7))
    assert report == WorkReport(shards_done=1, blocks_done=7)


async def test_error_in_one_of_several_blocks_in_hand_ends_the_others(queue: MemoryQueue) -> None:
    async def fail_on_one(block: int) -> None:
        if block == 1:
            raise BadTable("part 1 is damaged")
        await asyncio.Event().wait()

    handler = PartStore(fail_on_one)
    await queue.put(make_shard(0, 6))

    report = await run(queue, handler, overlap=2)

    assert handler.parts == set()
    assert report.shards_failed == LIMITS.max_failures
    assert [letter.cause for letter in await queue.dead_letters()] == ["BadTable: part 1 is damaged"]


async def test_block_whose_part_is_there_is_not_done_again_but_acknowledged(queue: MemoryQueue) -> None:
    handler = PartStore()
    handler.parts |= {0, 1, 3}
    await queue.put(make_shard(0, 3))

    report = await run(queue, handler)

    assert handler.processed == [2]
    assert (report.shards_done, report.blocks_skipped) == (1, 3)


async def test_two_workers_share_the_shards_and_do_each_once(queue: MemoryQueue) -> None:
    async def yield_once(_: int) -> None:
        await asyncio.sleep(0)

    handler = PartStore(yield_once)
    for block in range(20):
        await queue.put(make_shard(block))

    reports = await asyncio.gather(run(queue, handler), run(queue, handler))

    assert sorted(handler.processed) == list(range(20))
    assert all(report.shards_done > 0 for report in reports)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(BadTable("part 3 is damaged"), "BadTable: part 3 is damaged", id="ours"),
        pytest.param(StoreReadOnly("no"), "StoreReadOnly: no", id="a store error that waiting does not help"),
        pytest.param(ZeroDivisionError("oops"), "Internal: ZeroDivisionError: oops", id="a bug"),
    ],
)
async def test_error_is_reported_three_times_and_the_other_shards_go_on(
    queue: MemoryQueue, error: Exception, cause: str
) -> None:
    async def fail_on_one(block: int) -> None:
        if block == 1:
            raise error

    handler = PartStore(fail_on_one)
    for block in range(3):
        await queue.put(make_shard(block))

    report = await run(queue, handler)

    assert handler.parts == {0, 2}
    assert (report.shards_done, report.shards_failed) == (2, 3)
    assert [letter.cause for letter in await queue.dead_letters()] == [cause]


async def test_store_that_is_away_costs_no_shard(queue: MemoryQueue) -> None:
    remaining = iter([StoreUnavailable("down")] * 2)

    async def fail_at_first(_: int) -> None:
        if error := next(remaining, None):
            raise error

    handler = PartStore(fail_at_first)
    await queue.put(make_shard())

    report = await run(queue, handler)

    assert (report.shards_done, report.shards_released, report.shards_failed) == (1, 2, 0)
    assert await queue.dead_letters() == ()


async def test_fenced_operation_ends_the_worker_and_gives_the_shard_back(queue: MemoryQueue) -> None:
    async def fence(_: int) -> None:
        raise Fenced("another owns it")

    await queue.put(make_shard())

    with pytest.raises(Fenced):
        await run(queue, PartStore(fence))

    assert await queue.depth() == Depth(ready=1, leased=0)


async def test_lease_is_kept_while_a_block_takes_longer_than_it(queue: MemoryQueue, clock: FakeClock) -> None:
    async def take_long(_: int) -> None:
        for _ in range(5):
            clock.advance(50)
            await asyncio.sleep(0.02)

    await queue.put(make_shard())

    report = await run(queue, PartStore(take_long), heartbeat_seconds=0.005)

    assert report == WorkReport(shards_done=1, blocks_done=1)


async def test_work_on_a_lost_lease_is_cancelled_and_not_acknowledged(queue: MemoryQueue, clock: FakeClock) -> None:
    is_first = True

    async def lose_lease_once(_: int) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            clock.advance(61)
            await asyncio.sleep(5)

    handler = PartStore(lose_lease_once)
    await queue.put(make_shard())

    report = await run(queue, handler, heartbeat_seconds=0.005)

    assert report == WorkReport(shards_done=1, leases_lost=1, blocks_done=1)
    assert handler.processed == [0, 0]


async def test_handler_that_finds_its_lease_lost_leaves_the_shard_to_the_next(
    queue: MemoryQueue, clock: FakeClock
) -> None:
    is_first = True

    async def find_lease_lost(_: int) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            clock.advance(61)
            raise LeaseLost("gone")

    await queue.put(make_shard())

    report = await run(queue, PartStore(find_lease_lost))

    assert report == WorkReport(shards_done=1, leases_lost=1, blocks_done=1)


async def test_stop_lets_the_shard_in_hand_finish_and_leases_no_other(queue: MemoryQueue) -> None:
    stop = asyncio.Event()

    async def stop_in_the_middle(_: int) -> None:
        stop.set()
        await asyncio.sleep(0.01)

    handler = PartStore(stop_in_the_middle)
    await queue.put(make_shard(0, 1))
    await queue.put(make_shard(2))

    report = await asyncio.wait_for(work(queue, handler, stop=stop, grace_seconds=5), 5)

    assert (report.shards_done, handler.parts) == (1, {0, 1})
    assert await queue.depth() == Depth(ready=1, leased=0)


async def test_stop_gives_back_a_shard_that_takes_longer_than_the_grace(queue: MemoryQueue) -> None:
    stop = asyncio.Event()

    async def hang(_: int) -> None:
        stop.set()
        await asyncio.sleep(60)

    await queue.put(make_shard())

    report = await asyncio.wait_for(work(queue, PartStore(hang), stop=stop, grace_seconds=0.02), 5)

    assert (report.shards_done, report.shards_released) == (0, 1)
    assert await queue.depth() == Depth(ready=1, leased=0)


async def test_worker_that_waits_for_shards_stops_within_its_wait(queue: MemoryQueue) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(work(MemoryQueueOfRealTime(), PartStore(), stop=stop, wait_seconds=0.02))
    await asyncio.sleep(0.05)
    stop.set()

    assert await asyncio.wait_for(working, 5) == WorkReport()


async def test_cancelled_worker_gives_its_shard_back(queue: MemoryQueue) -> None:
    started = asyncio.Event()

    async def hang(_: int) -> None:
        started.set()
        await asyncio.sleep(60)

    await queue.put(make_shard())
    working = asyncio.create_task(work(queue, PartStore(hang), stop=asyncio.Event()))
    await started.wait()
    working.cancel()

    with pytest.raises(asyncio.CancelledError):
        await working
    assert await queue.depth() == Depth(ready=1, leased=0)


class MemoryQueueOfRealTime(MemoryQueue):
    def __init__(self) -> None:
        from labelplane_core.clock import SystemClock

        super().__init__(SystemClock())


class AbsentQueue(MemoryQueue):
    """A queue whose server is away for the first calls of each kind."""

    def __init__(self, clock: FakeClock, *, absent: int) -> None:
        super().__init__(clock, limits=LIMITS)
        self._absent = {"lease": absent, "extend": absent, "ack": absent}

    async def lease(self, wait_seconds: float) -> Lease | None:
        self._answer("lease")
        return await super().lease(wait_seconds)

    async def extend(self, lease: Lease) -> None:
        self._answer("extend")
        await super().extend(lease)

    async def ack(self, lease: Lease) -> None:
        self._answer("ack")
        await super().ack(lease)

    def _answer(self, kind: str) -> None:
        self._absent[kind] -= 1
        if self._absent[kind] >= 0:
            raise QueueUnavailable("the server is away")


async def test_queue_that_is_away_is_waited_for_and_a_lost_word_costs_one_more_delivery(clock: FakeClock) -> None:
    async def take_a_while(_: int) -> None:
        await asyncio.sleep(0.05)

    queue = AbsentQueue(clock, absent=1)
    handler = PartStore(take_a_while)
    await queue.put(make_shard())

    async def let_time_pass() -> None:
        while True:
            await asyncio.sleep(0.02)
            clock.advance(10)

    passing = asyncio.create_task(let_time_pass())
    report = await run(queue, handler, heartbeat_seconds=0.01)
    passing.cancel()

    assert handler.processed == [0]
    assert (report.shards_done, report.blocks_skipped) == (2, 1)


async def test_queue_error_that_waiting_does_not_help_is_raised(clock: FakeClock) -> None:
    class BrokenQueue(MemoryQueue):
        async def lease(self, wait_seconds: float) -> Lease | None:
            raise LeaseLost(f"no lease in {wait_seconds} s")

    with pytest.raises(LeaseLost):
        await run(BrokenQueue(clock), PartStore())
