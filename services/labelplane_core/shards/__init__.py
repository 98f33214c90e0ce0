"""Blocks of items, shards of blocks, and the loop that works them off a queue."""

from typing import TYPE_CHECKING, Any

from labelplane_core.shards.shard import BLOCK_SIZE, Shard, Stage, block_of, blocks_per_shard, n_blocks, plan_shards

if TYPE_CHECKING:
    from labelplane_core.shards.worker import BlockHandler, WorkReport, work

__all__ = [
    "BLOCK_SIZE",
    "BlockHandler",
    "Shard",
    "Stage",
    "WorkReport",
    "block_of",
    "blocks_per_shard",
    "n_blocks",
    "plan_shards",
    "work",
]


def __getattr__(name: str) -> Any:
    """Import the worker when it is first asked for: it needs the queue, which needs this package's shards."""
    if name in {"BlockHandler", "WorkReport", "work"}:
        from labelplane_core.shards import worker

        return getattr(worker, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
