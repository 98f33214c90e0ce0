"""One block of items through a model: what comes back becomes rows of the scores table."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelplane_core.features import InputSpec
from labelplane_core.models import ModelOutput
from labelplane_core.tables import SCORES, from_matrix
from labelplane_core.tasks import DecodedItem
from labelplane_scoring.uncertainty import entropy, least_confidence, margin, softmax

__all__ = ["BATCH_SIZE", "BlockInference", "InProcessInference", "InferenceBackend", "infer", "joined", "score_rows"]

BATCH_SIZE = 256
"""Items of one call of the model. Fixed, so that a block's scores do not depend on how it came to be batched."""


class InferenceBackend(Protocol):
    """Runs a model."""

    def run(self, batch: npt.NDArray[Any]) -> ModelOutput:
        """Return logits (N, K), embeddings (N, D) and, for an ensemble, samples (N, S, K)."""
        ...


class BlockInference(Protocol):
    """Infers over the items of a block, wherever the model is."""

    async def infer(self, items: Sequence[DecodedItem]) -> ModelOutput:
        """Return the model's output for all items, in their order; at least one item."""
        ...

    async def close(self) -> None:
        """Let go of what was held for the model."""
        ...


@dataclass(slots=True)
class InProcessInference:
    """Infers by a backend of this process, one block at a time.

    Attributes:
        backend: runs the model.
        spec: how items are encoded.
    """

    backend: InferenceBackend
    spec: InputSpec
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def infer(self, items: Sequence[DecodedItem]) -> ModelOutput:
        """Return the model's output for all items."""
        async with self._lock:
            return await asyncio.to_thread(infer, self.backend, self.spec, items)

    async def close(self) -> None:
        """Nothing is held elsewhere."""


def infer(backend: InferenceBackend, spec: InputSpec, items: Sequence[DecodedItem]) -> ModelOutput:
    """Return the model's output for all items, batch by batch; at least one item."""
    outputs = [
        backend.run(spec.encode(items[start : start + BATCH_SIZE])) for start in range(0, len(items), BATCH_SIZE)
    ]
    return joined(outputs)


def joined(outputs: Sequence[ModelOutput]) -> ModelOutput:
    """Return the outputs of consecutive batches as one; at least one output."""
    samples = [each.samples for each in outputs if each.samples is not None]
    return ModelOutput(
        logits=np.concatenate([each.logits for each in outputs]),
        embedding=np.concatenate([each.embedding for each in outputs]),
        samples=np.concatenate(samples) if samples else None,
    )


def score_rows(index_rows: pa.Table, output: ModelOutput, classes: Sequence[str]) -> pa.Table:
    """Return the rows of the scores table for a block.

    Raises:
        BadProbabilitiesError: the model gave a row that is not finite.
    """
    probabilities = softmax(output.logits)
    best = probabilities.argmax(axis=1)
    n_rows = len(index_rows)
    samples = None if output.samples is None else from_matrix(output.samples.reshape(n_rows, -1))
    columns = {
        "item_id": index_rows.column("item_id"),
        "block": index_rows.column("block"),
        "prediction": pa.array(classes, pa.string()).take(pa.array(best)),
        "logits": from_matrix(output.logits),
        "embedding": from_matrix(output.embedding),
        "samples": pa.nulls(n_rows, pa.list_(pa.float32())) if samples is None else samples,
        "entropy": entropy(probabilities).astype(np.float32),
        "margin": margin(probabilities).astype(np.float32),
        "least_confidence": least_confidence(probabilities).astype(np.float32),
    }
    return pa.table({name: columns[name] for name in SCORES.columns.names})
