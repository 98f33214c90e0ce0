"""Encoders with pretrained weights: features under a new head, or fine-tuned members.

Weights come from a folder, as safetensors; nothing is downloaded and no code of a model is run.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from labelplane_core.features import InputSpec
from labelplane_distillation.encoders.weights import read_config
from labelplane_distillation.errors import MissingWeights
from labelplane_distillation.export.graph import INPUT, OPSET
from labelplane_distillation.learning import (
    Hooks,
    Inputs,
    NetworkSettings,
    Problem,
    Training,
    Unlabelled,
    Window,
)
from labelplane_distillation.neural.augment import Augmentation
from labelplane_distillation.neural.ensemble import NeuralEnsemble
from labelplane_distillation.neural.layers import MemberLinear, drop
from labelplane_distillation.neural.learner import seed_of
from labelplane_distillation.neural.networks import MemberNetwork
from labelplane_distillation.neural.runtime import choose_device, torch_configured
from labelplane_distillation.neural.trainer import Trainer

__all__ = ["PretrainedLearner", "load_backbone"]

_FEATURE_BATCH = 64
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class _Backbone(nn.Module):
    """Images in [0, 1] to features: standardised channels, then the pretrained network, then one vector an image."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, body: nn.Module, pool: Callable[[Any], Tensor], config: dict[str, Any]) -> None:
        super().__init__()
        self.body, self.pool = body, pool
        mean = torch.tensor(config.get("image_mean", _IMAGENET_MEAN)).view(1, 3, 1, 1)
        deviation = torch.tensor(config.get("image_std", _IMAGENET_DEVIATION)).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D)."""
        return self.pool(self.body((images - self.mean) / self.deviation))


def load_backbone(encoder: str, folder: Path) -> nn.Module:
    """Return the pretrained network without its last layer, as a module from images (N, 3, H, W) to (N, D).

    Raises:
        MissingWeights: the folder's architecture is unknown, or its weights are not that architecture's.
    """
    config = read_config(folder)
    try:
        return _load_torchvision(folder, config) if encoder == "Torchvision" else _load_huggingface(folder, config)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise MissingWeights(
            f"the weights for {encoder} do not fit their config.json: {str(error).splitlines()[0][:300]}"
        ) from error


def _load_torchvision(folder: Path, config: dict[str, Any]) -> nn.Module:
    from torchvision.models import get_model

    options = {"num_classes": config["num_classes"]} if "num_classes" in config else {}
    body = get_model(config["architecture"], weights=None, **options)
    body.load_state_dict(load_file(folder / "model.safetensors"))
    _cut_last_layer(body)
    return _Backbone(body, lambda values: values.flatten(1), config)


def _cut_last_layer(body: nn.Module) -> None:
    """Replace the last linear layer, which tells the classes that the weights were trained for, by the identity."""
    linear = [name for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError("the architecture has no linear layer to take the place of")
    parent, _, name = linear[-1].rpartition(".")
    setattr(body.get_submodule(parent), name, nn.Identity())


def _load_huggingface(folder: Path, config: dict[str, Any]) -> nn.Module:
    from transformers import AutoModel

    body = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
    )
    return _Backbone(body, _pool_huggingface, {**config, **_read_preprocessor(folder)})


def _pool_huggingface(outputs: Any) -> Tensor:
    pooled = getattr(outputs, "pooler_output", None)
    if pooled is not None:
        return torch.flatten(pooled, 1)
    return torch.mean(outputs.last_hidden_state, dim=1)


def _read_preprocessor(folder: Path) -> dict[str, Any]:
    path = folder / "preprocessor_config.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


class _HeadOnly(MemberNetwork):
    """Linear heads over features."""

    def __init__(self, head: MemberLinear, dropout: float) -> None:
        super().__init__()
        self.head, self.dropout = head, dropout

    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return the features themselves, for every member."""
        members = inputs.expand(len(self.head.weight), *inputs.shape) if inputs.dim() == 2 else inputs
        return drop(members, self.dropout, noise)


class _Frozen(_HeadOnly):
    """One frozen backbone under all members' heads."""

    def __init__(self, backbone: nn.Module, head: MemberLinear) -> None:
        super().__init__(head, dropout=0.0)
        self.backbone = backbone

    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return the backbone's features, for every member."""
        return super().embed(self.backbone(inputs), noise)


class _FineTuned(_HeadOnly):
    """A backbone of its own for every member."""

    def __init__(self, backbone: nn.Module, head: MemberLinear, dropout: float) -> None:
        super().__init__(head, dropout)
        self.backbones = nn.ModuleList(copy.deepcopy(backbone) for _ in range(len(head.weight)))

    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return every member's own features."""
        own = inputs if inputs.dim() == 5 else [inputs] * len(self.backbones)
        features = torch.stack([backbone(images) for backbone, images in zip(self.backbones, own, strict=True)])
        return drop(features, self.dropout, noise)

    def copy_members(self, source: dict[str, Tensor], target: dict[str, Tensor], is_chosen: Tensor) -> None:
        """Copy whole backbones, and the heads' rows."""
        heads = {name: value for name, value in source.items() if name.startswith("head.")}
        super().copy_members(heads, target, is_chosen)
        for member in torch.nonzero(is_chosen).flatten().tolist():
            for name, value in source.items():
                if name.startswith(f"backbones.{member}."):
                    target[name].copy_(value)


