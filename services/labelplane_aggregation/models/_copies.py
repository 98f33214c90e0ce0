"""Annotators that agree more than their knowledge explains: copies, and rules that look for the same thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Copies"]

FloatArray = NDArray[np.float64]

_MOST_ANNOTATORS = 1024
"""Annotators whose pairs are looked at: their table is 8 MB, and a set of rules this large is rare."""

_NOISE = 4.0
"""Standard deviations by which two must agree above expectation before it counts for more than chance."""

_LEAST = 0.1
"""Correlations under it are left alone: no model of annotators is exact, and weights should not follow its errors."""

_SMALLEST = 1e-9
_DECIMALS = 9


class Copies:
    """How much each annotator's votes repeat those of others.

    Write an annotator's votes on an item as a vector with the vote's weight at its answer, and zeros where it is
    silent. Given the class, vectors of two annotators should be uncorrelated. Their excess agreement

        r_ij = (A_ij - E_ij) / sqrt((A_ii - E_ii) (A_jj - E_jj)),  E_ij = sum_kl c_i[l, k] c_j[l, k] / n_k

    is that correlation (A: sum over items of products of equal votes; c: expected votes for l on class k; n: expected
    items). It is 1 for an exact copy whatever is believed of the classes, and near 0 for independent annotators once
    classes are known well. While they are not, all agree too much, and each one's median over the others is taken
    off. k annotators with correlation r count together as k / (1 + (k - 1) r): each gets the weight 1 / (1 + sum_j
    r_ij), so that k exact copies count as one.

    A is counted once, O(sum of squared votes an item); a look takes O(annotators^2 x classes^2). Memory O(annotators^2)
    up to 1,024 annotators; among more nothing is looked for, and all weights are 1.

    Source: the design effect of L. Kish, Survey Sampling (1965), section 5.4; that dependent sources show as excess
    agreement: S. H. Bach, B. He, A. Ratner and C. Re, Learning the Structure of Generative Models without Labeled
    Data, ICML 2017.
    """

    def __init__(self, votes: VoteMatrix) -> None:
        from labelplane_aggregation.models import _pair_kernels

        self._n_annotators = votes.n_annotators
        self._agreement: FloatArray = np.zeros((0, 0))
        if 1 < votes.n_annotators <= _MOST_ANNOTATORS:
            self._agreement = np.zeros((votes.n_annotators, votes.n_annotators))
            _pair_kernels.count_agreement(
                votes.offsets, votes.annotators, votes.answers, votes.weights, self._agreement
            )
            self._agreement += np.triu(self._agreement, 1).T

    def weights(self, counts: FloatArray, totals: FloatArray) -> FloatArray:
        """Return each annotator's weight, above 0 and at most 1.

        Args:
            counts: (annotators, answers, true classes): expected votes.
            totals: (classes,): expected items.
        """
        if not len(self._agreement):
            return np.ones(self._n_annotators)
        weights = 1.0 / (1.0 + self.correlations(counts, totals).sum(axis=1))
        # The last digits of a matrix product depend on the machine's threads; what follows from them must not.
        return np.asarray(weights.round(_DECIMALS), np.float64)

    def correlations(self, counts: FloatArray, totals: FloatArray) -> FloatArray:
        """Return (annotators, annotators): r where it is above noise, else 0; arguments as in `weights`."""
        scaled = (counts / np.sqrt(np.maximum(totals, _SMALLEST))).reshape(self._n_annotators, -1)
        expected = scaled @ scaled.T
        excess = self._agreement - expected
        spread = np.sqrt(np.maximum(np.diagonal(excess), _SMALLEST))
        found = _above_median(excess / np.outer(spread, spread))
        is_noise = excess <= _NOISE * np.sqrt(expected + 1.0)
        found[is_noise | (found < _LEAST)] = 0.0
        np.fill_diagonal(found, 0.0)
        return found


def _above_median(correlations: FloatArray) -> FloatArray:
    """Return correlations without what each annotator has with most others, scaled so that 1 stays 1."""
    others = len(correlations) - 1
    if others < 3:  # of two others none is "most"
        return correlations.clip(0.0, 1.0)
    off_diagonal = correlations[~np.eye(others + 1, dtype=bool)].reshape(others + 1, others)
    typical = np.median(off_diagonal, axis=1).clip(0.0, 0.99)
    floor = np.sqrt(np.outer(typical, typical))
    above: FloatArray = (correlations - floor) / (1.0 - floor)
    return above.clip(0.0, 1.0)
