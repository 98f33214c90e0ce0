"""The work queue on a real NATS server: what every queue does, and what only one on a server meets."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
from fake_clock import FakeClock
from lapsing_queue import LapsingQueue, jetstream_queue, make_address
from nats import connect
from nats_server import NatsServer, running_nats_server
from queue_conformance import PassTime, QueueConformance, leased, make_shard

from labelplane_core.errors import LeaseLost, QueueRefused, QueueUnavailable
from labelplane_core.queue import Depth, QueueLimits
from labelplane_core.queue.connection import QueueAccess, QueueConnection
from labelplane_core.shards import Stage

T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Return what a call gives once the server is there; pytest's own timeout bounds the wait."""
    while True:
        try:
            return await call()
        except QueueUnavailable:
            await asyncio.sleep(0.05)


class TestJetStreamQueue(QueueConformance):
    @pytest.fixture
    async def queue(self, nats: NatsServer) -> AsyncIterator[LapsingQueue]:
        connection = QueueConnection(QueueAccess(nats.address))
        yield LapsingQueue(connection, make_address(), FakeClock())
        await connection.close()

    @pytest.fixture
    def pass_time(self, queue: LapsingQueue) -> PassTime:
        return queue.pass_time


async def test_what_was_put_and_who_has_leased_survive_a_server_that_is_stopped(tmp_path: Path) -> None:
    with running_nats_server(tmp_path) as server:
        async with jetstream_queue(server.address, answer_seconds=3.0) as queue:
            for block in range(3):
                await queue.put(make_shard(block))
            lease = await leased(queue)
            server.stop()
            server.start()

            assert await patiently(queue.depth) == Depth(ready=2, leased=1)
            await patiently(lambda: queue.ack(lease))
            assert await queue.depth() == Depth(ready=2, leased=0)


async def test_no_shard_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    with running_nats_server(tmp_path) as server:
        async with jetstream_queue(server.address, answer_seconds=3.0) as queue:
            for block in range(3):
                await queue.put(make_shard(block))
            held = await leased(queue)
            server.kill()
            server.start()

            # That one was leased may not have been written yet; then it is given to another too.
            assert (await patiently(queue.depth)).total == 3
            seen = {held.shard}
            while len(seen) < 3:
                lease = await patiently(lambda: queue.lease(1.0))
                seen |= {lease.shard} if lease is not None else set()

        assert seen == {make_shard(0), make_shard(1), make_shard(2)}


async def test_call_to_a_server_that_is_away_is_unavailable_and_succeeds_when_it_is_back(tmp_path: Path) -> None:
    with running_nats_server(tmp_path) as server:
        async with jetstream_queue(server.address, answer_seconds=0.5) as queue:
            server.stop()
            with pytest.raises(QueueUnavailable, match=f"the queue at {server.address} does not answer"):
                await queue.put(make_shard())
            server.start()

            await patiently(lambda: queue.put(make_shard()))

            assert await patiently(queue.depth) == Depth(ready=1, leased=0)


async def test_worker_that_waits_for_a_shard_gets_one_after_the_server_was_away(tmp_path: Path) -> None:
    with running_nats_server(tmp_path) as server:
        address = make_address()
        async with (
            jetstream_queue(server.address, address=address, answer_seconds=0.5) as putter,
            jetstream_queue(server.address, address=address, answer_seconds=0.5) as worker,
        ):
            assert await patiently(lambda: worker.lease(0)) is None
            server.kill()
            server.start()
            await patiently(lambda: putter.put(make_shard()))

            lease = None
            while lease is None:
                lease = await patiently(lambda: worker.lease(0.2))

            assert lease.shard == make_shard()


async def test_streams_that_the_server_has_lost_are_made_again(tmp_path: Path) -> None:
    with running_nats_server(tmp_path) as server:
        async with jetstream_queue(server.address, answer_seconds=0.5) as queue:
            await patiently(lambda: queue.put(make_shard()))
            server.stop()
            shutil.rmtree(tmp_path / "jetstream")
            server.start()

            assert await patiently(queue.depth) == Depth(ready=0, leased=0)
            await patiently(lambda: queue.put(make_shard()))
            assert (await patiently(lambda: leased(queue))).shard == make_shard()


