"""The n largest scores in linear time, with ties drawn at random."""

import numpy as np
import numpy.typing as npt

from labelplane_scoring.uncertainty import FloatArray

__all__ = ["top_n"]

# Scores of one group in the first cut; a power of two that SIMD maxima like.
_GROUP = 64


def top_n(scores: FloatArray, n: int, *, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows of the n largest scores, largest first; equal scores come in random order.

    Only the tie at the threshold decides who is in: every row above the n-th largest score is taken, and of the rows
    that equal it as many as there is room for, drawn without replacement. So each tied row has the same chance whatever
    its number, and no random key is made for the other N rows.

    Args:
        scores: (N,), free of NaN.
        n: 0 <= n; clipped to N.
        rng: draws among ties.

    Complexity: O(N + n log n) time. A first cut drops what cannot be among the n largest (see `_contenders`), so on
    ordinary scores a single pass over memory remains.
    """
    n = min(n, len(scores))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    rows = _contenders(scores, n)
    values = scores[rows]
    threshold = np.partition(values, len(values) - n)[len(values) - n]
    above = rows[values > threshold]
    tied = rng.permutation(rows[values == threshold])[: n - len(above)]
    shuffled = rng.permutation(above)
    ordered = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    return np.concatenate([ordered, tied]).astype(np.int64, copy=False)


def _contenders(scores: FloatArray, n: int) -> npt.NDArray[np.int64]:
    """Rows that can be among the n largest: every row at or above a lower bound of the n-th largest score.

    The bound is the n-th largest of the maxima of groups of 64: n groups have a member at or above it, so the n-th
    largest score is too.
    """
    groups = len(scores) // _GROUP
    if groups < 2 * n:
        return np.arange(len(scores), dtype=np.int64)
    maxima = scores[: groups * _GROUP].reshape(groups, _GROUP).max(axis=1)
    bound = np.partition(maxima, groups - n)[groups - n]
    return np.flatnonzero(scores >= bound)
