"""Many Dirichlet distributions at once, learned from counts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dirichlets"]


class Dirichlets:
    """Rows of Dirichlet distributions under a prior: what variational Bayes learns of probabilities.

    Attributes:
        expected_log: E log p, the prior's shape, set by `count`.
    """

    def __init__(self, prior: NDArray[np.float64], *leading: int) -> None:
        """Start at the prior: pseudo-counts above 0, the last axis a distribution; `leading` axes repeat it."""
        from labelplane_aggregation.models import _gamma_kernels

        self._kernels = _gamma_kernels
        self._prior = np.array(np.broadcast_to(prior, (*leading, *prior.shape)))
        self._rows = self._prior.reshape(-1, prior.shape[-1])
        self._pseudo = self._rows.copy()
        self._expected = np.empty_like(self._rows)
        self._divergences = np.empty(len(self._rows))
        self.count(np.zeros_like(self._prior))

    @property
    def expected_log(self) -> NDArray[np.float64]:
        """E log p of every probability."""
        expected: NDArray[np.float64] = self._expected.reshape(self._prior.shape)
        return expected

    @property
    def mean(self) -> NDArray[np.float64]:
        """Means of the probabilities, summing to one along the last axis."""
        mean: NDArray[np.float64] = (self._pseudo / self._pseudo.sum(axis=1, keepdims=True)).reshape(self._prior.shape)
        return mean

    def count(self, counts: NDArray[np.float64]) -> None:
        """Set the distributions to the prior and `counts` on top."""
        np.add(self._rows, counts.reshape(self._rows.shape), out=self._pseudo)
        self._kernels.learn(self._rows, self._pseudo, self._expected, self._divergences)

    def divergence(self) -> float:
        """Return the sum of the Kullback-Leibler divergences from the prior, in nats, 0 or more."""
        return math.fsum(self._divergences)