async def test_setting_up_twice_at_once_changes_nothing(nats: NatsServer) -> None:
    address = make_address(namespace="twice")
    async with (
        jetstream_queue(nats.address, address=address) as first,
        jetstream_queue(nats.address, address=address) as second,
    ):
        await asyncio.gather(first.put(make_shard()), second.put(make_shard()))

        assert await first.depth() == await second.depth() == Depth(ready=1, leased=0)


async def test_lease_that_nobody_extends_runs_out_on_the_server(nats: NatsServer) -> None:
    address, limits = make_address(), QueueLimits(lease_seconds=0.3)
    async with (
        jetstream_queue(nats.address, address=address, limits=limits) as lost,
        jetstream_queue(nats.address, address=address, limits=limits) as finder,
    ):
        await lost.put(make_shard())
        first = await leased(lost)

        second = None
        while second is None:
            second = await finder.lease(1.0)

        assert second.shard == first.shard
        with pytest.raises(LeaseLost, match=first.shard.key):
            await lost.extend(first)


async def test_lease_that_is_extended_in_time_is_kept_on_the_server(nats: NatsServer) -> None:
    limits = QueueLimits(lease_seconds=1.0)
    is_proven = False
    while not is_proven:  # a machine that stalls for a second proves nothing
        address = make_address()
        async with (
            jetstream_queue(nats.address, address=address, limits=limits) as queue,
            jetstream_queue(nats.address, address=address, limits=limits) as other,
        ):
            await queue.put(make_shard())
            lease, gaps, last = await leased(queue), [0.0], time.monotonic()
            for _ in range(6):
                await asyncio.sleep(0.3)
                with suppress(LeaseLost):
                    await queue.extend(lease)
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
            taken = await other.lease(0)
            is_proven = max(gaps) < 0.9
            assert taken is None or not is_proven


async def test_worker_that_slept_through_its_lease_does_no_harm_to_the_next(nats: NatsServer) -> None:
    address, limits, stopped = make_address(), QueueLimits(lease_seconds=0.3), FakeClock()
    async with (
        jetstream_queue(nats.address, address=address, limits=limits, clock=stopped) as sleeper,
        jetstream_queue(nats.address, address=address, limits=limits) as worker,
    ):
        await sleeper.put(make_shard())
        old = await leased(sleeper)
        lease = None
        while lease is None:
            lease = await worker.lease(1.0)
        await sleeper.fail(old, "Internal: nobody told it that the lease is over")
        await worker.ack(lease)

        again = await leased(worker)

        assert again.shard == make_shard()
        assert await worker.dead_letters() == ()


async def test_message_that_is_no_shard_is_dropped(nats: NatsServer, caplog: pytest.LogCaptureFixture) -> None:
    address = make_address()
    async with jetstream_queue(nats.address, address=address) as queue:
        await queue.put(make_shard())
        stranger = await connect(nats.address)
        await stranger.jetstream().publish(address.subjects[:-1] + "x", b"hello")
        await stranger.close()
        await queue.ack(await leased(queue))

        assert await queue.lease(0) is None
        assert await queue.depth() == Depth(ready=0, leased=0)
    assert "is dropped" in caplog.text


async def test_shard_that_was_done_may_come_again_and_never_twice_at_once(nats: NatsServer) -> None:
    async with jetstream_queue(nats.address) as queue:
        for _ in range(3):
            for _ in range(5):
                await queue.put(make_shard())
            await queue.ack(await leased(queue))

        assert await queue.depth() == Depth(ready=0, leased=0)


async def test_jobs_and_stages_do_not_see_each_others_shards(nats: NatsServer) -> None:
    async with (
        jetstream_queue(nats.address, address=make_address(job="one")) as one,
        jetstream_queue(nats.address, address=make_address(job="two")) as two,
        jetstream_queue(nats.address, address=make_address(job="one", stage=Stage.VOTE)) as votes,
    ):
        await one.put(make_shard())

        assert await two.lease(0) is None
        assert await votes.lease(0) is None
        assert (await leased(one)).shard == make_shard()


async def test_stream_that_is_no_work_queue_is_refused_by_name(nats: NatsServer) -> None:
    address = make_address(namespace="taken")
    stranger = await connect(nats.address)
    await stranger.jetstream().add_stream(name=address.stream, subjects=[address.stream_subjects])
    await stranger.close()
    async with jetstream_queue(nats.address, address=address) as queue:
        with pytest.raises(QueueRefused, match="stream labelplane_taken has retention limits"):
            await queue.put(make_shard())
