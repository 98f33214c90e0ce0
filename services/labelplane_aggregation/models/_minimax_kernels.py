"""Compiled loops of minimax conditional entropy. This module imports numba: load it where it is used."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._kernels import compiled, settle

__all__ = ["climb_rows", "expect"]

_NOTHING = 1e-9
"""A class this unlikely teaches nothing: its row is not computed for the vote."""

_MOST_CURVATURE = 0.5
"""Bound on the curvature of log softmax (Boehning 1992): a step by its inverse never lowers the objective."""


@compiled
def climb_rows(  # noqa: PLR0917 - compiled code takes its arrays by position
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    owners: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    items: NDArray[np.int32],
    posterior: NDArray[np.float64],
    others: NDArray[np.float64],
    mean: NDArray[np.float64],
    pull: float,
    steps: int,
    own: NDArray[np.float64],
) -> None:
    """Climb in the tables `own[begin:end]`, (classes, answers) each, with those of the other side held.

    The votes of table t are order[offsets[t]:offsets[t + 1]]; `owners` names each vote's table in `others`. A table has
    the prior Normal(mean, 1 / pull) in every cell. Each step is the exact maximum of a lower bound of the objective.
    """
    n_classes = posterior.shape[1]
    gradient = np.empty((n_classes, n_classes))
    masses = np.empty(n_classes)
    shares = np.empty(n_classes)
    for table in range(begin, end):
        for _ in range(steps):
            gradient[:] = 0.0
            masses[:] = 0.0
            for place in range(offsets[table], offsets[table + 1]):
                vote = order[place]
                other = owners[vote]
                for true in range(n_classes):
                    mass = weights[vote] * posterior[items[vote], true]
                    if mass <= _NOTHING:
                        continue
                    for answer in range(n_classes):
                        shares[answer] = own[table, true, answer] + others[other, true, answer]
                    settle(shares, -1)
                    masses[true] += mass
                    gradient[true, answers[vote]] += mass
                    for answer in range(n_classes):
                        gradient[true, answer] -= mass * shares[answer]
            for true in range(n_classes):
                scale = 1.0 / (_MOST_CURVATURE * masses[true] + pull)
                for answer in range(n_classes):
                    off = own[table, true, answer] - mean[true, answer]
                    own[table, true, answer] += scale * (gradient[true, answer] - pull * off)


@compiled
def expect(  # noqa: PLR0917 - compiled code takes its arrays by position
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    annotators: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    by_annotator: NDArray[np.float64],
    by_item: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    gold: NDArray[np.int32],
    posterior: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    """E-step for the items [begin, end): set `posterior`, add to `totals`; return the log-likelihood in nats."""
    n_classes = posterior.shape[1]
    per_item = 0 if log_prior.shape[0] == 1 else 1
    log_likelihood = 0.0
    for item in range(begin, end):
        for true in range(n_classes):
            posterior[item, true] = log_prior[item * per_item, true]
        for vote in range(offsets[item], offsets[item + 1]):
            annotator, said, weight = annotators[vote], answers[vote], weights[vote]
            for true in range(n_classes):
                top = -math.inf
                for answer in range(n_classes):
                    top = max(top, by_annotator[annotator, true, answer] + by_item[item, true, answer])
                total = 0.0
                for answer in range(n_classes):
                    total += math.exp(by_annotator[annotator, true, answer] + by_item[item, true, answer] - top)
                value = by_annotator[annotator, true, said] + by_item[item, true, said] - top
                posterior[item, true] += weight * (value - math.log(total))
        log_likelihood += settle(posterior[item], gold[item])
        for true in range(n_classes):
            totals[true] += posterior[item, true]
    return log_likelihood
