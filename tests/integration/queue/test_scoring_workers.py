"""Scoring by workers of their own: the same table as one process gives, whoever comes and goes."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from nats_server import NatsServer, running_nats_server
from queue_conformance import make_shard
from scoring_run import ScoringRun, scoring_run
from until import until, until_it
from worker_pool import worker_pool

from labelplane.operation.v1 import operation_pb2 as operation
from labelplane.operation.v1 import operation_pb2_grpc as operation_grpc

ITEMS, BLOCK_SIZE = 120, 5

pytestmark = pytest.mark.timeout(600)


async def undisturbed_digest(folder: Path, *, items: int = ITEMS, block_size: int = BLOCK_SIZE) -> str:
    """Return the digest that one process gives by itself."""
    async with scoring_run(folder, items=items, block_size=block_size) as run:
        return await run.digest(await run.finish())


async def has_depth(run: ScoringRun, depth: int) -> bool:
    assert run.queue is not None
    return (await run.queue.depth()).total == depth


async def has_dead(run: ScoringRun) -> bool:
    assert run.queue is not None
    return bool(await run.queue.dead_letters())


@pytest.mark.parametrize("count", [1, 3])
async def test_scores_by_workers_are_bit_for_bit_those_of_one_process(
    nats: NatsServer, tmp_path: Path, count: int
) -> None:
    job = str(uuid4())
    with worker_pool(tmp_path / "many", nats.address, job=job) as pool:
        async with scoring_run(
            tmp_path / "many", items=ITEMS, block_size=BLOCK_SIZE, servers=nats.address, job=job
        ) as run:
            pool.start(count)
            done = await run.finish()

            assert await run.digest(done) == await undisturbed_digest(tmp_path / "one")
            assert done.progress.done == ITEMS
            # The last shard is acknowledged after its part is there.
            await until_it(lambda: has_depth(run, 0))


async def test_stopped_worker_ends_with_code_0_and_the_others_finish(nats: NatsServer, tmp_path: Path) -> None:
    job = str(uuid4())
    with worker_pool(tmp_path / "many", nats.address, job=job) as pool:
        async with scoring_run(
            tmp_path / "many", items=ITEMS, block_size=BLOCK_SIZE, servers=nats.address, job=job
        ) as run:
            await run.start()
            pool.start(2)
            await until(lambda: run.parts() >= 5)

            assert await asyncio.to_thread(pool.stop, pool.workers[0]) == 0
            await run.digest(await run.finish())
    assert "scoring worker ends: WorkReport(" in pool.said()


async def test_item_that_cannot_be_read_fails_the_operation_with_its_name(nats: NatsServer, tmp_path: Path) -> None:
    job = str(uuid4())
    with worker_pool(tmp_path, nats.address, job=job) as pool:
        async with scoring_run(tmp_path, items=60, block_size=BLOCK_SIZE, servers=nats.address, job=job) as run:
            await run.service.parts.data.put("031.png", b"no image")
            pool.start()
            done = await run.finish()

    assert (done.state, done.error.reason) == (operation.OPERATION_STATE_FAILED, "ShardGivenUp")
    assert "item-031" in done.error.message


async def test_service_that_died_is_followed_by_one_that_goes_on(nats: NatsServer, tmp_path: Path) -> None:
    job, folder = str(uuid4()), tmp_path / "many"
    with worker_pool(folder, nats.address, job=job) as pool:
        async with scoring_run(folder, items=ITEMS, block_size=BLOCK_SIZE, servers=nats.address, job=job) as first:
            await first.start()
            pool.start()
            await until(lambda: first.parts() >= 5)
        async with scoring_run(
            folder, items=ITEMS, block_size=BLOCK_SIZE, servers=nats.address, job=job, owner="second"
        ) as second:
            digest = await second.digest(await second.finish())

    assert digest == await undisturbed_digest(tmp_path / "one")


async def test_shards_of_a_cancelled_operation_are_taken_off_the_queue(nats: NatsServer, tmp_path: Path) -> None:
    job = str(uuid4())
    async with scoring_run(tmp_path, items=60, block_size=BLOCK_SIZE, servers=nats.address, job=job) as run:
        assert run.queue is not None
        request_id = await run.start()
        await until_it(lambda: has_depth(run, 12))
        invocation = operation.Invocation(request_id=request_id, leader_epoch=1)
        stub = operation_grpc.OperationServiceStub(run.service.channel)
        await stub.CancelOperation(operation.CancelOperationRequest(invocation=invocation))
        done = await run.service.finished(request_id)
        with worker_pool(tmp_path, nats.address, job=job) as pool:
            pool.start()
            await until_it(lambda: has_depth(run, 0))

        assert done.state == operation.OPERATION_STATE_CANCELLED
        assert run.parts() == 0


async def test_shards_that_the_queue_has_lost_are_put_again(tmp_path: Path) -> None:
    with running_nats_server(tmp_path / "nats") as server:
        async with scoring_run(
            tmp_path / "many", items=60, block_size=BLOCK_SIZE, servers=server.address, lease_seconds=5.0
        ) as run:
            assert run.queue is not None
            await run.start()
            await until_it(lambda: has_depth(run, 12))
            # Somebody takes them, and says that they are done.
            for _ in range(5):
                lease = await run.queue.lease(5.0)
                assert lease is not None
                await run.queue.ack(lease)
            with worker_pool(tmp_path / "many", server.address, job="job") as pool:
                pool.start()
                digest = await run.digest(await run.finish())

    assert digest == await undisturbed_digest(tmp_path / "one", items=60)


async def test_worker_without_a_plan_of_its_shard_says_so_in_the_dead_letter(nats: NatsServer, tmp_path: Path) -> None:
    job = str(uuid4())
    async with scoring_run(tmp_path, items=10, block_size=BLOCK_SIZE, servers=nats.address, job=job) as run:
        assert run.queue is not None
        await run.queue.put(make_shard())
        with worker_pool(tmp_path, nats.address, job=job) as pool:
            pool.start()
            await until_it(lambda: has_dead(run))
        dead = await run.queue.dead_letters()

    assert dead[0].cause.startswith("ObjectNotFound: ")
    assert "rounds/0000/score/1/shards.json" in dead[0].cause
