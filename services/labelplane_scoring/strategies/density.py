"""Uncertain and typical: entropy weighted by how much of the pool an item stands for."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from labelplane_scoring import uncertainty
from labelplane_scoring.errors import BadRequestError
from labelplane_scoring.strategies.base import Candidates, Need, ScoringStrategy
from labelplane_scoring.uncertainty import FloatArray

__all__ = ["DensityWeighted", "mean_cosine_similarity"]

_CHUNK_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class DensityWeighted(ScoringStrategy):
    """Information density: H(x) (1/N sum_j cos(x, x_j))^beta.

    Keeps entropy from spending votes on outliers. A negative mean similarity counts as 0, for its power is not defined.

    Source: B. Settles, M. Craven, "An Analysis of Active Learning Strategies for Sequence Labeling Tasks", EMNLP 2008,
    section 3.3.

    Attributes:
        beta: weight of density, 0 (plain entropy) or more.
    """

    beta: float = 1.0
    name: ClassVar[str] = "DensityWeighted"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.EMBEDDINGS})

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) entropy in nats times density to the power beta."""
        if not (self.beta >= 0 and np.isfinite(self.beta)):
            raise BadRequestError(f"beta is {self.beta}: it must be 0 or more")
        entropy = uncertainty.entropy(candidates.class_probabilities())
        density = np.maximum(mean_cosine_similarity(candidates.feature_matrix()), 0.0)
        return np.asarray(entropy * density**self.beta)


def mean_cosine_similarity(embeddings: FloatArray) -> npt.NDArray[np.float64]:
    """Mean cosine similarity of each row to all N rows, itself included: (N,), -1 to 1.

    It is exact, though no N x N matrix is made. With u_i = x_i / |x_i|, cos(x_i, x_j) = u_i . u_j, and since the dot
    product is linear, 1/N sum_j u_i . u_j = u_i . (1/N sum_j u_j): one dot product with the mean of the unit vectors.
    A zero row has no direction; it counts as similar to nothing (0), itself included.

    Complexity: O(N D) time in float64, O(D) extra.
    """
    rows = max(1, _CHUNK_ELEMENTS // max(1, embeddings.shape[1]))
    total = np.zeros(embeddings.shape[1])
    for start in range(0, len(embeddings), rows):
        total += _unit_rows(embeddings[start : start + rows]).sum(axis=0)
    mean = total / len(embeddings)
    out = np.empty(len(embeddings))
    for start in range(0, len(embeddings), rows):
        out[start : start + rows] = _unit_rows(embeddings[start : start + rows]) @ mean
    return out


def _unit_rows(block: FloatArray) -> npt.NDArray[np.float64]:
    x = block.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    x /= np.where(norms > 0, norms, 1.0)[:, None]
    return x
