"""The stage Train: teacher, student, measurement, export."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from labelplane_core.features import InputSpec
from labelplane_core.items import ItemReader
from labelplane_core.models import StoredModel, TrainedOn, write_model
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.seeds import generator
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import PREDICTIONS, from_matrix
from labelplane_distillation.checkpoints import StoredCheckpoints
from labelplane_distillation.encoders import (
    Encoder,
    LearnerParts,
    find_encoder,
    make_learner,
    require_encoder,
)
from labelplane_distillation.export import ModelFacts, package_model
from labelplane_distillation.handover.taking import ModelTaking
from labelplane_distillation.items import MAX_LABELLED_BYTES, IndexedItems, most_items
from labelplane_distillation.learning import Hooks, Learner, NetworkSettings
from labelplane_distillation.measure import accuracy
from labelplane_distillation.measuring import measure_student
from labelplane_distillation.reading import choose_input, read_items
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems
from labelplane_distillation.stages import Course, Taught, distil, teach

__all__ = ["DistillationService"]

_SAMPLE_ITEMS = 64
_VERIFIED_ITEMS = 64
_INFERENCE_BATCH = 256


@dataclass(frozen=True, slots=True)
class _Network:
    """One of the two networks on its way: how it is called, how items are encoded for it, and what trains it."""

    role: str
    settings: NetworkSettings
    spec: InputSpec
    learner: Learner


class DistillationService:
    """Trains a teacher on posteriors and distils it into a student.

    Args:
        parts: stores, operations and time.
        threads: threads of numeric libraries while nothing else is asked for; 0 leaves their own choice.
    """

    def __init__(self, parts: ServiceParts, *, threads: int = 0) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._data = parts.data
        self._tables = TableStore(parts.store)
        self._threads = threads
        self._taking = ModelTaking(parts)

    async def train(self, request: TrainRequest, context: OperationContext) -> Outcome:
        """Train, distil, measure and export; results and figures as `distillation.proto` says.

        What an image of the user's has trained is taken from where it was handed over.

        Raises:
            BadTrainedModel, NothingHandedOver: what such an image handed over is no model, or is not there.
            MissingExtra, MissingWeights: an encoder cannot be used here.
            TooFewItems: fewer than two items have votes.
            TrainingDiverged: a loss is not finite.
        """
        if request.image:
            return await self._taking.take(request, context)
        cpu_began = time.process_time()
        _require_encoders(request)
        items, index = await read_items(self._tables, request)
        source = IndexedItems(ItemReader(self._data, request.kind), index, loop=asyncio.get_running_loop())
        with tempfile.TemporaryDirectory(prefix="labelplane-weights-") as folder:
            teacher = await self._open_network("teacher", request, source, items, Path(folder))
            student = await self._open_network("student", request, source, items, Path(folder))
            course = await self._plan_course(request, items, index, source, (teacher.spec, student.spec))
            hooks = partial(self._hooks, request, context)
            taught = await asyncio.to_thread(teach, course, teacher.learner, hooks("teacher", done=0))
            learned = await asyncio.to_thread(
                distil, course, taught, student.learner, hooks("student", done=request.teacher.epochs)
            )
            context.check()
            out_of_fold = await self._write_out_of_fold(request, context, course, taught)
            teacher_model = await self._export(request, course, teacher, taught)
            student_model = await self._export(request, course, student, learned)
        context.check()
        figures = await self._measure(request, course, taught, student_model)
        figures |= {
            "items": float(len(course.items.labelled)),
            "items_left_out": float(len(items.labelled) - len(course.items.labelled)),
            "unlabelled_items": float(len(items.unlabelled) if course.uses_unlabelled else 0),
            "epochs": float(taught.training.epochs + learned.training.epochs),
            "teacher_temperature": taught.temperature,
            "student_temperature": learned.temperature,
            "cpu_seconds": time.process_time() - cpu_began,
            "gpu_seconds": taught.training.gpu_seconds + learned.training.gpu_seconds,
        }
        results = {"model": student_model.ref, "teacher": teacher_model.ref, "out_of_fold": out_of_fold}
        return Outcome(results, figures)

    # What is learned from.

    async def _open_network(
        self, role: str, request: TrainRequest, source: IndexedItems, items: TrainingItems, folder: Path
    ) -> _Network:
        settings = request.teacher if role == "teacher" else request.student
        own = folder / role
        own.mkdir()
        chosen = await choose_input(self._store, request, settings, items, source=source, folder=own)
        parts = LearnerParts(settings, chosen.spec, chosen.weights, request.is_deterministic, self._threads)
        return _Network(role, settings, chosen.spec, await asyncio.to_thread(make_learner, chosen.encoder, parts))

    async def _plan_course(
        self,
        request: TrainRequest,
        items: TrainingItems,
        index: pa.Table,
        source: IndexedItems,
        specs: tuple[InputSpec, InputSpec],
    ) -> Course:
        limit = min(most_items(spec, bytes_at_most=MAX_LABELLED_BYTES) for spec in specs)
        rng = generator(request.seed, Stage.TRAIN, request.round_number)
        if len(items.labelled) > limit:
            items = items.keep(np.sort(rng.choice(len(items.labelled), size=limit, replace=False)))
        item_ids = index.column("item_id").take(pa.array(items.labelled)).to_pylist()
        inputs = {spec: await source.encode(items.labelled, spec) for spec in dict.fromkeys(specs)}
        return Course.plan(request, items, item_ids=item_ids, inputs=inputs, specs=specs, source=source, rng=rng)

    def _hooks(self, request: TrainRequest, context: OperationContext, role: str, *, done: int) -> Hooks:
        total = request.teacher.epochs + request.student.epochs
        key = self._layout.round_file(
            request.round_number, Stage.TRAIN, request.attempt, f"checkpoint-{role}.safetensors"
        )
        return Hooks(
            check=context.check,
            after_epoch=lambda epoch: context.progress(min(done + epoch, total), total, "epochs"),
            checkpoints=StoredCheckpoints(self._store, key, loop=asyncio.get_running_loop()),
        )

    # What is handed over.

    async def _write_out_of_fold(
        self, request: TrainRequest, context: OperationContext, course: Course, taught: Taught
    ) -> str:
        item_ids = pa.array([course.item_ids[row] for row in taught.out_of_fold_rows], pa.string())
        table = pa.table({"item_id": item_ids, "probabilities": from_matrix(np.exp(taught.out_of_fold))})
        where = (request.round_number, Stage.TRAIN, request.attempt)
        return await self._tables.write_table(
            table,
            PREDICTIONS,
            part_key=self._layout.round_table(*where, f"out-of-fold-{context.generation:04d}"),
            manifest_key=self._layout.round_manifest(*where, context.generation),
            classes=request.classes,
        )

    async def _export(self, request: TrainRequest, course: Course, network: _Network, taught: Taught) -> StoredModel:
        is_student = network.role == "student"
        facts = ModelFacts(
            role=network.role,
            task_type=request.kind.type_name,
            classes=request.classes,
            encoder=network.settings.encoder,
            spec=network.spec,
            members=network.settings.members,
            temperature=taught.temperature,
            trained_on=TrainedOn(
                labelled=len(course.items.labelled) - len(course.validation_rows),
                unlabelled=len(course.items.unlabelled) if is_student and course.uses_unlabelled else 0,
                validation=len(course.validation_rows),
                gold=int(course.items.is_gold.sum()),
            ),
            round_number=request.round_number,
            seed=request.seed,
        )
        sample = course.inputs[network.spec][:_VERIFIED_ITEMS]
        package = partial(package_model, taught.training.ensemble, facts, sample=sample)
        card, files = await asyncio.to_thread(package)
        return await write_model(self._store, self._layout, card=card, files=files)

    # Measurement.

    async def _measure(
        self, request: TrainRequest, course: Course, taught: Taught, student: StoredModel
    ) -> dict[str, float]:
        """Measure on gate gold; without it, or when it was trained on, on the validation items and their posteriors."""
        rows, classes, is_gate = course.measured_items()
        encode = course.source.encode
        teacher_inputs = await encode(rows, course.teacher_spec)
        teacher_logits = await asyncio.to_thread(taught.predict, teacher_inputs) if len(rows) else np.zeros((0, 2))
        measured = await measure_student(self._store, request, student, rows, classes, source=course.source)
        return measured | {
            "gate_items": float(len(rows) if is_gate else 0),
            "validation_items": float(len(course.validation_rows)),
            "teacher_accuracy": accuracy(teacher_logits, classes),
        }


def _require_encoders(request: TrainRequest) -> None:
    for settings in (request.teacher, request.student):
        encoder: Encoder = find_encoder(settings.encoder, request.kind.modality)
        require_encoder(encoder, has_weights=bool(settings.weights))
