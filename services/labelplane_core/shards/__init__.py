"""Blocks of items, shards of blocks, and the loop that works them off a queue."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from labelplane_core.shards.shard import BLOCK_SIZE, Shard, Stage, block_of, blocks_per_shard, n_blocks, plan_shards

if TYPE_CHECKING:
    from labelplane_core.shards.in_process import require_none_dead, work_in_process
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
    "require_none_dead",
    "work",
    "work_in_process",
]

_HOMES = {
    "BlockHandler": "worker",
    "WorkReport": "worker",
    "require_none_dead": "in_process",
    "work": "worker",
    "work_in_process": "in_process",
}


def __getattr__(name: str) -> Any:
    """Import what works on shards when it is first asked for: it needs the queue, which needs this package's shards."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
