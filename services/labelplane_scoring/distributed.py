"""Scoring by workers: cut the blocks into shards, put them on the queue, and watch until every part is in the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from labelplane_core.clock import Clock
from labelplane_core.errors import QueueError
from labelplane_core.operations import OperationContext
from labelplane_core.queue import Depth, WorkQueue
from labelplane_core.shards import Shard, Stage, plan_shards, require_none_dead
from labelplane_core.tables import TablePart
from labelplane_scoring.requests import ScoreRequest
from labelplane_scoring.scoring_blocks import ScoreBlocks
from labelplane_scoring.shard_plans import ShardPlan, largest_size, plan_size

__all__ = ["DistributedScoring"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.5
_LONGEST_LOOK_SECONDS: Final = 2.0
_LOOKED_AT: Final = 64
"""Shards that are looked at each time, first those that were put first: workers take them in that order."""
_READS_AT_ONCE: Final = 16


class DistributedScoring:
    """Has the blocks of one Score done by whoever leases its shards.

    What counts is what lies in the store: a shard is done when its parts are there. The queue may forget shards or give
    one out twice. One that it has forgotten is put again; a queue that is away is waited for.
    """

    def __init__(self, queue: WorkQueue, blocks: ScoreBlocks, *, clock: Clock) -> None:
        self._queue = queue
        self._blocks = blocks
        self._clock = clock
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)

    async def run(self, request: ScoreRequest, context: OperationContext) -> list[TablePart]:
        """Return the part of every block, in the order of the index, once all are there.

        Raises:
            ShardGivenUp: a shard failed, time and again.
            QueueRefused: the queue does not let this process in.
        """
        plan = await self._plan(request, context)
        shards = plan_shards(
            self._blocks.index.blocks,
            stage=Stage.SCORE,
            round_number=request.round_number,
            attempt=request.attempt,
            blocks_per_shard=plan.blocks_per_shard,
        )
        await self._finish(shards, context)
        return await self._described(shards)

    async def _plan(self, request: ScoreRequest, context: OperationContext) -> ShardPlan:
        """Return how the blocks are cut; of many the first process to ask does one, to see how long that takes."""
        store, layout, where = self._blocks.store, self._blocks.layout, (request.round_number, request.attempt)
        numbers = self._blocks.index.blocks
        size = 1
        if largest_size(len(numbers)) > 1 and not await store.exists(ShardPlan.key(layout, *where)):
            size = plan_size(await self._seconds_per_block(request, numbers[0]), n_blocks=len(numbers))
        plan = ShardPlan(context.request_id, size)
        return await plan.keep(store, layout, round_number=request.round_number, attempt=request.attempt)

    async def _seconds_per_block(self, request: ScoreRequest, block: int) -> float:
        pilot = Shard(Stage.SCORE, request.round_number, block, block, request.attempt)
        began = self._clock.monotonic()
        if not await self._blocks.has_part(pilot, block):
            await self._blocks.process(pilot, block)
        return self._clock.monotonic() - began

    async def _finish(self, shards: Sequence[Shard], context: OperationContext) -> None:
        """Put what is not done, and return when nothing is left."""
        left = await self._unfinished(shards)
        await self._put(left, context)
        pause = _LOOK_SECONDS
        while left:
            self._tell(left, context)
            await asyncio.sleep(pause)
            depth = await self._patiently(self._queue.depth, context)
            before = len(left)
            left = await self._look(left, depth)
            if depth.total == 0 and left:
                await self._check_dead(shards, context)
                _log.warning("the queue has lost %d shards: they are put again", len(left))
                await self._put(left, context)
            pause = _LOOK_SECONDS if len(left) < before else min(1.5 * pause, _LONGEST_LOOK_SECONDS)
        self._tell(left, context)

    async def _look(self, left: Sequence[Shard], depth: Depth) -> list[Shard]:
        """Return the shards that are still not done; all are looked at when the queue is empty."""
        if depth.total == 0:
            return await self._unfinished(left)
        # Of a long queue some may be seen later to be done.
        most = max(_LOOKED_AT, len(left) - depth.total)
        return [*await self._unfinished(left[:most]), *left[most:]]

    async def _put(self, shards: Sequence[Shard], context: OperationContext) -> None:
        for shard in shards:
            await self._patiently(lambda shard=shard: self._queue.put(shard), context)  # type: ignore[misc]

    async def _check_dead(self, shards: Sequence[Shard], context: OperationContext) -> None:
        dead = await self._patiently(self._queue.dead_letters, context)
        first = shards[0]
        ours = [each for each in dead if (each.shard.round, each.shard.attempt) == (first.round, first.attempt)]
        require_none_dead(ours, among=len(shards))

    async def _patiently(self, call: Callable[[], Awaitable[T]], context: OperationContext) -> T:
        """Return what a call to the queue gives, when it is there."""
        pause = _LOOK_SECONDS
        while True:
            context.check()
            try:
                return await call()
            except QueueError as error:
                if not error.retryable:
                    raise
                _log.warning("waits for the queue: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)

    def _tell(self, left: Sequence[Shard], context: OperationContext) -> None:
        rows = {part.block: part.rows for part in self._blocks.index.parts}
        open_rows = sum(rows[block] for shard in left for block in shard.blocks)
        context.progress(self._blocks.index.rows - open_rows, self._blocks.index.rows, "items")

    # -- the store ------------------------------------------------------------------------------------------------

    async def _unfinished(self, shards: Sequence[Shard]) -> list[Shard]:
        """Return the shards of which a part is missing, in their order."""
        are_done = await asyncio.gather(*(self._is_done(shard) for shard in shards))
        return [shard for shard, is_done in zip(shards, are_done, strict=True) if not is_done]

    async def _is_done(self, shard: Shard) -> bool:
        for block in reversed(shard.blocks):  # the last block is the one that is most likely missing
            async with self._reads:
                if not await self._blocks.has_part(shard, block):
                    return False
        return True

    async def _described(self, shards: Sequence[Shard]) -> list[TablePart]:
        async def one(shard: Shard, block: int) -> TablePart:
            async with self._reads:
                return await self._blocks.part(shard, block)

        return list(await asyncio.gather(*(one(shard, block) for shard in shards for block in shard.blocks)))
