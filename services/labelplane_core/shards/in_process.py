"""Shards that one process works off by itself, and what becomes of those that nobody could do."""

import asyncio
from collections.abc import Sequence

from labelplane_core.clock import Clock
from labelplane_core.errors import ShardGivenUp
from labelplane_core.queue.memory import MemoryQueue
from labelplane_core.queue.queue import DeadLetter
from labelplane_core.shards.shard import Shard
from labelplane_core.shards.worker import BlockHandler, work

__all__ = ["require_none_dead", "work_in_process"]


async def work_in_process(shards: Sequence[Shard], handler: BlockHandler, *, clock: Clock) -> None:
    """Do all shards here, one after another.

    Raises:
        ShardGivenUp: a shard failed, time and again; the others are done.
        OperationError: the handler found that its operation is fenced, cancelled or over.
    """
    queue = MemoryQueue(clock)
    for shard in shards:
        await queue.put(shard)
    await work(queue, handler, stop=asyncio.Event(), wait_seconds=0.05, until_empty=True)
    require_none_dead(await queue.dead_letters(), among=len(shards))


def require_none_dead(dead: Sequence[DeadLetter], *, among: int) -> None:
    """Return when none of `among` shards was given up.

    Raises:
        ShardGivenUp: naming the first of them and its cause.
    """
    if dead:
        first = dead[0]
        raise ShardGivenUp(f"{len(dead)} of {among} shards failed; {first.shard.key}: {first.cause}")
