"""The loop that every worker runs: lease a shard, do its blocks, acknowledge it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from labelplane_core.errors import LabelplaneError, LeaseLost, OperationError, QueueError
from labelplane_core.queue.queue import Lease, WorkQueue
from labelplane_core.shards.shard import Shard

__all__ = ["BlockHandler", "WorkReport", "work"]

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


class BlockHandler(Protocol):
    """What a stage does with one block."""

    async def has_part(self, shard: Shard, block: int) -> bool:
        """Return whether the block's part is in the store, so that a second delivery does nothing."""
        ...

    async def process(self, shard: Shard, block: int) -> None:
        """Do the block and write its part by a create, so that of two workers one part stands.

        An error that is `retryable` gives the shard back and counts against nobody; an `OperationError` ends the
        worker; any other is reported as the shard's failure.
        """
        ...


@dataclass(slots=True)
class WorkReport:
    """What one worker did."""

    shards_done: int = 0
    shards_failed: int = 0
    shards_released: int = 0
    leases_lost: int = 0
    blocks_done: int = 0
    blocks_skipped: int = 0


async def work(
    queue: WorkQueue,
    handler: BlockHandler,
    *,
    stop: asyncio.Event,
    heartbeat_seconds: float = 15.0,
    grace_seconds: float = 25.0,
    wait_seconds: float = 1.0,
    until_empty: bool = False,
    overlap: int = 1,
) -> WorkReport:
    """Work shards off `queue` until `stop` is set, and return what was done.

    A shard is acknowledged after every one of its blocks has its part; a block whose part is there already is not
    done again. The lease is extended every `heartbeat_seconds` (a third of the queue's lease or less) and the work on
    it is cancelled once it is lost. After `stop` no shard is leased; the one in hand is finished within
    `grace_seconds` or given back, so the call returns within that and `wait_seconds`, which must be above 0. With
    `until_empty` it also returns once nothing waits and nothing is leased. Up to `overlap` blocks of the shard are in
    hand at the same time, so that one may be fetched and another written while a third is worked on; the handler says
    what may run at once, and `overlap` bounds the memory.

    Raises:
        OperationError: The handler found that its operation is fenced, cancelled or over; the shard was given back.
    """
    worker = _Worker(
        queue, handler, stop=stop, heartbeat_seconds=heartbeat_seconds, grace_seconds=grace_seconds, overlap=overlap
    )
    while not stop.is_set():
        try:
            lease = await queue.lease(0.0 if until_empty else wait_seconds)
            is_over = lease is None and until_empty and (await queue.depth()).total == 0
        except QueueError as error:
            await worker.pause_after(error)
            continue
        if lease is not None:
            await worker.work_shard(lease)
        elif is_over:
            break
        elif until_empty:
            # Others hold what is left; they may still give it back.
            await asyncio.sleep(_POLL_SECONDS)
    return worker.report


class _Worker:
    """The state of one call of `work`."""

    def __init__(
        self,
        queue: WorkQueue,
        handler: BlockHandler,
        *,
        stop: asyncio.Event,
        heartbeat_seconds: float,
        grace_seconds: float,
        overlap: int,
    ) -> None:
        self.report = WorkReport()
        self._queue = queue
        self._handler = handler
        self._stop = stop
        self._heartbeat_seconds = heartbeat_seconds
        self._grace_seconds = grace_seconds
        self._overlap = overlap
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    async def work_shard(self, lease: Lease) -> None:
        """Do a shard's blocks while its lease is kept, then tell the queue how it ended."""
        blocks = asyncio.create_task(self._do_blocks(lease.shard))
        heart = asyncio.create_task(self._keep(lease))
        drain = asyncio.create_task(self._drain())
        try:
            await asyncio.wait({blocks, heart, drain}, return_when=asyncio.FIRST_COMPLETED)
            if not blocks.done():
                await _cancelled(blocks)
            await self._settle(lease, blocks, is_lost=heart.done())
        except asyncio.CancelledError:
            await _cancelled(blocks)
            await self._tell(self._queue.release(lease))
            raise
        finally:
            await _cancelled(heart)
            await _cancelled(drain)

    async def pause_after(self, error: LabelplaneError) -> None:
        """Wait before trying again, longer each time in a row, or raise what waiting does not help."""
        if not error.retryable:
            raise error
        _log.warning("paused for %.1f s: %s", self._pause_seconds, error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self._pause_seconds)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _do_blocks(self, shard: Shard) -> None:
        """Do a shard's blocks in their order, so many at once as may be; the first error ends the others."""
        in_hand = asyncio.Semaphore(self._overlap)
        try:
            async with asyncio.TaskGroup() as group:
                for block in shard.blocks:
                    await in_hand.acquire()
                    group.create_task(self._do_block(shard, block)).add_done_callback(lambda _: in_hand.release())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _do_block(self, shard: Shard, block: int) -> None:
        if await self._handler.has_part(shard, block):
            self.report.blocks_skipped += 1
        else:
            await self._handler.process(shard, block)
            self.report.blocks_done += 1

    async def _keep(self, lease: Lease) -> None:
        """Extend the lease for ever; return when it is lost."""
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            try:
                await self._queue.extend(lease)
            except LeaseLost:
                return
            except QueueError as error:
                _log.warning("lease of shard %s not extended, trying again: %s", lease.shard.key, error)

    async def _drain(self) -> None:
        """Return when the time after `stop` is over."""
        await self._stop.wait()
        await asyncio.sleep(self._grace_seconds)

    async def _settle(self, lease: Lease, blocks: asyncio.Task[None], *, is_lost: bool) -> None:
        error = None if blocks.cancelled() else blocks.exception()
        if not blocks.cancelled() and error is None:
            self.report.shards_done += 1
            self._pause_seconds = _FIRST_PAUSE_SECONDS
            await self._tell(self._queue.ack(lease))
        elif is_lost or isinstance(error, LeaseLost):
            self.report.leases_lost += 1
        elif error is None or isinstance(error, OperationError):
            await self._release(lease)
            if error is not None:
                raise error
        elif isinstance(error, LabelplaneError) and error.retryable:
            await self._release(lease)
            await self.pause_after(error)
        else:
            await self._fail(lease, error)

    async def _release(self, lease: Lease) -> None:
        self.report.shards_released += 1
        await self._tell(self._queue.release(lease))

    async def _fail(self, lease: Lease, error: BaseException) -> None:
        self.report.shards_failed += 1
        if isinstance(error, LabelplaneError):
            cause = f"{error.reason}: {error}"
        else:
            cause = f"Internal: {type(error).__name__}: {error}"
            _log.error("shard %s failed", lease.shard.key, exc_info=error)
        await self._tell(self._queue.fail(lease, cause))

    async def _tell(self, message: Awaitable[None]) -> None:
        """Send the queue a last word on a shard; when it is away the lease runs out by itself, which is as good."""
        try:
            await message
        except QueueError as error:
            _log.warning("the queue was not told, so the lease will run out: %s", error)


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it is over, whatever its end."""
    task.cancel()
    await asyncio.wait({task})
