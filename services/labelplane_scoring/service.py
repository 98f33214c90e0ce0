"""The stages Score and Select."""

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.errors import InvalidInput
from labelplane_core.features import InputKind, InputSpec
from labelplane_core.items import ItemReader
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.review_shares import ReviewShares
from labelplane_core.seeds import generator
from labelplane_core.shards import Stage, plan_shards, work_in_process
from labelplane_core.table_store import TableStore
from labelplane_core.tables import (
    INDEX,
    SCORES,
    SELECTION,
    VOTES,
    TableManifest,
    TablePart,
    current_votes,
    is_by_people,
    is_by_rules,
)
from labelplane_core.tasks import Modality
from labelplane_scoring.distributed import DistributedScoring
from labelplane_scoring.errors import BadProbabilitiesError, ScoringError
from labelplane_scoring.requests import ScoreRequest, SelectRequest
from labelplane_scoring.rule_review import due_rows
from labelplane_scoring.scoring_blocks import ScoreBlocks, open_score_blocks
from labelplane_scoring.selecting import (
    Pool,
    Rows,
    assemble,
    bound_pool,
    candidates_from_scores,
    draw,
    pick,
    plan_batch,
    pool_of,
)
from labelplane_scoring.served.connections import Connections
from labelplane_scoring.stability import prediction_stability
from labelplane_scoring.strategies import Candidates, DensityWeighted, Strategy, make_strategy

__all__ = ["ScoringService"]

COLD_START_POOL = 20_000
"""Items whose raw features a cold start looks at: more would cost decoding and change the picks little."""


