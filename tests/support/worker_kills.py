"""Scoring while workers and the queue's server are killed: the disturbances of a seed, made as the work goes on."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nats_server import NatsServer, running_nats_server
from scoring_run import scoring_run
from until import until
from worker_pool import WorkerPool, worker_pool

LEASE_SECONDS = 2.0


@dataclass
class Disturber:
    """Does harm; after each the number of workers is what it was."""

    server: NatsServer
    pool: WorkerPool
    random: random.Random

    def kill_worker(self) -> None:
        self.pool.kill(self.random.choice(self.pool.workers))
        self.pool.start()

    def stop_worker(self) -> None:
        assert self.pool.stop(self.random.choice(self.pool.workers)) == 0, self.pool.said()[-3000:]
        self.pool.start()

    def kill_server(self) -> None:
        self.server.kill()
        self.server.start()

    def stop_server(self) -> None:
        self.server.stop()
        self.server.start()

    def disturb(self) -> None:
        harms: tuple[Callable[[], None], ...] = (self.kill_worker, self.stop_worker, self.kill_server, self.stop_server)
        self.random.choices(harms, weights=(8, 6, 3, 3))[0]()


async def disturbed_digest(
    folder: Path, *, seed: int, kills: int, items: int, block_size: int, workers: int = 2
) -> tuple[str, int]:
    """Score with so many disturbances, evenly over the work; return the digest and how many were made in time."""
    done = 0
    with (
        running_nats_server(folder / "nats") as server,
        worker_pool(folder, server.address, job="job", lease_seconds=LEASE_SECONDS) as pool,
    ):
        disturber = Disturber(server, pool, random.Random(seed))
        async with scoring_run(
            folder, items=items, block_size=block_size, servers=server.address, lease_seconds=LEASE_SECONDS
        ) as run:
            scoring = asyncio.create_task(run.finish(seconds=7200.0))
            pool.start(workers)
            blocks = -(-items // block_size)
            for number in range(kills):
                threshold = 1 + number * (blocks - 1) // kills
                await until(lambda threshold=threshold: run.parts() >= threshold)  # type: ignore[misc]
                done += int(run.parts() < blocks)
                await asyncio.to_thread(disturber.disturb)
            return await run.digest(await scoring), done


async def undisturbed_digest(folder: Path, *, items: int, block_size: int) -> str:
    """Return the digest that one process gives by itself."""
    async with scoring_run(folder, items=items, block_size=block_size) as run:
        return await run.digest(await run.finish())
