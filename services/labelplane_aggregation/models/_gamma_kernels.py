"""Compiled loops over Dirichlet distributions. This module imports numba: load it where it is used."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._kernels import compiled

__all__ = ["digamma", "learn", "log_evidence"]

_ASYMPTOTIC = 8.0
"""From here on the series below is exact to the last bits."""


@compiled
def digamma(value: float) -> float:
    """Return the derivative of log gamma for a value above 0 (Abramowitz and Stegun, 6.3.5 and 6.3.18)."""
    shift = 0.0
    while value < _ASYMPTOTIC:
        shift -= 1.0 / value
        value += 1.0
    square = 1.0 / (value * value)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132)))))
    return shift + math.log(value) - 0.5 / value - series


@compiled
def learn(
    prior: NDArray[np.float64],
    pseudo: NDArray[np.float64],
    expected: NDArray[np.float64],
    divergences: NDArray[np.float64],
) -> None:
    """Set `expected` to E log p under Dirichlet(pseudo) and `divergences` to KL(Dirichlet(pseudo) || prior), by row."""
    for row in range(len(prior)):
        total, prior_total = 0.0, 0.0
        for column in range(prior.shape[1]):
            total += pseudo[row, column]
            prior_total += prior[row, column]
        shared = digamma(total)
        divergence = math.lgamma(total) - math.lgamma(prior_total)
        for column in range(prior.shape[1]):
            before, after = prior[row, column], pseudo[row, column]
            value = digamma(after) - shared
            expected[row, column] = value
            if after != before:
                divergence += math.lgamma(before) - math.lgamma(after) + (after - before) * value
        divergences[row] = divergence


@compiled
def log_evidence(counts: NDArray[np.float64], pseudo: NDArray[np.float64]) -> float:
    """Return the log-probability of columns of counts, each from a distribution that Dirichlet(pseudo) gave."""
    evidence = 0.0
    for column in range(counts.shape[1]):
        before, after = 0.0, 0.0
        for row in range(len(counts)):
            prior = pseudo[row, column]
            before += prior
            after += prior + counts[row, column]
            evidence += math.lgamma(prior + counts[row, column]) - math.lgamma(prior)
        evidence += math.lgamma(before) - math.lgamma(after)
    return evidence
