"""All annotators' votes taken as one annotator's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pool", "right_share"]

_POOL_MASS = 10.0
"""Pseudo-votes by which a pooled row follows the overall accuracy, so that a class nobody saw gets a sane row."""


def right_share(counts: NDArray[np.float64]) -> float:
    """Return the share of right answers in (answers, true classes), strictly between 0 and 1."""
    return (float(np.trace(counts)) + 1.0) / (float(counts.sum()) + 2.0)


def pool(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pooled confusion, (answers, true classes), columns summing to one, every cell above zero."""
    pooled = counts.sum(axis=0)
    n_classes = len(pooled)
    accuracy = right_share(pooled)
    coin = np.full((n_classes, n_classes), (1.0 - accuracy) / max(n_classes - 1, 1))
    np.fill_diagonal(coin, accuracy)
    shrunk: NDArray[np.float64] = pooled + _POOL_MASS * coin
    shrunk /= shrunk.sum(axis=0, keepdims=True)
    return shrunk
