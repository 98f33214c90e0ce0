"""Writes what a training image is given: `python -m labelplane_distillation.handover.stage`."""

import asyncio
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelplane_core.features import InputSpec
from labelplane_core.items import ItemReader
from labelplane_core.leaving import leave
from labelplane_core.storage import ObjectStore, open_store
from labelplane_core.table_store import TableStore
from labelplane_core.tables import from_matrix
from labelplane_core.tasks import Modality
from labelplane_distillation.folds import Folds
from labelplane_distillation.handover.contract import TABLE_FILE, TASK_FILE, split_items, task_description
from labelplane_distillation.handover.settings import HandoverSettings, run_step
from labelplane_distillation.items import IndexedItems
from labelplane_distillation.learning import Inputs, Rows
from labelplane_distillation.reading import choose_input, read_items
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems

__all__ = ["Staging", "main"]

_ITEMS_AT_ONCE = 512
"""Items in memory at a time, and in a row group."""


class Staging:
    """Writes the training table of one request.

    Args:
        store: of the job.
        data: of the data set.
    """

    def __init__(self, store: ObjectStore, data: ObjectStore) -> None:
        self._store = store
        self._data = data

    async def write(self, request: TrainRequest, folder: Path) -> int:
        """Write `train.parquet` and `task.json`, and return how many items there are.

        Gold is not among them, unless the job trains on gate gold.

        Raises:
            TooFewItems: fewer than two items have votes.
            MissingWeights: the student's weights, which say how items are encoded, are not there.
        """
        items, index = await read_items(TableStore(self._store), request)
        reader = ItemReader(self._data, request.kind)
        source = IndexedItems(reader, index, loop=asyncio.get_running_loop())
        with tempfile.TemporaryDirectory(prefix="labelplane-weights-") as weights:
            chosen = await choose_input(
                self._store, request, request.student, items, source=source, folder=Path(weights)
            )
        labelled = index.take(pa.array(items.labelled))
        folds = split_items(request, items, labelled.column("item_id").to_pylist())
        table = _TrainingTable(request, items, labelled, folds, reader, chosen.spec)
        with pq.ParquetWriter(folder / TABLE_FILE, table.schema, compression="zstd") as writer:
            for start in range(0, len(labelled), _ITEMS_AT_ONCE):
                writer.write_table(await table.rows(np.arange(start, min(start + _ITEMS_AT_ONCE, len(labelled)))))
        description = task_description(request, spec=chosen.spec, items=len(labelled), folds=folds.members)
        (folder / TASK_FILE).write_bytes(description)
        return len(labelled)


class _TrainingTable:
    """The rows of `train.parquet`."""

    def __init__(
        self,
        request: TrainRequest,
        items: TrainingItems,
        labelled: pa.Table,
        folds: Folds,
        reader: ItemReader,
        spec: InputSpec,
    ) -> None:
        self._request = request
        self._items = items
        self._labelled = labelled
        self._folds = folds
        self._reader = reader
        self._spec = spec
        self.schema = pa.schema(
            [
                ("item_id", pa.string()),
                ("text", pa.string()),
                ("content", pa.binary()),
                ("features", pa.list_(pa.from_numpy_dtype(spec.dtype))),
                ("probabilities", pa.list_(pa.float64())),
                ("weight", pa.float64()),
                ("fold", pa.int32()),
                ("split", pa.string()),
            ]
        )

    async def rows(self, places: Rows) -> pa.Table:
        """Return some rows, by their places among the labelled items."""
        index = self._labelled.take(pa.array(places))
        raw = await self._reader.read_raw(index)
        features = await asyncio.to_thread(self._encode, raw)
        is_text = self._request.kind.modality is Modality.TEXT
        nothing = pa.nulls(len(places))
        fold = self._folds.fold[places]
        columns = [
            index.column("item_id"),
            pa.array(raw, pa.string()) if is_text else nothing.cast(pa.string()),
            nothing.cast(pa.binary()) if is_text else pa.array(raw, pa.binary()),
            from_matrix(features.reshape(len(places), -1)),
            from_matrix(self._items.targets[places]),
            pa.array(self._items.weights[places]),
            pa.array(fold, pa.int32()),
            pa.array(np.where(fold < 0, "validation", "train").tolist()),
        ]
        return pa.table(columns, names=self.schema.names).cast(self.schema)

    def _encode(self, raw: list[bytes | str]) -> Inputs:
        return self._spec.encode([self._request.kind.decode(each) for each in raw])


async def _stage(settings: HandoverSettings) -> str:
    options = settings.store_options()
    store = open_store(settings.store_uri, options=options)
    data = open_store(settings.data_uri, options=options, readonly=True)
    items = await Staging(store, data).write(settings.train_request(), settings.input)
    return f"{items:,} items to train on are in {settings.input}"


def main() -> int:
    """Write the files, and return the exit code."""
    return run_step("stage", _stage, os.environ)


if __name__ == "__main__":
    leave(main())
