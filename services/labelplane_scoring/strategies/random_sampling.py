"""The baseline every strategy is measured against, and the unbiased start."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from labelplane_scoring.strategies.base import Candidates, Need, ScoringStrategy
from labelplane_scoring.uncertainty import FloatArray

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(ScoringStrategy):
    """A uniform draw without replacement: every item ties with every other (score 0)."""

    name: ClassVar[str] = "Random"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) zeros."""
        return np.zeros(len(candidates), dtype=np.float32)
