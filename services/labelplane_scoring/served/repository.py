"""A stored model as Triton wants it: its configuration, and the files of its one version. Pure but for `main`.

`python -m labelplane_scoring.served.repository STORE MODEL FOLDER [BACKEND]` writes a model into the folder that
a Triton has as its repository, for servers that take no model by a request.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from labelplane_core.errors import InvalidInput, LabelplaneError
from labelplane_core.models import ONNX_FILE, ModelCard, StoredModel, read_model
from labelplane_core.storage import open_store
from labelplane_scoring.served import python_backend
from labelplane_scoring.served.batch_sizes import LARGEST_BATCH
from labelplane_scoring.served.numpy_steps import numpy_steps
from labelplane_scoring.served.signatures import Tensor, expected_signature

__all__ = ["VERSION", "Backend", "ServedFiles", "served_files"]

VERSION: Final = "1"
_TYPES: Final = {"FP32": "TYPE_FP32", "INT64": "TYPE_INT64"}


class Backend(StrEnum):
    """What of Triton runs a model."""

    ONNX_RUNTIME = "onnxruntime"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class ServedFiles:
    """A model for one backend.

    Attributes:
        configuration: the ModelConfig as JSON names it, without a name: that is the folder's.
        files: content by path below the model's folder, as `1/model.onnx`.
    """

    configuration: Mapping[str, Any]
    files: Mapping[str, bytes]

    def to_json(self) -> str:
        """Return the configuration as a load request takes it."""
        return json.dumps(self.configuration, sort_keys=True)

    def to_text(self) -> bytes:
        """Return the content of `config.pbtxt`."""
        lines = [f'backend: "{self.configuration["backend"]}"', f"max_batch_size: {LARGEST_BATCH}"]
        for direction in ("input", "output"):
            tensors = (
                f'  {{ name: "{each["name"]}" data_type: {each["data_type"]} dims: {each["dims"]} }}'
                for each in self.configuration[direction]
            )
            lines += [f"{direction} [", ",\n".join(tensors), "]"]
        return ("\n".join([*lines, "dynamic_batching { }"]) + "\n").encode()


def served_files(model: StoredModel, backend: Backend) -> ServedFiles:
    """Return what a server needs to run the model by `backend`."""
    if backend is Backend.ONNX_RUNTIME:
        return ServedFiles(_configuration(model.card, backend), {ONNX_FILE: model.onnx})
    steps = numpy_steps(model.onnx)
    weights = {ONNX_FILE: model.onnx} if steps is None else {f"{VERSION}/model.npz": steps}
    program = Path(python_backend.__file__).read_bytes()
    return ServedFiles(_configuration(model.card, backend), {f"{VERSION}/model.py": program, **weights})


def _configuration(card: ModelCard, backend: Backend) -> dict[str, Any]:
    signature = expected_signature(card)
    return {
        "backend": backend.value,
        "max_batch_size": LARGEST_BATCH,
        "input": [_tensor(each) for each in signature.inputs],
        "output": [_tensor(each) for each in signature.outputs],
        "dynamic_batching": {},
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "data_type": _TYPES[tensor.datatype], "dims": list(tensor.shape[1:])}


def main(arguments: Sequence[str]) -> int:
    """Write a model of a store into a repository's folder and return the exit code."""
    try:
        if len(arguments) not in {3, 4}:
            raise InvalidInput("give STORE MODEL FOLDER and, if not onnxruntime, BACKEND: onnxruntime or python")
        store, ref, folder, *backend = arguments
        if backend and backend[0] not in set(Backend):
            raise InvalidInput(f"backend {backend[0]} is not one of {', '.join(Backend)}")
        model = asyncio.run(read_model(open_store(store, readonly=True), ref))
        target = _write(served_files(model, Backend(*backend or [Backend.ONNX_RUNTIME])), Path(folder) / model.digest)
    except (LabelplaneError, OSError) as error:
        sys.stderr.write(f"labelplane model: {error}\n")
        return 2
    sys.stdout.write(f"{target}\n")
    return 0


def _write(served: ServedFiles, target: Path) -> Path:
    for path, data in {**served.files, "config.pbtxt": served.to_text()}.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
