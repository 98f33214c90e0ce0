"""The stage Finalize."""

import asyncio
import io
from collections.abc import Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.finalizing.labels import AllLabels, label_everything
from labelplane_aggregation.finalizing.reporting import Reporter
from labelplane_aggregation.inferred import Gold, Inferred
from labelplane_aggregation.inferring import infer
from labelplane_aggregation.predicting import PredictionTable, read_predictions
from labelplane_aggregation.preparing.gold import GATE
from labelplane_aggregation.preparing.truth import read_truth
from labelplane_aggregation.requests import FinalizeRequest, StageRef
from labelplane_aggregation.rounds import close_round
from labelplane_aggregation.rule_diagnostics import diagnose_rules
from labelplane_aggregation.source_voting import read_annotators
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, LABELS, VOTES, TableManifest
from labelplane_report import ReportData, export_format, export_table, render_html
from labelplane_report.data import LabelState

__all__ = ["Finalize"]


class Finalize:
    """Aggregates a last time, labels every item and writes what the job hands over."""

    def __init__(self, parts: ServiceParts) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._data = parts.data
        self._tables = TableStore(parts.store)
        self._reporter = Reporter(parts)

    async def run(self, request: FinalizeRequest, context: OperationContext) -> Outcome:
        """Write labels, exports, report and the record of the last round."""
        index_manifest = await self._tables.read_manifest(request.index_ref, INDEX)
        index = await self._tables.read_parts(index_manifest.parts, INDEX)
        votes_manifest = await self._tables.read_manifest(request.votes_ref, VOTES)
        votes = await self._tables.read_parts(votes_manifest.parts, VOTES)
        inferred, labels = await self._conclude(request, index, votes)
        context.check()
        results = {"labels": await self._write_labels(request, labels, context)}
        results |= await self._export(request, index, labels.published)
        truth = await self._truth(request)
        rules = await self._diagnose(request, index, votes_manifest, votes, inferred)
        data = await self._reporter.build(
            request, index, votes, labels=labels, inferred=inferred, truth=truth, rules=rules
        )
        context.check()
        results["report"] = await self._write_report(data)
        figures = _figures(labels, data)
        await close_round(
            self._store,
            self._layout,
            number=request.round_number,
            task=request.task,
            data_hash=index_manifest.digest,
            stages=request.stages,
            last=(StageRef("Finalize", context.request_id), results, figures),
        )
        return Outcome(results, figures)

    async def _conclude(self, request: FinalizeRequest, index: pa.Table, votes: pa.Table) -> tuple[Inferred, AllLabels]:
        classes = request.task.classes
        predictions: PredictionTable | None = await read_predictions(
            self._tables, request.predictions, n_classes=len(classes)
        )
        gate = Gold.of(index, GATE)
        inferred = await asyncio.to_thread(
            partial(infer, votes, request.task, request.inference, gold=gate, predictions=predictions)
        )
        labels = await asyncio.to_thread(
            partial(
                label_everything,
                index,
                inferred,
                classes=classes,
                predictions=predictions,
                acceptance=request.acceptance,
            )
        )
        return inferred, labels

    async def _diagnose(
        self,
        request: FinalizeRequest,
        index: pa.Table,
        votes_manifest: TableManifest,
        votes: pa.Table,
        inferred: Inferred,
    ) -> pa.Table | None:
        annotators = await read_annotators(self._store, self._layout, votes_manifest)
        if not annotators:
            return None
        diagnosed = await asyncio.to_thread(
            diagnose_rules,
            votes,
            annotators,
            classes=request.task.classes,
            posteriors=inferred.posteriors,
            gate=Gold.of(index, GATE),
        )
        return diagnosed.table

    async def _write_labels(self, request: FinalizeRequest, labels: AllLabels, context: OperationContext) -> str:
        where = (request.round_number, Stage.FINALIZE, request.attempt)
        return await self._tables.write_table(
            labels.published,
            LABELS,
            part_key=self._layout.round_table(*where, "labels"),
            manifest_key=self._layout.round_manifest(*where, context.generation),
            classes=request.task.classes,
        )

    async def _export(self, request: FinalizeRequest, index: pa.Table, labels: pa.Table) -> dict[str, str]:
        """Write the labels in every format that the job asks for."""
        table = await asyncio.to_thread(
            partial(export_table, labels, index, metadata_fields=request.dataset.metadata_fields)
        )
        results = {}
        for name in request.formats:
            chosen = export_format(name)
            sink = io.BytesIO()
            await asyncio.to_thread(chosen.write, table, sink)
            key = self._layout.export(f"labels{chosen.suffix}")
            await self._store.put(key, sink.getvalue())
            results[f"export_{chosen.name}"] = key
        return results

    async def _truth(self, request: FinalizeRequest) -> Mapping[str, str] | None:
        """Return the truth, which the report alone reads."""
        field = request.provenance.truth_field
        if not field:
            return None
        return (await read_truth(self._data, request.task, request.dataset, field=field)).classes

    async def _write_report(self, data: ReportData) -> str:
        page = await asyncio.to_thread(render_html, data)
        await self._store.put(self._layout.report, page.encode())
        return self._layout.report


def _figures(labels: AllLabels, data: ReportData) -> dict[str, float]:
    states = labels.published.column("state")
    figures = {state.value: float(pc.sum(pc.equal(states, state.value)).as_py() or 0) for state in LabelState}
    if data.audit is not None:
        interval = data.audit.interval
        figures |= {"audit_accuracy": data.audit.share, "audit_low": interval.low, "audit_high": interval.high}
    if data.accuracy is not None:
        figures["truth_accuracy"] = data.accuracy.overall.share
    if labels.threshold is not None:
        figures |= {"threshold": labels.threshold.confidence, "risk_bound": labels.threshold.risk_bound}
    return figures
