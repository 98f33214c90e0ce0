"""All annotators' votes taken as one annotator's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["learn_pool", "pool", "right_share"]

_POOL_MASS = 10.0
"""Pseudo-votes by which a pooled row follows the overall accuracy, so that a class nobody saw gets a sane row."""

_MASSES = tuple(np.geomspace(2.0, 3000.0, 28).tolist())
"""Pseudo-votes among which `learn_pool` chooses."""

_USUAL_MASS, _MASS_SPREAD = 40.0, 2.0
"""What is expected of them: median, and standard deviation of the logarithm."""


def right_share(counts: NDArray[np.float64]) -> float:
    """Return the share of right answers in (answers, true classes), strictly between 0 and 1."""
    return (float(np.trace(counts)) + 1.0) / (float(counts.sum()) + 2.0)


def pool(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pooled confusion, (answers, true classes), columns summing to one, every cell above zero."""
    pooled = counts.sum(axis=0)
    shrunk: NDArray[np.float64] = pooled + _POOL_MASS * _coin(pooled)
    shrunk /= shrunk.sum(axis=0, keepdims=True)
    return shrunk


def learn_pool(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pooled confusion with a learned pull to evenly spread errors, and that pull as pseudo-votes.

    Both are (answers, true classes) and above zero; columns of the first sum to one. The mass of the pull is the one on
    a grid that makes the pooled columns likeliest when each is drawn from a Dirichlet around the crowd's one coin, with
    a log-normal prior around 40 votes: large where all classes are confused alike, small where they are not.
    """
    from labelplane_aggregation.models import _gamma_kernels

    pooled = counts.sum(axis=0)
    coin = _coin(pooled)
    mass = max(_MASSES, key=lambda each: _gamma_kernels.log_evidence(pooled, each * coin) - _doubt(each))
    pseudo = pooled + mass * coin
    pseudo /= pseudo.sum(axis=0, keepdims=True)
    return pseudo, mass * coin


def _coin(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the confusion of one accuracy for all, errors spread evenly."""
    n_classes = len(pooled)
    accuracy = right_share(pooled)
    coin = np.full((n_classes, n_classes), (1.0 - accuracy) / max(n_classes - 1, 1))
    np.fill_diagonal(coin, accuracy)
    return coin


def _doubt(mass: float) -> float:
    return (math.log(mass / _USUAL_MASS) / _MASS_SPREAD) ** 2 / 2.0