class ScoringService:
    """Runs the standing model over the items and chooses those that people should see next."""

    def __init__(self, parts: ServiceParts) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._data = parts.data
        self._clock = parts.clock
        self._open_queue = parts.open_queue
        self._tables = TableStore(parts.store)
        self._servers = Connections(parts.clock)

    # -- Score ----------------------------------------------------------------------------------------------------

    async def score(self, request: ScoreRequest, context: OperationContext) -> Outcome:
        """Score every block of the index and compare with the last scores."""
        began = self._clock.monotonic()
        blocks = await open_score_blocks(
            request,
            store=self._store,
            layout=self._layout,
            data=self._data,
            servers=self._servers,
            context=context,
        )
        try:
            parts = await self._parts(request, blocks, context)
        finally:
            await blocks.inference.close()
        manifest = TableManifest.of(SCORES, parts, classes=request.classes, block_size=blocks.index.block_size)
        key = self._layout.round_manifest(request.round_number, Stage.SCORE, request.attempt, context.generation)
        ref = await self._tables.write_manifest(key, manifest)
        figures = await self._score_figures(ref, request.previous_scores_ref)
        seconds = max(self._clock.monotonic() - began, 1e-9)
        return Outcome({"scores": ref}, figures | {"items_per_second": manifest.rows / seconds})

    async def _parts(
        self, request: ScoreRequest, blocks: ScoreBlocks, context: OperationContext
    ) -> Sequence[TablePart]:
        """Have every block scored, by workers where there are any, and return the parts in the order of the index."""
        if self._open_queue is not None:
            queue = self._open_queue(Stage.SCORE)
            return await DistributedScoring(queue, blocks, clock=self._clock).run(request, context)
        shards = plan_shards(
            blocks.index.blocks, stage=Stage.SCORE, round_number=request.round_number, attempt=request.attempt
        )
        await work_in_process(shards, blocks, clock=self._clock)
        return [await blocks.part(shard, block) for shard in shards for block in shard.blocks]

    async def _score_figures(self, ref: str, previous_ref: str) -> dict[str, float]:
        scores = await self._tables.read(ref, SCORES)
        figures = {"items": float(len(scores)), "mean_entropy": float(pc.mean(scores.column("entropy")).as_py() or 0.0)}
        if not previous_ref:
            return figures
        previous = await self._tables.read(previous_ref, SCORES)
        stability = prediction_stability(_strings(previous, "prediction"), _strings(scores, "prediction"))
        return figures | {"agreement": stability.equal_share, "kappa": stability.kappa}

    # -- Select ---------------------------------------------------------------------------------------------------

    async def select(self, request: SelectRequest, context: OperationContext) -> Outcome:
        """Choose the batch and write it after the batches of earlier rounds."""
        index = await self._tables.read(request.index_ref, INDEX)
        before = await self._selected_before(request.previous_selection_ref)
        pool = pool_of(index, await self._asked_ids(before, request.votes_ref))
        selection = await self._choose(request, index, pool, await self._due(request, index, pool))
        layout, where = self._layout, (request.round_number, Stage.SELECT, request.attempt)
        ref = await self._tables.write_table(
            selection,
            SELECTION,
            part_key=layout.round_table(*where, "selection"),
            manifest_key=layout.round_manifest(*where, context.generation),
            before=() if before is None else before.parts,
        )
        counts = {
            reason: float(pc.sum(pc.equal(selection.column("reason"), reason)).as_py() or 0)
            for reason in ("gold", "check", "rule")
        }
        return Outcome(
            {"selection": ref},
            counts | {"selected": float(len(selection)), "candidates": float(len(pool.open))},
        )

    async def _due(self, request: SelectRequest, index: pa.Table, pool: Pool) -> Rows:
        """Return the rows that people are to look at because of a rule, in order."""
        if not request.review_shares_ref:
            return np.empty(0, np.int64)
        stored = await self._store.get(request.review_shares_ref)
        shares = ReviewShares.from_json(stored.data, key=request.review_shares_ref).by_rule
        votes = current_votes(await self._tables.read(request.votes_ref, VOTES))
        item_ids = index.column("item_id").combine_chunks()
        by_rules = votes.filter(is_by_rules(votes))
        return await asyncio.to_thread(due_rows, by_rules, shares, item_ids, pool.open, seed=request.seed)

    async def _choose(self, request: SelectRequest, index: pa.Table, pool: Pool, due: Rows) -> pa.Table:
        rng = generator(request.seed, "select", request.round_number)
        shares = {"gold_share": request.gold_share, "check_share": request.check_share}
        plan = plan_batch(request.batch_size, pool, **shares, due=len(due))
        gold_rows, check_rows = draw(pool.gold, plan.gold, rng=rng), draw(pool.open, plan.check, rng=rng)
        rule_rows = due[~np.isin(due, check_rows)][: plan.rule]
        rows = np.setdiff1d(pool.open, np.concatenate([check_rows, rule_rows]), assume_unique=True)
        scores = await self._tables.read(request.scores_ref, SCORES) if request.scores_ref else None
        asked = np.setdiff1d(np.arange(len(index)), np.concatenate([pool.open, pool.gold]), assume_unique=True)
        rows, candidates = await self._candidates(request, index, scores, rows, asked, rng=rng)
        strategy = _strategy(request)
        try:
            picked = await asyncio.to_thread(pick, strategy, candidates, plan.strategy, rng=rng)
        except ScoringError as error:
            raise _refused(error, rows, index) from error
        return assemble(
            index.column("item_id"),
            picked=picked,
            picked_rows=rows[picked.indices],
            gold_rows=gold_rows,
            check_rows=check_rows,
            rule_rows=rule_rows,
            suggestions=None if scores is None else scores.column("prediction"),
            is_cold_start=scores is None,
        )

    async def _candidates(
        self,
        request: SelectRequest,
        index: pa.Table,
        scores: pa.Table | None,
        rows: Rows,
        asked: Rows,
        *,
        rng: np.random.Generator,
    ) -> tuple[Rows, Candidates]:
        """Return the rows that the strategy chooses from, and what it knows of them."""
        if len(rows) == 0:
            return rows, Candidates(size=0)
        if scores is not None:
            _check_order(index, scores)
            margins = scores.column("margin").to_numpy()[rows]
            rows = bound_pool(rows, margins, request.candidate_pool, rng=rng)
            return rows, await asyncio.to_thread(candidates_from_scores, scores, rows, asked)
        if request.strategy == "Random":
            return rows, Candidates(size=len(rows))
        rows = np.sort(draw(rows, min(COLD_START_POOL, request.candidate_pool), rng=rng))
        items = await ItemReader(self._data, request.kind).read(index.take(pa.array(rows)))
        features = await asyncio.to_thread(_raw_spec(request.kind.modality).encode, items)
        return rows, Candidates(embeddings=features)

    async def _selected_before(self, ref: str) -> TableManifest | None:
        return await self._tables.read_manifest(ref, SELECTION) if ref else None

    async def _asked_ids(self, before: TableManifest | None, votes_ref: str) -> pa.ChunkedArray:
        """Return the ids of items that people were asked about or have voted on; votes of rules ask nobody."""
        asked = await self._tables.read_parts(before.parts if before else (), SELECTION)
        votes = await self._tables.read(votes_ref, VOTES) if votes_ref else VOTES.empty()
        voted = votes.filter(is_by_people(votes))
        return pa.chunked_array(asked.column("item_id").chunks + voted.column("item_id").chunks, pa.string())


def _strategy(request: SelectRequest) -> Strategy:
    if request.strategy == DensityWeighted.name:
        return DensityWeighted(beta=request.density_weight)
    return make_strategy(request.strategy)


def _raw_spec(modality: Modality) -> InputSpec:
    """Return how a cold start sees items, before any model."""
    if modality is Modality.TEXT:
        return InputSpec(kind=InputKind.HASHED_NGRAMS, dims=1024)
    return InputSpec(kind=InputKind.PIXELS, height=16, width=16, channels=3)


def _refused(error: ScoringError, rows: Rows, index: pa.Table) -> InvalidInput:
    """Return an algorithm's complaint as the caller's, naming the item where it has a row."""
    if isinstance(error, BadProbabilitiesError):
        item_id = index.column("item_id")[int(rows[error.row])].as_py()
        return InvalidInput(f"item {item_id}: {error}")
    return InvalidInput(str(error))


def _check_order(index: pa.Table, scores: pa.Table) -> None:
    if index.column("item_id") != scores.column("item_id"):
        raise InvalidInput("the scores are not those of this index: score it again")


def _strings(table: pa.Table, column: str) -> npt.NDArray[np.object_]:
    return np.asarray(table.column(column).to_pylist(), dtype=object)
