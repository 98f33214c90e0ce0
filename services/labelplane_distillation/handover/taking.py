"""The stage Train of a model that a training image has trained: take it, check it, measure it, store it."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from labelplane_core.errors import BadInputSpec, ObjectNotFound
from labelplane_core.items import ItemReader
from labelplane_core.models import StoredModel, TrainedOn, hash_file, write_model
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import PREDICTIONS, from_matrix
from labelplane_distillation.errors import BadTrainedModel, NothingHandedOver
from labelplane_distillation.folds import Folds
from labelplane_distillation.handover.checking import TrainedFiles, package_trained, read_out_of_fold
from labelplane_distillation.handover.contract import (
    CARD_FILE,
    OUT_OF_FOLD_FILE,
    Listing,
    listing_key,
    split_items,
    trained_file_key,
)
from labelplane_distillation.items import IndexedItems
from labelplane_distillation.learning import Rows
from labelplane_distillation.losses import Floats, log_softmax
from labelplane_distillation.measuring import measure_student, run_model
from labelplane_distillation.reading import read_items
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems

__all__ = ["ModelTaking"]

_VERIFIED_ITEMS = 64


@dataclass(frozen=True, slots=True)
class _Class:
    """The items that the model was to learn from.

    Attributes:
        items: by what they are for.
        item_ids: of the labelled items.
        folds: of the labelled items.
        source: reads and encodes items by their row in the index.
    """

    items: TrainingItems
    item_ids: list[str]
    folds: Folds
    source: IndexedItems

    @property
    def validation(self) -> Rows:
        return np.flatnonzero(self.folds.fold < 0)

    @property
    def training(self) -> Rows:
        return np.flatnonzero(self.folds.fold >= 0)


class ModelTaking:
    """Makes a student of the files that an image wrote."""

    def __init__(self, parts: ServiceParts) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._data = parts.data
        self._tables = TableStore(parts.store)

    async def take(self, request: TrainRequest, context: OperationContext) -> Outcome:
        """Check, measure and store the model; doing it again for one request gives the same model.

        Raises:
            NothingHandedOver: there is nothing for this request.
            BadTrainedModel: a file is not what it must be.
        """
        cpu_began = time.process_time()
        listing, files = await self._read(request)
        items, index = await read_items(self._tables, request)
        item_ids = index.column("item_id").take(pa.array(items.labelled)).to_pylist()
        source = IndexedItems(ItemReader(self._data, request.kind), index, loop=asyncio.get_running_loop())
        learned = _Class(items, item_ids, split_items(request, items, item_ids), source)
        trained = await asyncio.to_thread(TrainedFiles.read, files)
        student = await self._store_student(request, trained, learned)
        context.check()
        out_of_fold = await self._write_out_of_fold(request, context, trained, student, learned)
        figures = await self._measure(request, student, learned)
        figures |= {
            "items": float(len(items.labelled)),
            "items_left_out": 0.0,
            "unlabelled_items": 0.0,
            "image_seconds": listing.seconds,
            "cpu_seconds": time.process_time() - cpu_began + trained.card.cpu_seconds,
            "gpu_seconds": trained.card.gpu_seconds,
        }
        return Outcome({"model": student.ref, "out_of_fold": out_of_fold}, figures)

    async def _read(self, request: TrainRequest) -> tuple[Listing, dict[str, bytes]]:
        key = listing_key(self._layout, request)
        try:
            listing = Listing.from_json((await self._store.get(key)).data)
        except ObjectNotFound as error:
            raise NothingHandedOver(f"{key} is not there: image {request.image} trains again") from error
        files = {}
        for name, digest in listing.files.items():
            path = trained_file_key(self._layout, request, folder=listing.folder, name=name)
            files[name] = (await self._store.get(path)).data
            if hash_file(files[name]) != digest:
                raise NothingHandedOver(f"{path} is not what was handed over: image {request.image} trains again")
        return listing, files

    async def _store_student(self, request: TrainRequest, trained: TrainedFiles, learned: _Class) -> StoredModel:
        items = learned.items
        trained_on = TrainedOn(
            labelled=len(learned.training), validation=len(learned.validation), gold=int(items.is_gold.sum())
        )
        try:
            sample = await learned.source.encode(items.labelled[:_VERIFIED_ITEMS], trained.spec)
        except BadInputSpec as error:
            raise BadTrainedModel(f"{CARD_FILE}: input: {error}") from error
        package = partial(package_trained, trained, request, trained_on=trained_on, sample=sample)
        card, files = await asyncio.to_thread(package)
        return await write_model(self._store, self._layout, card=card, files=files)

    async def _write_out_of_fold(
        self,
        request: TrainRequest,
        context: OperationContext,
        trained: TrainedFiles,
        student: StoredModel,
        learned: _Class,
    ) -> str:
        """Write what the model may say of the items that it was given.

        Validation items are the student's own word. Of the items trained on, what the image says out of fold; the
        others get the mean prediction, which says nothing of an item: a model's word on what it has learned by heart
        would only repeat the votes.
        """
        rows = learned.items.labelled[learned.validation]
        said = np.exp(log_softmax(await run_model(student, rows, learned.source)))
        probabilities = np.empty((len(learned.item_ids), len(request.classes)))
        probabilities[:] = said.mean(axis=0) if len(said) else 1.0 / len(request.classes)
        probabilities[learned.validation] = said
        for place, row in self._out_of_fold(trained, learned, n_classes=len(request.classes)):
            probabilities[place] = row
        table = pa.table(
            {"item_id": pa.array(learned.item_ids, pa.string()), "probabilities": from_matrix(probabilities)}
        )
        where = (request.round_number, Stage.TRAIN, request.attempt)
        return await self._tables.write_table(
            table,
            PREDICTIONS,
            part_key=self._layout.round_table(*where, f"out-of-fold-{context.generation:04d}"),
            manifest_key=self._layout.round_manifest(*where, context.generation),
            classes=request.classes,
        )

    @staticmethod
    def _out_of_fold(trained: TrainedFiles, learned: _Class, *, n_classes: int) -> list[tuple[int, Floats]]:
        """Return places among the labelled items, and what the image says of each out of fold."""
        if OUT_OF_FOLD_FILE not in trained.files:
            return []
        places = {learned.item_ids[place]: int(place) for place in learned.training}
        ids, rows = read_out_of_fold(trained.files[OUT_OF_FOLD_FILE], list(places), n_classes=n_classes)
        return [(places[item], row) for item, row in zip(ids, rows, strict=True)]

    async def _measure(self, request: TrainRequest, student: StoredModel, learned: _Class) -> dict[str, float]:
        rows, classes, is_gate = learned.items.measured(learned.validation, trains_on_gold=request.trains_on_gold)
        figures = await measure_student(self._store, request, student, rows, classes, source=learned.source)
        return figures | {
            "gate_items": float(len(rows) if is_gate else 0),
            "validation_items": float(len(learned.validation)),
        }
