"""What every work queue must do; a subclass gives fixtures `queue`, with `LIMITS`, and `pass_time`."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from labelplane_core.errors import LeaseLost
from labelplane_core.queue import Depth, Lease, QueueLimits, WorkQueue
from labelplane_core.shards import Shard, Stage

PassTime = Callable[[float], Awaitable[None]]
"""Lets so many seconds pass, for the queue and for whoever keeps its shards."""

LIMITS = QueueLimits(lease_seconds=60.0, max_failures=3, max_lost_leases=10)


def make_shard(first: int = 0, last: int | None = None) -> Shard:
    return Shard(Stage.SCORE, 0, first, first if last is None else last)


async def leased(queue: WorkQueue) -> Lease:
    lease = await queue.lease(0)
    assert lease is not None
    return lease


class QueueConformance:
    async def test_shards_are_leased_in_the_order_they_were_put_and_gone_after_ack(self, queue: WorkQueue) -> None:
        shards = [make_shard(block) for block in range(3)]
        for shard in shards:
            await queue.put(shard)

        seen = []
        while lease := await queue.lease(0):
            seen.append(lease.shard)
            await queue.ack(lease)

        assert seen == shards
        assert await queue.depth() == Depth(ready=0, leased=0)

    async def test_depth_counts_a_leased_shard_so_busy_workers_are_seen(self, queue: WorkQueue) -> None:
        await queue.put(make_shard(0))
        await queue.put(make_shard(1))
        await leased(queue)

        assert await queue.depth() == Depth(ready=1, leased=1)
        assert (await queue.depth()).total == 2

    async def test_shard_is_leased_to_one_at_a_time(self, queue: WorkQueue) -> None:
        await queue.put(make_shard())

        leases = await asyncio.gather(*(queue.lease(0) for _ in range(5)))

        assert sum(lease is not None for lease in leases) == 1

    async def test_empty_queue_gives_no_lease_when_the_wait_is_over(self, queue: WorkQueue) -> None:
        assert await queue.lease(0) is None

    async def test_waiting_lease_gets_a_shard_that_is_put_meanwhile(self, queue: WorkQueue) -> None:
        waiting = asyncio.create_task(queue.lease(5))
        await asyncio.sleep(0.01)
        await queue.put(make_shard())

        lease = await asyncio.wait_for(waiting, 5)

        assert lease is not None
        assert lease.shard == make_shard()

    async def test_shard_that_waits_or_is_leased_is_not_put_twice(self, queue: WorkQueue) -> None:
        await queue.put(make_shard())
        await queue.put(make_shard())
        await leased(queue)
        await queue.put(make_shard())

        assert await queue.depth() == Depth(ready=0, leased=1)

    async def test_lost_lease_is_given_to_another_and_the_first_is_told(
        self, queue: WorkQueue, pass_time: PassTime
    ) -> None:
        await queue.put(make_shard())
        first = await leased(queue)
        await pass_time(60)

        second = await leased(queue)

        assert second.shard == first.shard
        assert second.lease_id != first.lease_id
        with pytest.raises(LeaseLost, match=first.shard.key):
            await queue.extend(first)

    async def test_extended_lease_is_kept(self, queue: WorkQueue, pass_time: PassTime) -> None:
        await queue.put(make_shard())
        lease = await leased(queue)
        for _ in range(5):
            await pass_time(59)
            await queue.extend(lease)

        assert await queue.lease(0) is None
        assert await queue.depth() == Depth(ready=0, leased=1)

    async def test_word_of_one_who_lost_the_lease_changes_nothing_for_the_next(
        self, queue: WorkQueue, pass_time: PassTime
    ) -> None:
        await queue.put(make_shard())
        lost = await leased(queue)
        await pass_time(60)
        await leased(queue)

        await queue.release(lost)
        await queue.fail(lost, "Internal: late")

        assert await queue.depth() == Depth(ready=0, leased=1)
        assert await queue.dead_letters() == ()

    async def test_released_shard_is_leased_again_at_once_and_counts_against_nobody(self, queue: WorkQueue) -> None:
        await queue.put(make_shard())
        for _ in range(20):
            await queue.release(await leased(queue))

        assert await queue.depth() == Depth(ready=1, leased=0)
        assert await queue.dead_letters() == ()

    async def test_third_reported_failure_is_a_dead_letter_with_its_cause(self, queue: WorkQueue) -> None:
        await queue.put(make_shard(0, 3))
        await queue.fail(await leased(queue), "BadTable: one")
        await queue.fail(await leased(queue), "BadTable: two")
        assert await queue.dead_letters() == ()
        await queue.fail(await leased(queue), "BadTable: three")

        (letter,) = await queue.dead_letters()
        assert (letter.shard, letter.cause, letter.failures) == (make_shard(0, 3), "BadTable: three", 3)
        assert await queue.depth() == Depth(ready=0, leased=0)

    async def test_failed_shard_waits_behind_the_others(self, queue: WorkQueue) -> None:
        await queue.put(make_shard(0))
        await queue.put(make_shard(1))
        await queue.fail(await leased(queue), "Internal: x")

        assert (await leased(queue)).shard == make_shard(1)

    async def test_lost_leases_are_no_reported_failures(self, queue: WorkQueue, pass_time: PassTime) -> None:
        await queue.put(make_shard())
        for _ in range(9):
            await leased(queue)
            await pass_time(60)
        await queue.fail(await leased(queue), "Internal: x")

        assert await queue.dead_letters() == ()
        assert await queue.depth() == Depth(ready=1, leased=0)

    async def test_tenth_lost_lease_queues_the_shard_again_as_its_single_blocks(
        self, queue: WorkQueue, pass_time: PassTime
    ) -> None:
        await queue.put(make_shard(4, 6))
        for _ in range(10):
            await leased(queue)
            await pass_time(60)

        singles = [(await leased(queue)).shard for _ in range(3)]

        assert singles == [make_shard(4), make_shard(5), make_shard(6)]
        assert await queue.dead_letters() == ()

    async def test_single_block_whose_tenth_lease_is_lost_is_a_dead_letter(
        self, queue: WorkQueue, pass_time: PassTime
    ) -> None:
        await queue.put(make_shard(4))
        for _ in range(10):
            await leased(queue)
            await pass_time(60)
        assert await queue.lease(0) is None

        (letter,) = await queue.dead_letters()
        assert (letter.shard, letter.lost_leases, letter.failures) == (make_shard(4), 10, 0)
        assert letter.cause.startswith("LeaseLost: ")
        assert await queue.depth() == Depth(ready=0, leased=0)

    async def test_dead_letter_may_be_put_again_with_a_clean_record(self, queue: WorkQueue) -> None:
        await queue.put(make_shard())
        for _ in range(3):
            await queue.fail(await leased(queue), "Internal: x")
        await queue.put(make_shard())
        await queue.fail(await leased(queue), "Internal: y")

        assert await queue.depth() == Depth(ready=1, leased=0)
