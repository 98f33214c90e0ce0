"""Exported models: their card, their folder in the store, and running them by onnxruntime.

`OnnxModel` loads onnxruntime, so it is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

from labelplane_core.models.card import ModelCard, TrainedOn
from labelplane_core.models.errors import BadModel, BatchMismatch
from labelplane_core.models.folder import (
    CARD_FILE,
    CONFIG_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    StoredModel,
    digest_files,
    hash_file,
    read_model,
    write_model,
)

if TYPE_CHECKING:
    from labelplane_core.models.onnx_model import ModelOutput, OnnxModel

__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "ONNX_FILE",
    "WEIGHTS_FILE",
    "BadModel",
    "BatchMismatch",
    "ModelCard",
    "ModelOutput",
    "OnnxModel",
    "StoredModel",
    "TrainedOn",
    "digest_files",
    "hash_file",
    "read_model",
    "write_model",
]


def __getattr__(name: str) -> Any:
    if name in {"ModelOutput", "OnnxModel"}:
        from labelplane_core.models import onnx_model

        return getattr(onnx_model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
