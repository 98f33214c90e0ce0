"""What every work queue does, whoever keeps the shards."""

from dataclasses import dataclass
from typing import Protocol

from labelplane_core.shards.shard import Shard

__all__ = ["DeadLetter", "Depth", "Lease", "QueueLimits", "WorkQueue"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a shard until it runs out; `lease_id` is new for every delivery."""

    shard: Shard
    lease_id: str


@dataclass(frozen=True, slots=True)
class Depth:
    """Shards that wait, and shards that somebody works on; a busy worker is never invisible."""

    ready: int
    leased: int

    @property
    def total(self) -> int:
        """All shards that are not done."""
        return self.ready + self.leased


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A shard that was given up, and why."""

    shard: Shard
    cause: str
    failures: int
    lost_leases: int


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """When a lease runs out and a shard is given up.

    Attributes:
        lease_seconds: How long a lease lasts without `extend`.
        max_failures: Failures reported by workers before a shard goes to the dead letters.
        max_lost_leases: Leases that ran out (a worker died, or took its machine down with it) before a shard is
            queued again as its single blocks, so that one poisonous block does not hold the others; a single block
            goes to the dead letters.
    """

    lease_seconds: float = 60.0
    max_failures: int = 3
    max_lost_leases: int = 10


class WorkQueue(Protocol):
    """Shards to be done, each delivered at least once until it is acknowledged.

    What becomes of a shard whose last lease has run out may only show when somebody next asks for a shard.

    `release` and `fail` of a lease that is not held any more change nothing and raise nothing: whoever lost a lease has
    nothing to tell. An `ack` of one may count or not; the parts are there either way. Methods raise `QueueUnavailable`
    when a server cannot be reached, which may have heard them all the same, and `QueueRefused` when it forbids them.
    """

    async def put(self, shard: Shard) -> None:
        """Add `shard` at the end; one that waits or is leased already is not added twice."""
        ...

    async def lease(self, wait_seconds: float) -> Lease | None:
        """Take the next shard, waiting at most `wait_seconds` for one; None when none came."""
        ...

    async def extend(self, lease: Lease) -> None:
        """Start the lease's time anew; `LeaseLost` when it has run out."""
        ...

    async def ack(self, lease: Lease) -> None:
        """Take the shard off the queue for good: its parts are in the store."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give the shard back undone, to be leased by whoever is free; this counts against nobody."""
        ...

    async def fail(self, lease: Lease, cause: str) -> None:
        """Give the shard back after an error, or to the dead letters with `cause` when it has failed too often."""
        ...

    async def depth(self) -> Depth:
        """Return how many shards wait and how many are leased."""
        ...

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the shards that were given up, oldest first."""
        ...
