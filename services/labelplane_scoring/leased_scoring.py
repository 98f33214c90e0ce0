"""What a worker does with a shard: find out whose it is, and score its blocks as the service would."""

import asyncio
import logging
from dataclasses import dataclass, field

from google.protobuf import json_format

from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane_core.errors import DamagedRecord
from labelplane_core.operations import OperationContext, OperationRecord
from labelplane_core.shards import Shard
from labelplane_core.storage import Layout, ObjectStore
from labelplane_scoring.converters import score_request
from labelplane_scoring.scoring_blocks import ScoreBlocks, open_score_blocks
from labelplane_scoring.served.connections import Connections
from labelplane_scoring.shard_plans import ShardPlan

__all__ = ["LeasedScoring"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """One attempt's index and model, which stay open for its further shards."""

    round: int
    attempt: int
    request_id: str
    blocks: ScoreBlocks


@dataclass(slots=True)
class LeasedScoring:
    """The handler of a worker. A shard whose operation is over counts as done: nobody follows what it would write.

    Attributes:
        store: of the job.
        layout: its keys.
        data: the items, read only.
        servers: of inference, where a request names one.
    """

    store: ObjectStore
    layout: Layout
    data: ObjectStore
    servers: Connections
    _open: _Open | None = None
    _looked_at: Shard | None = None
    _is_over: bool = False
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def has_part(self, shard: Shard, block: int) -> bool:
        """Return whether the block is scored already, or need not be."""
        blocks = await self._blocks(shard)
        return blocks is None or await blocks.has_part(shard, block)

    async def process(self, shard: Shard, block: int) -> None:
        """Score one block and write its part."""
        blocks = await self._blocks(shard)
        if blocks is not None:
            await blocks.process(shard, block)

    async def _blocks(self, shard: Shard) -> ScoreBlocks | None:
        """Return what scores the shard, None when its operation is over; it is asked about once a shard."""
        async with self._opening:
            if self._looked_at != shard:
                await self._look(shard)
                self._looked_at = shard
            return None if self._is_over or self._open is None else self._open.blocks

    async def _look(self, shard: Shard) -> None:
        if self._open is not None and (self._open.round, self._open.attempt) != (shard.round, shard.attempt):
            self._open = None  # the last attempt's model leaves memory before another comes
        held = self._open
        request_id = held.request_id if held else (await ShardPlan.read(self.store, self.layout, shard)).request_id
        record = await self._record(request_id)
        self._is_over = record.is_final or record.cancel_requested
        if self._is_over:
            _log.info("shard %s is left: operation %s is over", shard.key, request_id)
        elif held is None:
            self._open = _Open(shard.round, shard.attempt, request_id, await self._opened(record))

    async def _record(self, request_id: str) -> OperationRecord:
        key = self.layout.operation(request_id)
        return OperationRecord.from_json((await self.store.get(key)).data, key=key)

    async def _opened(self, record: OperationRecord) -> ScoreBlocks:
        try:
            message = json_format.Parse(record.request, pb.StartScoreRequest())
        except json_format.ParseError as error:
            raise DamagedRecord(f"operation {record.request_id}: its request cannot be read: {error}") from error
        context = OperationContext(record.request_id, record.takeovers)
        return await open_score_blocks(
            score_request(message),
            store=self.store,
            layout=self.layout,
            data=self.data,
            servers=self.servers,
            context=context,
        )