class _Exported(nn.Module):
    """The outputs of an exported model."""

    def __init__(self, network: MemberNetwork, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return logits, embedding and, for several members, samples."""
        logits, embedding = self.network(inputs)
        scaled = logits / self.temperature
        members = len(self.network.head.weight)
        mean = torch.logsumexp(torch.log_softmax(scaled, dim=-1), dim=0) - math.log(members)
        outputs = (mean, embedding[0])
        return (*outputs, scaled.transpose(0, 1)) if members > 1 else outputs


class _TracedEnsemble(NeuralEnsemble):
    """An ensemble whose graph is traced, since its backbone can be anything."""

    def to_onnx(self, temperature: float) -> bytes:
        """Return the graph, traced by torch's exporter."""
        names = ["logits", "embedding", *(["samples"] if len(self._network.head.weight) > 1 else [])]
        example = torch.zeros((2, *self._item_shape), device=self._device)
        program = torch.onnx.export(
            _Exported(self._network, temperature).eval(),
            (example,),
            input_names=[INPUT],
            output_names=names,
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            verbose=False,
        )
        if program is None:
            raise RuntimeError("torch's exporter returned no program")
        return bytes(program.model_proto.SerializeToString())


class _Features:
    """The windows of items without votes, as features; a window that stays is encoded once."""

    def __init__(self, windows: Unlabelled, encode: Callable[[Inputs], Inputs]) -> None:
        self._windows, self._encode = windows, encode
        self._kept: tuple[Window, Window] | None = None

    def window(self, epoch: int) -> Window:
        """Return the window of an epoch."""
        window = self._windows.window(epoch)
        if self._kept is None or self._kept[0] is not window:
            self._kept = (window, Window(self._encode(window.inputs), window.teacher))
        return self._kept[1]


class PretrainedLearner:
    """Trains heads on a frozen backbone's features, or fine-tunes a copy of it for every member.

    Args:
        settings: see `distillation.proto`.
        spec: what the images look like.
        weights: the folder of the pretrained weights.
        is_deterministic: one thread, the processor, deterministic algorithms.
        threads: threads for everything else; 0 for torch's own choice.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        *,
        spec: InputSpec,
        weights: Path | None,
        is_deterministic: bool,
        threads: int,
    ) -> None:
        if weights is None:
            raise MissingWeights(f"encoder {settings.encoder} needs pretrained weights: name their folder in `weights`")
        self._settings = settings
        self._spec = spec
        self._backbone = load_backbone(settings.encoder, weights)
        self._is_deterministic = is_deterministic
        self._threads = threads

    def fit(self, problem: Problem, hooks: Hooks) -> Training:
        """Train on the graphics processor when there is one and equal bits are not asked for."""
        device = choose_device(is_deterministic=self._is_deterministic)
        began = time.perf_counter()
        with torch_configured(threads=self._threads, is_deterministic=self._is_deterministic):
            backbone = self._backbone.to(device).eval()
            size = self._encode(backbone, problem.examples.inputs[:1], device).shape[1]
            generator = torch.Generator().manual_seed(seed_of(problem.seed))
            n_members, n_classes = len(problem.member_rows), problem.examples.targets.shape[1]
            head = MemberLinear(n_members, (size, n_classes), generator=generator, gain=1.0).to(device)
            fit = self._fine_tune if self._settings.fine_tune else self._fit_heads
            network, epochs = fit(backbone, head, problem, hooks, device)
        ensemble = _TracedEnsemble(network, item_shape=self._spec.shape, augmentation=None)
        seconds = time.perf_counter() - began if device.type == "cuda" else 0.0
        return Training(ensemble, epochs=epochs, gpu_seconds=seconds)

    def _fit_heads(
        self, backbone: nn.Module, head: MemberLinear, problem: Problem, hooks: Hooks, device: torch.device
    ) -> tuple[MemberNetwork, int]:
        def encode(inputs: Inputs) -> Inputs:
            hooks.check()
            return self._encode(backbone, inputs, device)

        examples = replace(problem.examples, inputs=encode(problem.examples.inputs))
        windows = None if problem.unlabelled is None else _Features(problem.unlabelled, encode)
        on_features = replace(problem, examples=examples, unlabelled=windows)
        network = _HeadOnly(head, self._settings.dropout)
        epochs = Trainer(network, self._settings, problem=on_features, hooks=hooks, augmentation=None).run()
        return _Frozen(backbone, head), epochs

    def _fine_tune(
        self, backbone: nn.Module, head: MemberLinear, problem: Problem, hooks: Hooks, device: torch.device
    ) -> tuple[MemberNetwork, int]:
        network = _FineTuned(backbone, head, self._settings.dropout).to(device).train()
        augmentation = Augmentation() if self._settings.augment else None
        trainer = Trainer(network, self._settings, problem=problem, hooks=hooks, augmentation=augmentation)
        return network, trainer.run()

    def _encode(self, backbone: nn.Module, inputs: Inputs, device: torch.device) -> Inputs:
        """Return (N, D) float32 features; the backbone stays as it is."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(inputs), _FEATURE_BATCH):
                batch = torch.as_tensor(inputs[start : start + _FEATURE_BATCH]).to(device)
                parts.append(backbone(batch).cpu().numpy())
        return np.concatenate(parts)
