"""The stage Aggregate."""

import asyncio
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.inferred import Gold, Inferred
from labelplane_aggregation.inferring import class_counts, infer
from labelplane_aggregation.measuring import agreement_figures, estimated_error, gate_figures
from labelplane_aggregation.predicting import PredictionTable, read_predictions
from labelplane_aggregation.preparing.gold import AUDIT, GATE
from labelplane_aggregation.requests import AggregateRequest
from labelplane_aggregation.rule_diagnostics import diagnose_rules
from labelplane_aggregation.source_voting import read_annotators
from labelplane_aggregation.sources import Diagnosed
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, POSTERIORS, RELIABILITIES, RULE_DIAGNOSTICS, VOTES

__all__ = ["Aggregate"]

_NAMES = 10


class Aggregate:
    """Infers posteriors and reliabilities from all votes.

    Gate gold that was voted on is held at its class, so it teaches the annotators' reliabilities. Audit gold is an item
    like any other: it reports, and must not help itself.
    """

    def __init__(self, parts: ServiceParts) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._tables = TableStore(parts.store)

    async def run(self, request: AggregateRequest, context: OperationContext) -> Outcome:
        """Infer, write both tables and measure."""
        index = await self._tables.read(request.index_ref, INDEX)
        votes_manifest = await self._tables.read_manifest(request.votes_ref, VOTES)
        votes = await self._tables.read_parts(votes_manifest.parts, VOTES)
        classes = request.task.classes
        predictions = await read_predictions(self._tables, request.predictions, n_classes=len(classes))
        context.check()
        gate = Gold.of(index, GATE)
        run = partial(infer, votes, request.task, request.inference, gold=gate, predictions=predictions)
        inferred = await asyncio.to_thread(run)
        measured = await asyncio.to_thread(_measured_by_gold, votes, request, gate, predictions)
        context.check()
        measured |= await asyncio.to_thread(agreement_figures, votes, request.task)
        context.check()
        results = {
            "posteriors": await self._write(request, inferred, context, is_main=True),
            "reliabilities": await self._write(request, inferred, context, is_main=False),
        }
        if inferred.choice:
            results["choice"] = inferred.choice
        annotators = await read_annotators(self._store, self._layout, votes_manifest)
        if annotators:
            diagnosed = await asyncio.to_thread(
                diagnose_rules, votes, annotators, classes=classes, posteriors=inferred.posteriors, gate=gate
            )
            results |= await self._write_diagnostics(request, diagnosed, context)
            measured |= _rule_figures(diagnosed, n_items=len(index))
        return Outcome(results, _figures(inferred, index, classes) | measured)

    async def _write_diagnostics(
        self, request: AggregateRequest, diagnosed: Diagnosed, context: OperationContext
    ) -> dict[str, str]:
        where = (request.round_number, Stage.AGGREGATE, request.attempt)
        ref = await self._tables.write_table(
            diagnosed.table,
            RULE_DIAGNOSTICS,
            part_key=self._layout.round_table(*where, RULE_DIAGNOSTICS.name),
            manifest_key=self._layout.round_file(*where, f"rule-diagnostics-{context.generation:04d}.json"),
            classes=request.task.classes,
        )
        results = {"rule_diagnostics": ref}
        if diagnosed.silent:
            results["silent"] = _some(diagnosed.silent)
        return results

    async def _write(
        self, request: AggregateRequest, inferred: Inferred, context: OperationContext, *, is_main: bool
    ) -> str:
        schema, table = (POSTERIORS, inferred.posteriors) if is_main else (RELIABILITIES, inferred.reliabilities)
        where = (request.round_number, Stage.AGGREGATE, request.attempt)
        manifest = self._layout.round_manifest(*where, context.generation)
        if not is_main:
            manifest = self._layout.round_file(*where, f"reliabilities-{context.generation:04d}.json")
        return await self._tables.write_table(
            table,
            schema,
            part_key=self._layout.round_table(*where, schema.name),
            manifest_key=manifest,
            classes=request.task.classes,
        )


def _measured_by_gold(
    votes: pa.Table, request: AggregateRequest, gate: Gold, predictions: PredictionTable | None
) -> dict[str, float]:
    """Return how often the votes get gate gold right when it is not held at its class; nothing without such items."""
    if not len(gate):
        return {}
    free = infer(votes, request.task, request.inference, predictions=predictions)
    judged = free.posteriors
    if len(free.asked):
        # What rules alone say of gold tells nothing of the labels that people have decided.
        judged = judged.filter(pc.is_in(judged.column("item_id"), value_set=free.asked))
    return gate_figures(judged, gate, classes=request.task.classes, minimums=request.class_minimums)


def _rule_figures(diagnosed: Diagnosed, *, n_items: int) -> dict[str, float]:
    counts = {
        "rule_coverage": diagnosed.covered,
        "rule_overlap": diagnosed.overlapping,
        "rule_conflict": diagnosed.conflicting,
    }
    shares = {name: count / max(n_items, 1) for name, count in counts.items()}
    return shares | {"silent_rules": float(len(diagnosed.silent))}


def _some(names: list[str]) -> str:
    """Return names as a sentence has them, bounded: a result of an operation stands in the job's status."""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _figures(inferred: Inferred, index: pa.Table, classes: tuple[str, ...]) -> dict[str, float]:
    gold_ids = pa.concat_arrays([Gold.of(index, role).item_ids for role in (GATE, AUDIT)])
    figures = {
        "labelled": float(len(inferred.asked)),
        "voted": float(len(inferred.posteriors)),
        "min_class_count": float(class_counts(inferred.posteriors, classes, leave_out=gold_ids).min()),
        "iterations": float(inferred.iterations),
        "converged": float(inferred.has_converged),
        "log_likelihood": inferred.log_likelihood,
        "objective": inferred.objective,
    }
    figures |= {f"weight_{model}": weight for model, weight in inferred.weights.items()}
    error = estimated_error(inferred.posteriors, leave_out=gold_ids)
    return figures if error is None else figures | {"estimated_error": error}
