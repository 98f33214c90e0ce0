"""Runs exported models over items of the index, and measures a new one beside the one that stands."""

import asyncio
from functools import partial

import numpy as np

from labelplane_core.errors import InvalidInput
from labelplane_core.features import InputSpec
from labelplane_core.models import OnnxModel, StoredModel, read_model
from labelplane_core.storage import ObjectStore
from labelplane_distillation.learning import Inputs, Rows
from labelplane_distillation.losses import Floats
from labelplane_distillation.measure import accuracy, compare
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.stages import ItemSource

__all__ = ["measure_student", "run_model"]

_INFERENCE_BATCH = 256


async def measure_student(
    store: ObjectStore, request: TrainRequest, student: StoredModel, rows: Rows, classes: Rows, *, source: ItemSource
) -> dict[str, float]:
    """Return the figures of a student on items of known class, and of the standing model on the same ones.

    Raises:
        InvalidInput: the standing model was trained for other classes.
    """
    logits = await run_model(student, rows, source)
    figures = {"student_accuracy": accuracy(logits, classes)}
    if not request.standing_model_ref:
        return figures
    standing = await read_model(store, request.standing_model_ref)
    _check_classes(standing, request.classes)
    found = compare(logits, await run_model(standing, rows, source), classes)
    return figures | {
        "standing_accuracy": found.standing_accuracy,
        "only_student_right": float(found.only_student_right),
        "only_standing_right": float(found.only_standing_right),
    }


async def run_model(model: StoredModel, rows: Rows, source: ItemSource) -> Floats:
    """Return the (N, K) logits of an exported model for items, by their rows in the index."""
    session = await asyncio.to_thread(OnnxModel, model.card, model.onnx)
    spec = InputSpec.from_json(model.card.input)
    parts = [np.zeros((0, len(model.card.classes)))]
    for start in range(0, len(rows), _INFERENCE_BATCH):
        batch = await source.encode(rows[start : start + _INFERENCE_BATCH], spec)
        parts.append(await asyncio.to_thread(partial(_logits, session), batch))
    return np.concatenate(parts)


def _logits(session: OnnxModel, batch: Inputs) -> Floats:
    return session.run(batch).logits.astype(np.float64)


def _check_classes(standing: StoredModel, classes: tuple[str, ...]) -> None:
    """A model of an earlier round may know fewer classes: `task.classes` may grow, at its end."""
    if standing.card.classes != classes[: len(standing.card.classes)]:
        raise InvalidInput(
            f"standing model {standing.ref} was trained for classes {list(standing.card.classes)}, which are not the "
            f"first of {list(classes)}"
        )
