"""How the blocks of one Score are cut into shards: decided once, kept in the store, followed by every process."""

import json
from dataclasses import dataclass
from typing import Final, Self

from labelplane_core.errors import DamagedRecord
from labelplane_core.shards import Shard, Stage, blocks_per_shard
from labelplane_core.storage import Layout, ObjectStore, put_once

__all__ = ["ShardPlan", "largest_size", "plan_size"]

_FORM: Final = 1
_FILE: Final = "shards.json"
_FEWEST_SHARDS: Final = 16
"""Shards are not made so long that fewer than this many workers could share the blocks."""
_MOST_BLOCKS: Final = 32


def largest_size(n_blocks: int) -> int:
    """Return how many blocks a shard may have, so that there are enough shards to share."""
    return min(max(1, n_blocks // _FEWEST_SHARDS), _MOST_BLOCKS)


def plan_size(seconds_per_block: float, *, n_blocks: int) -> int:
    """Return how many blocks make a shard: about ten seconds of work, and enough shards to share."""
    return min(blocks_per_shard(max(seconds_per_block, 1e-3)), largest_size(n_blocks))


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What workers know of the Score that a shard belongs to.

    Attributes:
        request_id: of its operation, whose record holds the request.
        blocks_per_shard: how many blocks a shard has at most.
    """

    request_id: str
    blocks_per_shard: int

    @staticmethod
    def key(layout: Layout, round_number: int, attempt: int) -> str:
        """Return where the plan of one attempt lies."""
        return layout.round_file(round_number, Stage.SCORE, attempt, _FILE)

    @classmethod
    async def read(cls, store: ObjectStore, layout: Layout, shard: Shard) -> Self:
        """Return the plan that a shard was cut by.

        Raises:
            ObjectNotFound: there is none.
            DamagedRecord: it cannot be read.
        """
        key = cls.key(layout, shard.round, shard.attempt)
        return cls._from_json((await store.get(key)).data, key=key)

    async def keep(self, store: ObjectStore, layout: Layout, *, round_number: int, attempt: int) -> Self:
        """Store the plan unless there is one, and return the one that stands: a resume cuts no other way."""
        key = self.key(layout, round_number, attempt)
        record = {"form": _FORM, "request_id": self.request_id, "blocks_per_shard": self.blocks_per_shard}
        if await put_once(store, key, json.dumps(record, indent=1).encode() + b"\n"):
            return self
        return self._from_json((await store.get(key)).data, key=key)

    @classmethod
    def _from_json(cls, data: bytes, *, key: str) -> Self:
        try:
            record = json.loads(data)
            plan = cls(str(record["request_id"]), int(record["blocks_per_shard"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedRecord(f"{key}: not a plan of shards: {error!r}") from error
        if record.get("form") != _FORM:
            raise DamagedRecord(f"{key}: not a plan of shards of form {_FORM}")
        return plan
