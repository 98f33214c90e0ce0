"""Runs an exported model by onnxruntime."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from labelplane_core.models.card import ModelCard
from labelplane_core.models.errors import BadModel, BatchMismatch

__all__ = ["ModelOutput", "OnnxModel"]

_ERRORS_ONLY = 3
_DTYPES = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(uint8)": np.dtype(np.uint8),
}


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What a model says of N items.

    Attributes:
        logits: (N, K); probabilities are softmax(logits), calibrated.
        embedding: (N, D) input of the last layer (of the first member, in an ensemble).
        samples: (N, S, K) logits of each member, divided by the temperature too; None for a single network.
    """

    logits: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]
    samples: npt.NDArray[np.float32] | None


class OnnxModel:
    """A session over one model; `run` may be called from several threads.

    Args:
        card: the model's card.
        onnx: bytes of the graph.
        threads: threads of one `run`; 1 makes it bit-equal from call to call and leaves other cores to other workers.
    """

    def __init__(self, card: ModelCard, onnx: bytes, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base
            raise BadModel(f"the {card.role}'s graph cannot be loaded: {error}") from error
        names = tuple(each.name for each in self._session.get_outputs())
        if names != card.outputs:
            raise BadModel(f"the {card.role}'s graph gives {names}, but its card says {card.outputs}")
        self.card = card
        self._input = self._session.get_inputs()[0]

    def run(self, batch: npt.NDArray[Any]) -> ModelOutput:
        """Return the model's outputs for a batch of encoded items, (N, ...).

        Raises:
            BatchMismatch: the batch's shape or type is not the graph's.
        """
        self._check(batch)
        outputs = dict(zip(self.card.outputs, self._session.run(None, {self._input.name: batch}), strict=True))
        return ModelOutput(outputs["logits"], outputs["embedding"], outputs.get("samples"))

    def _check(self, batch: npt.NDArray[Any]) -> None:
        shape, dtype = tuple(self._input.shape[1:]), _DTYPES.get(self._input.type)
        fits = batch.ndim == len(shape) + 1 and all(
            not isinstance(want, int) or want == have for want, have in zip(shape, batch.shape[1:], strict=True)
        )
        if not fits or batch.dtype != dtype:
            raise BatchMismatch(
                f"the model takes batches of {dtype} items of shape {shape}, got {batch.dtype} {batch.shape}: "
                "encode the items with the InputSpec of its card"
            )
