"""Small training problems that a network can learn in a second."""

from dataclasses import dataclass, field

import numpy as np

from labelplane_core.features import InputKind, InputSpec
from labelplane_distillation.learning import Examples, Inputs, Mixing, Problem, Rows, Unlabelled
from labelplane_distillation.losses import Floats

IMAGE = InputSpec(InputKind.IMAGE, height=8, width=8, channels=1)
NGRAMS = InputSpec(InputKind.NGRAM_IDS, dims=64, length=6)


def draw_items(spec: InputSpec, count: int, *, seed: int) -> tuple[Inputs, Rows]:
    """Items of three classes: a bright band at one of three heights, or ids of one of three ranges."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    if spec.kind is InputKind.NGRAM_IDS:
        ids = 1 + classes[:, None] * 20 + rng.integers(0, 20, (count, spec.length))
        return np.where(rng.random(ids.shape) < 0.2, 0, ids), classes
    images = rng.random((count, *spec.shape)) * 0.6
    step = spec.height // 3
    for row, klass in enumerate(classes):
        images[row, :, klass * step : klass * step + 2] += 0.4
    return images.astype(np.float32), classes


@dataclass
class ProblemBuilder:
    """`make_problem().members(3).validated(10).build()`."""

    spec: InputSpec = IMAGE
    count: int = 60
    n_members: int = 2
    n_validation: int = 0
    mixing: Mixing = field(default_factory=Mixing)
    teacher: Floats | None = None
    unlabelled: Unlabelled | None = None
    seed: int = 5

    def members(self, count: int) -> "ProblemBuilder":
        self.n_members = count
        return self

    def validated(self, count: int) -> "ProblemBuilder":
        self.n_validation = count
        return self

    def build(self) -> Problem:
        inputs, classes = draw_items(self.spec, self.count, seed=self.seed)
        trained = np.arange(self.count - self.n_validation)
        return Problem(
            Examples(inputs, np.eye(3)[classes] * 0.97 + 0.01, np.ones(self.count), self.teacher),
            # Every member misses a few items of its own.
            member_rows=tuple(np.delete(trained, trained[member::7]) for member in range(self.n_members)),
            validation_rows=np.arange(self.count - self.n_validation, self.count),
            mixing=self.mixing,
            unlabelled=self.unlabelled,
            seed=(self.seed, 1),
        )


def make_problem(spec: InputSpec = IMAGE, *, count: int = 60) -> ProblemBuilder:
    return ProblemBuilder(spec, count)
