"""Trains small networks: pixels and MLP, small CNN, hashed n-grams."""

import time
from collections.abc import Callable

import numpy as np
import torch

from labelplane_core.features import InputKind, InputSpec
from labelplane_distillation.learning import Hooks, NetworkSettings, Problem, Training
from labelplane_distillation.neural.augment import Augmentation
from labelplane_distillation.neural.ensemble import BuiltEnsemble
from labelplane_distillation.neural.networks import HashedNgrams, Mlp, Sizes, SmallCnn, SmallNetwork
from labelplane_distillation.neural.runtime import choose_device, torch_configured
from labelplane_distillation.neural.trainer import Trainer

__all__ = ["NeuralLearner", "seed_of", "small_learner"]

_TINY_ITEM = 1024
"""Numbers in an item, up to which a second thread costs more than it saves."""

Build = Callable[[int, int, torch.Generator], SmallNetwork]
"""Makes (members, classes, generator) untrained networks."""


class NeuralLearner:
    """Builds networks, trains them together, and returns them.

    Args:
        settings: see `distillation.proto`.
        build: makes the untrained networks.
        spec: what the items look like.
        is_deterministic: one thread, the processor, deterministic algorithms.
        threads: threads for everything else; 0 for torch's own choice.
    """

    def __init__(
        self, settings: NetworkSettings, build: Build, *, spec: InputSpec, is_deterministic: bool, threads: int
    ) -> None:
        self._settings = settings
        self._build = build
        self._spec = spec
        self._is_deterministic = is_deterministic
        self._threads = threads

    def fit(self, problem: Problem, hooks: Hooks) -> Training:
        """Train on the graphics processor when there is one and equal bits are not asked for."""
        device = choose_device(is_deterministic=self._is_deterministic)
        is_image = self._spec.kind is InputKind.IMAGE
        augmentation = Augmentation() if self._settings.augment and is_image else None
        with torch_configured(threads=self._threads, is_deterministic=self._is_deterministic):
            # Weights are drawn on the processor, so that they are the same on every device.
            generator = torch.Generator().manual_seed(seed_of(problem.seed))
            n_classes = problem.examples.targets.shape[1]
            network = self._build(len(problem.member_rows), n_classes, generator).to(device)
            trainer = Trainer(network, self._settings, problem=problem, hooks=hooks, augmentation=augmentation)
            began = time.perf_counter()
            epochs = trainer.run()
            seconds = time.perf_counter() - began
        ensemble = BuiltEnsemble(network, item_shape=self._spec.shape, augmentation=augmentation)
        return Training(ensemble, epochs=epochs, gpu_seconds=seconds if device.type == "cuda" else 0.0)


def small_learner(settings: NetworkSettings, *, spec: InputSpec, is_deterministic: bool, threads: int) -> NeuralLearner:
    """Return what trains the small network that `settings.encoder` names."""

    def build(members: int, n_classes: int, generator: torch.Generator) -> SmallNetwork:
        sizes = Sizes(members=members, n_classes=n_classes, hidden=settings.hidden_size, dropout=settings.dropout)
        if settings.encoder == "HashedNgrams":
            return HashedNgrams(sizes, spec.dims, generator=generator)
        network = SmallCnn if settings.encoder == "SmallCnn" else Mlp
        return network(sizes, spec.shape, generator=generator)

    is_tiny = int(np.prod(spec.shape)) <= _TINY_ITEM
    return NeuralLearner(
        settings, build, spec=spec, is_deterministic=is_deterministic, threads=threads or (1 if is_tiny else 0)
    )


def seed_of(seed: tuple[int, ...]) -> int:
    """Return one 62-bit number for a seed of several."""
    return int(np.random.SeedSequence(seed).generate_state(1, dtype=np.uint64)[0] >> np.uint64(2))
