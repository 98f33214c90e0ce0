"""The stage Train: teacher, student, measurement, export."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from labelplane_core.errors import InvalidInput
from labelplane_core.features import InputSpec
from labelplane_core.items import ItemReader
from labelplane_core.models import OnnxModel, StoredModel, TrainedOn, read_model, write_model
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.seeds import generator
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, POSTERIORS, PREDICTIONS, from_matrix
from labelplane_distillation.checkpoints import StoredCheckpoints
from labelplane_distillation.encoders import (
    Encoder,
    LearnerParts,
    fetch_weights,
    find_encoder,
    make_learner,
    require_encoder,
)
from labelplane_distillation.export import ModelFacts, package_model
from labelplane_distillation.items import MAX_LABELLED_BYTES, IndexedItems, most_items
from labelplane_distillation.learning import Hooks, Inputs, Learner, NetworkSettings, Rows
from labelplane_distillation.losses import Floats
from labelplane_distillation.measure import accuracy, compare
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems, choose_items
from labelplane_distillation.stages import Course, ItemSource, Taught, distil, teach

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

    async def train(self, request: TrainRequest, context: OperationContext) -> Outcome:
        """Train, distil, measure and export; results and figures as `distillation.proto` says.

        Raises:
            MissingExtra, MissingWeights: an encoder cannot be used here.
            TooFewItems: fewer than two items have votes.
            TrainingDiverged: a loss is not finite.
        """
        cpu_began = time.process_time()
        _require_encoders(request)
        items, index = await self._choose_items(request)
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

    async def _choose_items(self, request: TrainRequest) -> tuple[TrainingItems, pa.Table]:
        index, posteriors = await asyncio.gather(
            self._tables.read(request.index_ref, INDEX), self._tables.read(request.posteriors_ref, POSTERIORS)
        )
        choose = partial(choose_items, trains_on_gold=request.trains_on_gold)
        return await asyncio.to_thread(choose, index, posteriors, request.classes), index

    async def _open_network(
        self, role: str, request: TrainRequest, source: IndexedItems, items: TrainingItems, folder: Path
    ) -> _Network:
        settings = request.teacher if role == "teacher" else request.student
        encoder = find_encoder(settings.encoder, request.kind.modality)
        own = folder / role
        own.mkdir()
        weights = await fetch_weights(self._store, settings.weights, folder=own)
        # From the first items of the index, so that every round sees the same size.
        spec = encoder.make_spec(request.kind.modality, await source.sample(_first_rows(items), _SAMPLE_ITEMS), weights)
        parts = LearnerParts(settings, spec, weights, request.is_deterministic, self._threads)
        return _Network(role, settings, spec, await asyncio.to_thread(make_learner, encoder, parts))

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
        student_logits = await _run_model(student, rows, course.source)
        figures = {
            "gate_items": float(len(rows) if is_gate else 0),
            "validation_items": float(len(course.validation_rows)),
            "teacher_accuracy": accuracy(teacher_logits, classes),
            "student_accuracy": accuracy(student_logits, classes),
        }
        if not request.standing_model_ref:
            return figures
        standing = await read_model(self._store, request.standing_model_ref)
        _check_classes(standing, request.classes)
        found = compare(student_logits, await _run_model(standing, rows, course.source), classes)
        return figures | {
            "standing_accuracy": found.standing_accuracy,
            "only_student_right": float(found.only_student_right),
            "only_standing_right": float(found.only_standing_right),
        }


async def _run_model(model: StoredModel, rows: Rows, source: ItemSource) -> Floats:
    """Return the (N, K) logits of an exported model for items."""
    session = await asyncio.to_thread(OnnxModel, model.card, model.onnx)
    spec = InputSpec.from_json(model.card.input)

    def run(batch: Inputs) -> Floats:
        return session.run(batch).logits.astype(np.float64)

    parts = [np.zeros((0, len(model.card.classes)))]
    for start in range(0, len(rows), _INFERENCE_BATCH):
        batch = await source.encode(rows[start : start + _INFERENCE_BATCH], spec)
        parts.append(await asyncio.to_thread(run, batch))
    return np.concatenate(parts)


def _require_encoders(request: TrainRequest) -> None:
    for settings in (request.teacher, request.student):
        encoder: Encoder = find_encoder(settings.encoder, request.kind.modality)
        require_encoder(encoder, has_weights=bool(settings.weights))


def _first_rows(items: TrainingItems) -> Rows:
    return np.arange(items.n_items)[:_SAMPLE_ITEMS]


def _check_classes(standing: StoredModel, classes: tuple[str, ...]) -> None:
    """A model of an earlier round may know fewer classes: `task.classes` may grow, at its end."""
    if standing.card.classes != classes[: len(standing.card.classes)]:
        raise InvalidInput(
            f"standing model {standing.ref} was trained for classes {list(standing.card.classes)}, which are not the "
            f"first of {list(classes)}"
        )
