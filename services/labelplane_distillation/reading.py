"""What a training reads first: its items, and how they are encoded."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from labelplane_core.features import InputSpec
from labelplane_core.storage import ObjectStore
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, POSTERIORS
from labelplane_distillation.encoders import Encoder, fetch_weights, find_encoder
from labelplane_distillation.items import IndexedItems
from labelplane_distillation.learning import NetworkSettings
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems, choose_items

__all__ = ["ChosenInput", "choose_input", "read_items"]

_SAMPLE_ITEMS = 64


@dataclass(frozen=True, slots=True)
class ChosenInput:
    """How items are encoded for a network, and what that was learned from; `weights` is None without any."""

    encoder: Encoder
    weights: Path | None
    spec: InputSpec


async def read_items(tables: TableStore, request: TrainRequest) -> tuple[TrainingItems, pa.Table]:
    """Return which items are for what, and the index that their rows count in; errors as `choose_items`."""
    index, posteriors = await asyncio.gather(
        tables.read(request.index_ref, INDEX), tables.read(request.posteriors_ref, POSTERIORS)
    )
    choose = partial(choose_items, trains_on_gold=request.trains_on_gold)
    return await asyncio.to_thread(choose, index, posteriors, request.classes), index


async def choose_input(
    store: ObjectStore,
    request: TrainRequest,
    settings: NetworkSettings,
    items: TrainingItems,
    *,
    source: IndexedItems,
    folder: Path,
) -> ChosenInput:
    """Return how items are encoded for a network; its pretrained weights are copied to `folder`.

    Raises:
        MissingWeights: they are not there.
    """
    modality = request.kind.modality
    encoder = find_encoder(settings.encoder, modality)
    weights = await fetch_weights(store, settings.weights, folder=folder)
    # From the first items of the index, so that every round sees the same size.
    first = np.arange(items.n_items)[:_SAMPLE_ITEMS]
    return ChosenInput(
        encoder, weights, encoder.make_spec(modality, await source.sample(first, _SAMPLE_ITEMS), weights)
    )
