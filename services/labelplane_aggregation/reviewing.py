"""The stage Review: a round's tasks, and the record that closes the round."""

import asyncio
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.asking_again import Asked, tasks_again
from labelplane_aggregation.inbox import ReviewInbox
from labelplane_aggregation.inbox.tasks import latest_task_keys, open_tasks_of
from labelplane_aggregation.requests import FurtherVotes, ReviewRequest, StageRef
from labelplane_aggregation.rounds import close_round
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.seeds import generator
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, POSTERIORS, RELIABILITIES, SELECTION, TASKS, VOTES, TableManifest, TablePart

__all__ = ["Review", "make_tasks"]


class Review:
    """Asks people about the batch that Select chose."""

    def __init__(self, parts: ServiceParts, inbox: ReviewInbox) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._tables = TableStore(parts.store)
        self._inbox = inbox

    async def run(self, request: ReviewRequest, context: OperationContext) -> Outcome:
        """Write the tasks, open them to people and close the round."""
        index_manifest = await self._tables.read_manifest(request.index_ref, INDEX)
        before = await self._parts_before(request.round_number)
        selection = await self._selection(request.selection_ref)
        numbering = _Numbering(first=sum(part.rows for part in before), round_number=request.round_number)
        index = await self._tables.read_parts(index_manifest.parts, INDEX)
        tasks = make_tasks(selection, request, numbering)
        if request.further is not None:
            again = await self._again(request, request.further, before, index, after=tasks)
            tasks = pa.concat_tables([tasks, again])
        part = await self._tables.write_part(
            self._layout.review_tasks(request.round_number, request.attempt), tasks, TASKS
        )
        tasks = await self._tables.read_part(part.key, TASKS)
        where = (request.round_number, Stage.REVIEW, request.attempt, context.generation)
        manifest = TableManifest.of(TASKS, (*before, part), classes=request.task.classes)
        results = {"tasks": await self._tables.write_manifest(self._layout.round_manifest(*where), manifest)}
        context.check()
        await self._inbox.open_round(request.task, open_tasks_of(tasks, index))
        figures = _figures(tasks)
        await close_round(
            self._store,
            self._layout,
            number=request.round_number,
            task=request.task,
            data_hash=index_manifest.digest,
            stages=request.stages,
            last=(StageRef("Review", context.request_id), results, figures),
        )
        return Outcome(results, figures)

    async def _again(
        self,
        request: ReviewRequest,
        further: FurtherVotes,
        before: list[TablePart],
        index: pa.Table,
        *,
        after: pa.Table,
    ) -> pa.Table:
        """Return the tasks for further votes on items of earlier rounds."""
        asked = Asked(
            index=index,
            tasks=await self._tables.read_parts(before, TASKS),
            votes=await self._tables.read(further.votes_ref, VOTES),
            posteriors=await self._tables.read(further.posteriors_ref, POSTERIORS),
            reliabilities=await self._tables.read(further.reliabilities_ref, RELIABILITIES),
        )
        first = sum(part.rows for part in before) + len(after)
        return await asyncio.to_thread(
            tasks_again, asked, further, first=first, first_rank=len(after), round_number=request.round_number
        )

    async def _parts_before(self, round_number: int) -> list[TablePart]:
        """Return the tasks of earlier rounds."""
        keys = await latest_task_keys(self._store, self._layout)
        return [await self._tables.describe_part(key, TASKS) for number, key in keys.items() if number < round_number]

    async def _selection(self, ref: str) -> pa.Table:
        """Return this round's batch, which is the last part of a selection."""
        manifest = await self._tables.read_manifest(ref, SELECTION)
        return await self._tables.read_parts(manifest.parts[-1:], SELECTION)


@dataclass(frozen=True, slots=True)
class _Numbering:
    """Where a round's task numbers begin; they run on over the rounds."""

    first: int
    round_number: int


def make_tasks(selection: pa.Table, request: ReviewRequest, numbering: _Numbering) -> pa.Table:
    """Return one task for each selected item, best first; a seeded share of them hides the suggestion."""
    count = len(selection)
    rng = generator(request.seed, "review", numbering.round_number)
    hidden = np.zeros(count, dtype=bool)
    hidden[rng.permutation(count)[: round(count * request.suggestion_hidden_share)]] = True
    return pa.table(
        {
            "task_id": pa.array([str(numbering.first + place) for place in range(count)], pa.string()),
            "item_id": selection.column("item_id"),
            "round": pa.array(np.full(count, numbering.round_number), pa.int32()),
            "rank": selection.column("rank"),
            "reason": selection.column("reason"),
            "votes_wanted": pa.array(np.full(count, request.votes_per_item), pa.int32()),
            "suggestion": selection.column("suggestion"),
            "suggestion_hidden": pa.array(hidden),
        },
        schema=TASKS.arrow,
    )


def _figures(tasks: pa.Table) -> dict[str, float]:
    is_again = pc.equal(tasks.column("reason"), "again")
    again = float(pc.sum(is_again).as_py() or 0)
    new = tasks.filter(pc.invert(is_again))
    return {
        "tasks": float(len(tasks)),
        # A further task has the item's earlier votes already and lacks one.
        "votes_wanted": float(pc.sum(new.column("votes_wanted")).as_py() or 0) + again,
        "again_tasks": again,
        "gold_tasks": float(pc.sum(pc.equal(tasks.column("reason"), "gold")).as_py() or 0),
    }
