"""Compiled loop over the pairs of an item's votes. This module imports numba: load it where it is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._kernels import compiled

__all__ = ["count_agreement", "count_pairs"]


@compiled
def count_pairs(
    offsets: NDArray[np.int64],
    annotators: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    agreeing: NDArray[np.int64],
    said: NDArray[np.float64],
) -> None:
    """Count, for every two annotators, the items where they agree, and what the first said where both answered.

    `agreeing` is (annotators, annotators), `said` (annotators, annotators, classes); both are added to. A vote of
    weight 0 is none.
    """
    for item in range(len(offsets) - 1):
        for one in range(offsets[item], offsets[item + 1]):
            for other in range(offsets[item], offsets[item + 1]):
                if weights[one] > 0.0 and weights[other] > 0.0:
                    said[annotators[one], annotators[other], answers[one]] += 1.0
                    if answers[one] == answers[other]:
                        agreeing[annotators[one], annotators[other]] += 1


@compiled
def count_agreement(
    offsets: NDArray[np.int64],
    annotators: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    agreement: NDArray[np.float64],
) -> None:
    """Add up, for every two annotators, the products of the weights of their equal votes on one item.

    `agreement` is (annotators, annotators); its diagonal gets the squares of each annotator's own weights, and below it
    nothing is added.
    """
    for item in range(len(offsets) - 1):
        for one in range(offsets[item], offsets[item + 1]):
            for other in range(one, offsets[item + 1]):
                if answers[one] == answers[other]:
                    agreement[annotators[one], annotators[other]] += weights[one] * weights[other]
