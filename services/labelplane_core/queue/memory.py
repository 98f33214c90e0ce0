"""A work queue in one process' memory, for the embedded and the Small profile."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from itertools import count

from labelplane_core.clock import Clock
from labelplane_core.errors import LeaseLost
from labelplane_core.queue.queue import DeadLetter, Depth, Lease, QueueLimits
from labelplane_core.shards.shard import Shard

__all__ = ["MemoryQueue"]


@dataclass(slots=True)
class _Entry:
    """A shard that is not done, and what befell it."""

    shard: Shard
    failures: int = 0
    lost_leases: int = 0
    expires: float = 0.0


class MemoryQueue:
    """A `WorkQueue` in memory, for one event loop; what it holds is gone with its process.

    Leases are timed by the given monotonic clock, and run out when somebody next looks (`lease`, `extend`, `depth`).
    """

    def __init__(self, clock: Clock, *, limits: QueueLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or QueueLimits()
        self._ready: deque[_Entry] = deque()
        self._leased: dict[str, _Entry] = {}
        self._known: set[Shard] = set()
        self._dead: list[DeadLetter] = []
        self._lease_numbers = count(1)
        self._changed = asyncio.Condition()

    async def put(self, shard: Shard) -> None:
        """Add `shard` at the end, unless it waits or is leased."""
        async with self._changed:
            self._add(shard)

    async def lease(self, wait_seconds: float) -> Lease | None:
        """Take the next shard, waiting at most `wait_seconds` for one."""
        deadline = self._clock.monotonic() + wait_seconds
        async with self._changed:
            while True:
                self._expire()
                if self._ready:
                    return self._take()
                seconds = min([deadline, *(entry.expires for entry in self._leased.values())]) - self._clock.monotonic()
                if self._clock.monotonic() >= deadline:
                    return None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), max(seconds, 0.0))

    async def extend(self, lease: Lease) -> None:
        """Start the lease's time anew."""
        async with self._changed:
            self._expire()
            entry = self._leased.get(lease.lease_id)
            if entry is None:
                raise LeaseLost(f"the lease of shard {lease.shard.key} has run out: stop working on it")
            entry.expires = self._clock.monotonic() + self._limits.lease_seconds

    async def ack(self, lease: Lease) -> None:
        """Take the shard off the queue for good."""
        async with self._changed:
            if entry := self._give_up(lease):
                self._known.discard(entry.shard)

    async def release(self, lease: Lease) -> None:
        """Give the shard back undone, in front of the others."""
        async with self._changed:
            if entry := self._give_up(lease):
                self._ready.appendleft(entry)
                self._changed.notify()

    async def fail(self, lease: Lease, cause: str) -> None:
        """Give the shard back after an error, behind the others, or to the dead letters."""
        async with self._changed:
            if entry := self._give_up(lease):
                entry.failures += 1
                if entry.failures >= self._limits.max_failures:
                    self._bury(entry, cause)
                else:
                    self._requeue(entry)

    async def depth(self) -> Depth:
        """Return how many shards wait and how many are leased."""
        async with self._changed:
            self._expire()
            return Depth(ready=len(self._ready), leased=len(self._leased))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the shards that were given up, oldest first."""
        async with self._changed:
            self._expire()
            return tuple(self._dead)

    def _add(self, shard: Shard) -> None:
        if shard not in self._known:
            self._known.add(shard)
            self._requeue(_Entry(shard))

    def _requeue(self, entry: _Entry) -> None:
        self._ready.append(entry)
        self._changed.notify()

    def _take(self) -> Lease:
        entry = self._ready.popleft()
        entry.expires = self._clock.monotonic() + self._limits.lease_seconds
        lease = Lease(entry.shard, str(next(self._lease_numbers)))
        self._leased[lease.lease_id] = entry
        return lease

    def _give_up(self, lease: Lease) -> _Entry | None:
        """End a lease that is still held, and return its entry."""
        self._expire()
        return self._leased.pop(lease.lease_id, None)

    def _expire(self) -> None:
        now = self._clock.monotonic()
        lost = [lease_id for lease_id, entry in self._leased.items() if entry.expires <= now]
        for lease_id in lost:
            self._lose(self._leased.pop(lease_id))

    def _lose(self, entry: _Entry) -> None:
        entry.lost_leases += 1
        if entry.lost_leases < self._limits.max_lost_leases:
            self._requeue(entry)
        elif len(entry.shard.blocks) == 1:
            self._bury(
                entry,
                f"LeaseLost: {entry.lost_leases} workers lost the lease of this block: does it exhaust their memory?",
            )
        else:
            self._known.discard(entry.shard)
            for single in entry.shard.split():
                self._add(single)

    def _bury(self, entry: _Entry, cause: str) -> None:
        self._known.discard(entry.shard)
        self._dead.append(DeadLetter(entry.shard, cause, entry.failures, entry.lost_leases))
