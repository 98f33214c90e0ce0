"""Scoring a block: the handler that the shard worker calls."""

import asyncio
from dataclasses import dataclass, field

from labelplane_core.errors import InvalidInput
from labelplane_core.features import InputSpec
from labelplane_core.items import ItemReader
from labelplane_core.models import OnnxModel, StoredModel, read_model
from labelplane_core.operations import OperationContext
from labelplane_core.shards import Shard
from labelplane_core.storage import Layout, ObjectStore
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, SCORES, TableManifest, TablePart
from labelplane_scoring.inference import BlockInference, InProcessInference, score_rows
from labelplane_scoring.requests import ScoreRequest
from labelplane_scoring.served.connections import Connections
from labelplane_scoring.threads import thread_count

__all__ = ["ScoreBlocks", "open_score_blocks"]


@dataclass(slots=True)
class ScoreBlocks:
    """Scores the blocks of one index with one model; `parts` fills as they are done.

    Several blocks may be processed at once: the model is run over one of them while others are fetched and written.
    """

    store: ObjectStore
    layout: Layout
    tables: TableStore
    items: ItemReader
    index: TableManifest
    inference: BlockInference
    classes: tuple[str, ...]
    context: OperationContext
    parts: dict[int, TablePart] = field(default_factory=dict)

    async def has_part(self, shard: Shard, block: int) -> bool:
        """Return whether the block was scored before, by this attempt's earlier owner or by another worker."""
        return await self.store.exists(self._key(shard, block))

    async def process(self, shard: Shard, block: int) -> None:
        """Score one block and write its part."""
        self.context.check()
        rows = await self.tables.read_part(self._index_key(block), INDEX)
        items = await self.items.read(rows)
        output = await self.inference.infer(items)
        table = await asyncio.to_thread(score_rows, rows, output, self.classes)
        self.parts[block] = await self.tables.write_part(self._key(shard, block), table, SCORES, block=block)
        self.context.progress(sum(part.rows for part in self.parts.values()), self.index.rows, "items")

    async def part(self, shard: Shard, block: int) -> TablePart:
        """Return the part of a block that is done."""
        if block not in self.parts:
            self.parts[block] = await self.tables.describe_part(self._key(shard, block), SCORES, block=block)
        return self.parts[block]

    def _index_key(self, block: int) -> str:
        return next(part.key for part in self.index.parts if part.block == block)

    def _key(self, shard: Shard, block: int) -> str:
        return self.layout.round_part(shard.round, shard.stage, shard.attempt, block)


async def open_score_blocks(
    request: ScoreRequest,
    *,
    store: ObjectStore,
    layout: Layout,
    data: ObjectStore,
    servers: Connections,
    context: OperationContext,
) -> ScoreBlocks:
    """Read index and model of a request, and make the model ready where it is to run.

    Raises:
        InvalidInput: the model knows other classes than the task.
        ServingError: the request's server does not offer the model.
    """
    tables = TableStore(store)
    index = await tables.read_manifest(request.index_ref, INDEX)
    model = await read_model(store, request.model_ref)
    if model.card.classes != request.classes:
        raise InvalidInput(
            f"model {request.model_ref} was trained for classes {list(model.card.classes)}, "
            f"the task has {list(request.classes)}: train a new one"
        )
    return ScoreBlocks(
        store=store,
        layout=layout,
        tables=tables,
        items=ItemReader(data, request.kind),
        index=index,
        inference=await _inference(request, model, servers, context),
        classes=request.classes,
        context=context,
    )


async def _inference(
    request: ScoreRequest, model: StoredModel, servers: Connections, context: OperationContext
) -> BlockInference:
    if request.serving is not None:
        return await servers.open(request.serving, model, context)
    threads = 1 if request.is_deterministic else thread_count()
    backend = await asyncio.to_thread(OnnxModel, model.card, model.onnx, threads=threads)
    return InProcessInference(backend, InputSpec.from_json(model.card.input))
