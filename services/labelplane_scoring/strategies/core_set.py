"""Cover the pool: pick the item that is farthest from everything labelled or picked so far."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from labelplane_scoring.errors import BadRequestError
from labelplane_scoring.strategies.base import BaseStrategy, Candidates, Need, as_finite_matrix
from labelplane_scoring.uncertainty import FloatArray

__all__ = ["CoreSet", "KCenter"]


@dataclass(frozen=True)
class CoreSet(BaseStrategy):
    """k-center greedy under Euclidean distance: a cover at most twice as wide as the best possible one.

    The labelled embeddings are the first centres. Without any, the first pick is `start`, or drawn at random. Scores
    are distances to the nearest centre at the moment of picking; they never rise. The first pick of a cold start has
    no centre before it, and gets 0.

    Exact, but lazy: a distance to the nearest centre only falls as centres are added, so a distance computed some picks
    ago is an upper bound. An item whose bound is under the best found in this pick is left alone; the others catch up
    with the centres they have missed, and only until they fall below it. On real and random features that is a few
    percent of the N n distances of the plain loop; the worst case is all of them. Distances are summed in float64.

    Source: O. Sener, S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018,
    algorithm 1; T. Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.

    Attributes:
        start: row of the first pick at a cold start; ignored when there are labelled embeddings.
    """

    start: int | None = None
    name: ClassVar[str] = "CoreSet"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})

    def _pick(
        self, candidates: Candidates, n: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        from labelplane_scoring.strategies._kernels import k_center

        x = candidates.feature_matrix()
        labelled = candidates.labelled_embeddings
        known = 0 if labelled is None else len(labelled)
        centres = np.empty((known + n, x.shape[1]), dtype=x.dtype)
        if labelled is not None:
            centres[:known] = as_finite_matrix(labelled, name="labelled_embeddings")
        first = -1 if known else self._first(len(x), rng)
        indices = np.empty(n, dtype=np.int64)
        scores = np.empty(n, dtype=np.float64)
        k_center(x, centres, known, first, rng.permutation(len(x)), indices, scores)
        return indices, scores

    def _first(self, rows: int, rng: np.random.Generator) -> int:
        if self.start is None:
            return int(rng.integers(rows))
        if not 0 <= self.start < rows:
            raise BadRequestError(f"start is row {self.start}: the pool has rows 0 to {rows - 1}")
        return self.start


@dataclass(frozen=True)
class KCenter(CoreSet):
    """The same cover on raw features, for the first round, when no model has been trained yet."""

    name: ClassVar[str] = "KCenter"
