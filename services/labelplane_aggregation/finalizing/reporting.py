"""The report of a job: what is read for it, and the page it becomes."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import yaml

from labelplane_aggregation.finalizing.labels import AllLabels
from labelplane_aggregation.inferred import Inferred
from labelplane_aggregation.requests import FinalizeRequest, RoundRefs
from labelplane_aggregation.rounds import (
    RoundRecord,
    StageRecord,
    package_versions,
    read_round_records,
    read_stage,
    round_refs,
)
from labelplane_core.errors import BadItem, ObjectNotFound
from labelplane_core.items import ItemReader
from labelplane_core.process import ServiceParts
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, ITEM_ERRORS, POSTERIORS, SCORES, current_votes, is_by_people, read_table
from labelplane_report import (
    Cost,
    JobFacts,
    Preview,
    Provenance,
    ReportData,
    ReportTables,
    RoundTables,
    StageRow,
    Stop,
    build_report,
    hardest_item_ids,
    item_preview,
)

__all__ = ["Reporter"]


class Reporter:
    """Reads what the report shows and builds its data."""

    def __init__(self, parts: ServiceParts) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._data = parts.data
        self._clock = parts.clock
        self._tables = TableStore(parts.store)

    async def build(
        self,
        request: FinalizeRequest,
        index: pa.Table,
        votes: pa.Table,
        *,
        labels: AllLabels,
        inferred: Inferred,
        truth: Mapping[str, str] | None,
        rules: pa.Table | None = None,
    ) -> ReportData:
        """Return the data of the report; `truth` is class by item id, where it is known, `rules` their diagnostics.

        The request names the last rounds only; those before are found by their records.
        """
        first = request.rounds[0].number if request.rounds else request.round_number
        earlier = await read_round_records(self._store, self._layout, range(first))
        given = await read_round_records(self._store, self._layout, (each.number for each in request.rounds))
        closed = [*earlier, *given]
        all_rounds = (*(round_refs(record) for record in earlier), *request.rounds)
        rounds = [await self._round(each, closed) for each in all_rounds if each.posteriors_ref]
        tables = ReportTables(
            index=index,
            votes=current_votes(votes),
            labels=labels.measured,
            reliabilities=inferred.reliabilities,
            item_errors=await self._item_errors(),
            rules=rules,
            choice=inferred.choice,
        )
        by_people = tables.votes.filter(is_by_people(tables.votes))
        return await asyncio.to_thread(
            build_report,
            _job_facts(request, now=self._clock.now()),
            tables,
            rounds=rounds,
            stop=Stop(request.provenance.stop_reason, request.provenance.stop_message),
            cost=_cost(request, votes=len(by_people)),
            truth=truth,
            previews=await self._previews(request, index, labels.measured),
            provenance=await self._provenance(request, closed),
        )

    async def _round(self, refs: RoundRefs, closed: Sequence[RoundRecord]) -> RoundTables:
        scores = await self._tables.read(refs.scores_ref, SCORES) if refs.scores_ref else None
        select = next((each.stages.get("Select") for each in closed if each.number == refs.number), None)
        return RoundTables(
            number=refs.number,
            votes=refs.votes,
            posteriors=await self._tables.read(refs.posteriors_ref, POSTERIORS),
            scores=None if scores is None else scores.select(["item_id", "logits"]),
            strategy="" if select is None else str(select.request.get("strategy", "")),
        )

    async def _item_errors(self) -> pa.Table | None:
        key = self._layout.index_errors
        try:
            stored = await self._store.get(key)
        except ObjectNotFound:
            return None
        table = await asyncio.to_thread(read_table, stored.data, ITEM_ERRORS, key=key)
        return table if len(table) else None

    async def _previews(self, request: FinalizeRequest, index: pa.Table, labels: pa.Table) -> dict[str, Preview]:
        """Return what shows the hardest items; one that has become unreadable is shown by its id."""
        gold = index.filter(pa.array([bool(role) for role in index.column("gold_role").to_pylist()]))
        wanted = hardest_item_ids(labels, leave_out=gold.column("item_id").combine_chunks())
        places = {item_id: row for row, item_id in enumerate(index.column("item_id").to_pylist())}
        rows = index.take(pa.array([places[item_id] for item_id in wanted], pa.int64()))
        try:
            raws = await ItemReader(self._data, request.task.kind).read_raw(rows)
        except ObjectNotFound:
            return {}
        return await asyncio.to_thread(_shown, request, wanted, raws)

    async def _provenance(self, request: FinalizeRequest, closed: Sequence[RoundRecord]) -> Provenance:
        index = await self._tables.read_manifest(request.index_ref, INDEX)
        current = {each.stage: await read_stage(self._store, self._layout, each.request_id) for each in request.stages}
        return Provenance(
            job_yaml=request.provenance.job_yaml,
            data_hash=index.digest,
            model_digest=request.model_ref.rstrip("/").rsplit("/", 1)[-1],
            seeds={"run": request.inference.seed},
            versions=package_versions(),
            stages=(
                *(row for record in closed for row in _stage_rows(record.number, record.stages)),
                *_stage_rows(request.round_number, current),
            ),
        )


def _stage_rows(number: int, stages: Mapping[str, StageRecord]) -> list[StageRow]:
    return [StageRow(number, stage, record.request_id, record.seconds) for stage, record in stages.items()]


def _shown(request: FinalizeRequest, item_ids: Sequence[str], raws: Sequence[bytes | str]) -> dict[str, Preview]:
    previews = {}
    for item_id, raw in zip(item_ids, raws, strict=True):
        try:
            previews[item_id] = item_preview(request.task.kind, raw)
        except BadItem:
            continue
    return previews


def _cost(request: FinalizeRequest, *, votes: int) -> Cost:
    given = request.provenance
    return Cost(
        votes=votes,
        money=given.money,
        currency=given.currency,
        cpu_seconds=given.cpu_seconds,
        gpu_seconds=given.gpu_seconds,
        prices={"vote": given.price_per_vote} if given.price_per_vote else {},
    )


def _job_facts(request: FinalizeRequest, *, now: datetime) -> JobFacts:
    job = _job_fields(request.provenance.job_yaml)
    target = job.get("spec", {}).get("stop", {}).get("targetAccuracy")
    return JobFacts(
        name=str(job.get("metadata", {}).get("name", "")) or "labels",
        task_type=request.task.kind.type_name,
        classes=request.task.classes,
        created=now,
        target=target if isinstance(target, float) else None,
        panels=request.task.kind.report_panels,
    )


def _job_fields(text: str) -> dict[str, Any]:
    """Return the job's fields; nothing when the text was cut at its bound and is no YAML any more."""
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return fields if isinstance(fields, dict) else {}
