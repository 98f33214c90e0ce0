"""Makes the files of a model from a trained ensemble, and checks that the exported graph computes what it does."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from labelplane_core.features import InputSpec
from labelplane_core.models import CONFIG_FILE, ONNX_FILE, WEIGHTS_FILE, ModelCard, OnnxModel, TrainedOn
from labelplane_distillation.errors import ExportMismatch
from labelplane_distillation.learning import Inputs, TrainedEnsemble

__all__ = ["ModelFacts", "package_model", "verify_export"]

TOLERANCE = 1e-4
"""Largest difference of an output, relative to the largest value of that output (at least 1): single precision, summed
in another order."""

_PACKAGES = ("labelplane", "numpy", "onnx", "onnxruntime", "torch", "torchvision", "transformers")
_TRITON_TYPES = {"float32": "TYPE_FP32", "int64": "TYPE_INT64"}
_MAX_BATCH = 256
_HEAD = "head."


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model besides its weights."""

    role: str
    task_type: str
    classes: tuple[str, ...]
    encoder: str
    spec: InputSpec
    members: int
    temperature: float
    trained_on: TrainedOn
    round_number: int
    seed: int


def package_model(
    ensemble: TrainedEnsemble, facts: ModelFacts, *, sample: Inputs
) -> tuple[ModelCard, dict[str, bytes]]:
    """Return a model's card and its other files, after `verify_export` on `sample`.

    Raises:
        ExportMismatch: the graph does not compute what the ensemble does.
    """
    tensors, onnx = ensemble.tensors(), ensemble.to_onnx(facts.temperature)
    card = ModelCard.model_validate(
        {
            "role": facts.role,
            "task_type": facts.task_type,
            "classes": facts.classes,
            "encoder": facts.encoder,
            "encoder_digest": digest_encoder(tensors, facts.spec),
            "input": facts.spec.to_json(),
            "members": facts.members,
            "embedding_size": int(ensemble.outputs(sample[:1], 1.0).embedding.shape[1]),
            "temperature": facts.temperature,
            "trained_on": facts.trained_on,
            "round": facts.round_number,
            "seed": facts.seed,
            "versions": package_versions(),
            "files": {},
        }
    )
    verify_export(ensemble, OnnxModel(card, onnx), sample=sample)
    files = {ONNX_FILE: onnx, WEIGHTS_FILE: _save_weights(tensors), CONFIG_FILE: triton_config(card, facts.spec)}
    return card, files


def verify_export(ensemble: TrainedEnsemble, model: OnnxModel, *, sample: Inputs) -> float:
    """Return the largest relative difference of any output over `sample`.

    Raises:
        ExportMismatch: it is more than rounding explains.
    """
    got, want = model.run(sample), ensemble.outputs(sample, model.card.temperature)
    pairs = {"logits": (got.logits, want.logits), "embedding": (got.embedding, want.embedding)}
    if got.samples is not None and want.samples is not None:
        pairs["samples"] = (got.samples, want.samples)
    worst = 0.0
    for name, (have, right) in pairs.items():
        difference = float(np.abs(have - right).max() / max(1.0, float(np.abs(right).max())))
        if not difference <= TOLERANCE:
            raise ExportMismatch(
                f"output {name} of the exported {model.card.role} differs by {difference:.2g}, more than {TOLERANCE}"
            )
        worst = max(worst, difference)
    return worst


def digest_encoder(tensors: Mapping[str, npt.NDArray[Any]], spec: InputSpec) -> str:
    """Return a digest of all that an embedding depends on: the preprocessing and the weights below the last layer."""
    content = hashlib.sha256(json.dumps(spec.to_json(), sort_keys=True).encode())
    for name in sorted(tensors):
        if not name.startswith(_HEAD):
            content.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\n".encode())
            content.update(np.ascontiguousarray(tensors[name]).tobytes())
    return content.hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that took part: of those that are loaded."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _PACKAGES:
        if name == "labelplane" or name in sys.modules:
            try:
                versions[name] = version(name)
            except PackageNotFoundError:
                versions[name] = "unknown"
    return versions


def triton_config(card: ModelCard, spec: InputSpec) -> bytes:
    """Return `config.pbtxt` of the model for Triton's ONNX Runtime backend; the model's name is its folder's."""
    n_classes = len(card.classes)
    shapes = {"logits": [n_classes], "embedding": [card.embedding_size], "samples": [card.members, n_classes]}
    outputs = [f'  {{ name: "{name}" data_type: TYPE_FP32 dims: {shapes[name]} }}' for name in card.outputs]
    kind = _TRITON_TYPES[spec.dtype.name]
    lines = [
        'backend: "onnxruntime"',
        f"max_batch_size: {_MAX_BATCH}",
        f'input [ {{ name: "input" data_type: {kind} dims: {list(spec.shape)} }} ]',
        "output [",
        ",\n".join(outputs),
        "]",
        "dynamic_batching { }",
    ]
    return ("\n".join(lines) + "\n").encode()


def _save_weights(tensors: Mapping[str, npt.NDArray[Any]]) -> bytes:
    return save({name: np.ascontiguousarray(value) for name, value in sorted(tensors.items())})
