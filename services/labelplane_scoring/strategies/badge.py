"""Uncertain and diverse at once: k-means++ seeding in the space of gradients."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from labelplane_scoring.strategies.base import BaseStrategy, Candidates, Need
from labelplane_scoring.strategies.selection import top_n
from labelplane_scoring.threads import run_over_rows
from labelplane_scoring.uncertainty import FloatArray, check_probabilities

__all__ = ["Badge"]


@dataclass(frozen=True)
class Badge(BaseStrategy):
    """Batch active learning by diverse gradient embeddings.

    The gradient embedding of an item is the last layer's loss gradient at its hallucinated label (the predicted class
    y): g = a (x) h with a = p - e_y, of K D numbers. Its length is uncertainty, its direction what would be learned.
    k-means++ seeding draws items that are long and unlike each other: as in the authors' code the longest comes first,
    each further one with probability proportional to its squared distance to the nearest pick. Scores are those
    distances (for the first, its length).

    No gradient is made. Inner products of outer products factor, g_i . g_j = (a_i . a_j)(h_i . h_j), so

        |g_i - g_j|^2 = |a_i|^2 |h_i|^2 + |a_j|^2 |h_j|^2 - 2 (a_i . a_j)(h_i . h_j)

    costs O(K + D), and Cauchy-Schwarz often shows from a . a alone that a pick cannot be the nearest.

    Where every remaining gradient equals a picked one, the rest is drawn uniformly.

    Source: J. Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds", ICLR 2020,
    algorithm 1; D. Arthur, S. Vassilvitskii, "k-means++", SODA 2007.

    Complexity: O(n N (K + D)) time at most, O(N) extra.
    """

    name: ClassVar[str] = "Badge"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.EMBEDDINGS})

    def _pick(
        self, candidates: Candidates, n: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        seeding = _Seeding(check_probabilities(candidates.class_probabilities()), candidates.feature_matrix())
        indices = np.empty(n, dtype=np.int64)
        scores = np.zeros(n)
        indices[0] = top_n(seeding.lengths, 1, rng=rng)[0]
        scores[0] = seeding.lengths[indices[0]]
        for t in range(1, n):
            seeding.add(int(indices[t - 1]))
            if seeding.total == 0.0:
                rest = np.setdiff1d(np.arange(len(candidates)), indices[:t])
                indices[t:] = rng.permutation(rest)[: n - t]
                break
            indices[t] = seeding.row_at(rng.random())
            scores[t] = np.sqrt(seeding.squared_distances[indices[t]])
        return indices, scores


class _Seeding:
    """Squared distances of all gradients to the nearest pick, kept up to date as picks are added."""

    def __init__(self, p: FloatArray, h: FloatArray) -> None:
        from labelplane_scoring.strategies._kernels import GRADIENT_BLOCK, gradient_norms

        self._p = p
        self._h = h
        self._labels = p.argmax(axis=1)
        self._norms = np.empty((len(p), 2))
        gradient_norms(p, h, self._labels, self._norms)
        self._block_rows = GRADIENT_BLOCK
        self._block_sums = np.zeros(-(-len(p) // GRADIENT_BLOCK))
        self.squared_distances = np.full(len(p), np.inf)

    @property
    def lengths(self) -> npt.NDArray[np.float64]:
        """(N,) length of each gradient."""
        return self._norms[:, 1]

    @property
    def total(self) -> float:
        """Sum of the squared distances; 0 when every gradient equals a picked one."""
        return float(self._block_sums.sum())

    def add(self, pick: int) -> None:
        """Take the distances to one more pick into account."""
        from labelplane_scoring.strategies._kernels import nearest_gradient_blocks

        def run(start: int, stop: int) -> int:
            rows = (self._p, self._h, self._labels, self._norms)
            return int(nearest_gradient_blocks(*rows, pick, start, stop, self.squared_distances, self._block_sums))

        width = self._block_rows * (self._p.shape[1] + self._h.shape[1])
        run_over_rows(run, len(self._block_sums), elements_per_row=width)

    def row_at(self, share: float) -> int:
        """The row where the running sum of squared distances first passes a share (0 <= share < 1) of the total."""
        block_ends = np.cumsum(self._block_sums)
        target = share * block_ends[-1]
        block = min(int(np.searchsorted(block_ends, target, side="right")), int(np.flatnonzero(self._block_sums)[-1]))
        before = block_ends[block - 1] if block else 0.0
        start = block * self._block_rows
        distances = self.squared_distances[start : start + self._block_rows]
        offset = int(np.searchsorted(np.cumsum(distances), target - before, side="right"))
        # Rounding may pass an end, here of a block and above of them all: then the last one that can be drawn is meant.
        return start + min(offset, int(np.flatnonzero(distances)[-1]))
