"""The work queue: shards are put, leased, and acknowledged once their parts are in the store."""

from labelplane_core.queue.memory import MemoryQueue
from labelplane_core.queue.queue import DeadLetter, Depth, Lease, QueueLimits, WorkQueue

__all__ = ["DeadLetter", "Depth", "Lease", "MemoryQueue", "QueueLimits", "WorkQueue"]
