"""How long a worker needs for a shard, from what the queue looked like at one moment after the other.

Between two looks the leased shards were worked on, and the queue has become shorter by those that were done. A shard
that is leased counts as half done. A look at which the queue has grown tells nothing, as shards were put.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from labelplane_operator.policies.scaling import QueueDepth

__all__ = ["ShardTime"]

_LEAST_DONE: Final = 5
"""Shards from which on the mean is more than a guess."""
_MOST_DONE: Final = 200
"""Shards after which the past counts half, so that a change is followed."""
_SHORTEST_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class ShardTime:
    """What was seen of a queue so far.

    Attributes:
        at_seconds: when it was looked at last, by a monotonic clock.
        depth: that it had then.
        busy_seconds: of all workers together, over the time that counts.
        done: what they did in it, in shards, without the halves that are leased now.
    """

    at_seconds: float
    depth: QueueDepth
    busy_seconds: float = 0.0
    done: float = 0.0

    @property
    def seconds(self) -> float | None:
        """The time of a shard; None while too few are done."""
        done = self.done + self.depth.leased / 2
        if done < _LEAST_DONE:
            return None
        return min(max(self.busy_seconds / done, _SHORTEST_SECONDS), _LONGEST_SECONDS)

    @classmethod
    def begin(cls, depth: QueueDepth, *, now_seconds: float) -> Self:
        """Return what a first look tells: what is leased was half done before."""
        return cls(now_seconds, depth, done=-depth.leased / 2)

    def after(self, depth: QueueDepth, *, now_seconds: float) -> Self:
        """Return what is known after another look."""
        if depth.total > self.depth.total:
            done = self.done + (self.depth.leased - depth.leased) / 2
            return replace(self, at_seconds=now_seconds, depth=depth, done=done)
        busy = self.busy_seconds + self.depth.leased * (now_seconds - self.at_seconds)
        done = self.done + self.depth.total - depth.total
        share = 0.5 if done > _MOST_DONE else 1.0
        return type(self)(now_seconds, depth, busy_seconds=share * busy, done=share * done)
