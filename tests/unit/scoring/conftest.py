"""Candidate pools for the tests of scoring."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from labelplane_scoring.strategies import Candidates


@dataclass(frozen=True)
class PoolBuilder:
    """Builds a random candidate pool that has every input a strategy may need."""

    size: int = 40
    classes: int = 4
    dimensions: int = 6
    passes: int = 5
    labelled: int = 3
    seed: int = 0
    distinct: bool = True

    def of_equal_items(self) -> "PoolBuilder":
        return replace(self, distinct=False)

    def without_labelled(self) -> "PoolBuilder":
        return replace(self, labelled=0)

    def sized(self, size: int) -> "PoolBuilder":
        return replace(self, size=size)

    def seeded(self, seed: int) -> "PoolBuilder":
        return replace(self, seed=seed)

    def arrays(self) -> dict[str, Any]:
        rng = np.random.default_rng(self.seed)
        rows = self.size if self.distinct else min(1, self.size)
        repeats = 1 if self.distinct else self.size
        arrays: dict[str, Any] = {
            "probabilities": rng.dirichlet(np.ones(self.classes), rows).repeat(repeats, axis=0),
            "embeddings": (rng.standard_normal((rows, self.dimensions)) + 1.0).repeat(repeats, axis=0),
            "samples": rng.dirichlet(np.ones(self.classes), (self.passes, rows)).repeat(repeats, axis=1),
        }
        if self.labelled:
            arrays["labelled_embeddings"] = rng.standard_normal((self.labelled, self.dimensions))
        return arrays

    def build(self) -> Candidates:
        return Candidates(**self.arrays())


@pytest.fixture
def pool() -> PoolBuilder:
    return PoolBuilder()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)
