"""Pick what would change the model most."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from labelplane_scoring.strategies.base import Candidates, Need, ScoringStrategy
from labelplane_scoring.uncertainty import FloatArray, check_probabilities

__all__ = ["ExpectedGradientLength"]


@dataclass(frozen=True)
class ExpectedGradientLength(ScoringStrategy):
    """Expected length of the last layer's loss gradient, over the model's own belief about the label.

    For cross-entropy on logits W h + b the gradient for label y is (p - e_y) [h, 1]^T, an outer product, and the
    Frobenius norm of an outer product is the product of the norms. So

        E_y |grad| = |[h, 1]| sum_y p_y |p - e_y|,    |p - e_y|^2 = |p|^2 - 2 p_y + 1,

    in O(N (K + D)) with no gradient made.

    Source: B. Settles, M. Craven, S. Ray, "Multiple-Instance Active Learning", NIPS 2007, section 4; Settles and Craven
    2008, section 3.5.
    """

    name: ClassVar[str] = "ExpectedGradientLength"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.EMBEDDINGS})

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) expected gradient norms, float64."""
        from labelplane_scoring.strategies._kernels import expected_gradient_rows

        p = check_probabilities(candidates.class_probabilities())
        h = candidates.feature_matrix()
        out = np.empty(len(p), dtype=np.float64)
        expected_gradient_rows(p, h, out)
        return out
