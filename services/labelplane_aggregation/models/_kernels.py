"""Compiled loops over sparse votes: sorting, and the two steps of EM.

A kernel works on a range and releases the interpreter lock, so that threads can share the work by ranges. (numba's
own parallel loops are not used: their default threading layer ends the process when two fits run at once, as they do
in a service.)

This module imports numba: load it where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["compiled", "expect", "expect_hits", "maximise", "settle", "sort_votes", "tally", "tally_hits"]

_BLOCK_ITEMS = 256
"""Items whose posterior rows stay in the cache between the two steps; also one partial sum of the log-likelihood."""

_SMALLEST_EXPONENT = -708.0
"""Below it `exp` is denormal or zero, which is slow and changes no sum."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile on first call, and keep the machine code on disk where a folder for it can be written.

    A container with a read-only root has no such folder unless NUMBA_CACHE_DIR names one; numba raises then, and the
    kernel is compiled anew in each process instead.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)


@compiled
def sort_votes(
    items: NDArray[np.int32], annotators: NDArray[np.int32], n_items: int, n_annotators: int
) -> NDArray[np.int64]:
    """Order the votes by item, then annotator, then position: two stable counting sorts, O(votes)."""
    n_votes = len(items)
    first = np.empty(n_votes, np.int64)
    starts = np.zeros(n_annotators + 1, np.int64)
    for vote in range(n_votes):
        starts[annotators[vote] + 1] += 1
    for annotator in range(n_annotators):
        starts[annotator + 1] += starts[annotator]
    for vote in range(n_votes):
        annotator = annotators[vote]
        first[starts[annotator]] = vote
        starts[annotator] += 1
    order = np.empty(n_votes, np.int64)
    starts = np.zeros(n_items + 1, np.int64)
    for vote in range(n_votes):
        starts[items[vote] + 1] += 1
    for item in range(n_items):
        starts[item + 1] += starts[item]
    for position in range(n_votes):
        vote = first[position]
        item = items[vote]
        order[starts[item]] = vote
        starts[item] += 1
    return order


@compiled
def tally(
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    cells: NDArray[np.int32],
    weights: NDArray[np.float64],
    posterior: NDArray[np.float64],
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> None:
    """First half of the M-step for the items [begin, end): add expected votes to `counts`, items to `totals`.

    `counts` is (annotators x classes, true classes): counts[cell, true] += weight x P(true) for every vote; `totals`
    is (classes,). Items are walked in order, for then the large table, the posterior, is read once from end to end.
    """
    n_classes = posterior.shape[1]
    for item in range(begin, end):
        for true in range(n_classes):
            totals[true] += posterior[item, true]
        for vote in range(offsets[item], offsets[item + 1]):
            cell = cells[vote]
            weight = weights[vote]
            for true in range(n_classes):
                counts[cell, true] += weight * posterior[item, true]


@compiled
def maximise(
    counts: NDArray[np.float64],
    pooled: NDArray[np.float64],
    hits: NDArray[np.float64],
    mass: float,
    smoothing: float,
    log_confusion: NDArray[np.float64],
    penalties: NDArray[np.float64],
) -> None:
    """Second half of the M-step: log confusions from counts and pseudo-counts, and the annotators' log prior.

    `counts` and `log_confusion` are (annotators, answers, true classes). The prior mean of an annotator's cell is
    hits[annotator, true] where the answer is right, else what is left, spread as in `pooled` (answers, true classes;
    off the diagonal each column sums to one).
    """
    n_classes = counts.shape[1]
    totals = np.empty(n_classes)
    for annotator in range(len(counts)):
        for true in range(n_classes):
            totals[true] = 0.0
        for answer in range(n_classes):
            for true in range(n_classes):
                hit = hits[annotator, true]
                mean = hit if answer == true else (1.0 - hit) * pooled[answer, true]
                pseudo = mass * mean + smoothing
                log_confusion[annotator, answer, true] = pseudo
                totals[true] += counts[annotator, answer, true] + pseudo
        for true in range(n_classes):
            totals[true] = math.log(totals[true])
        penalty = 0.0
        for answer in range(n_classes):
            for true in range(n_classes):
                pseudo = log_confusion[annotator, answer, true]
                value = math.log(counts[annotator, answer, true] + pseudo) - totals[true]
                log_confusion[annotator, answer, true] = value
                penalty += pseudo * value
        penalties[annotator] = penalty


@compiled
def settle(row: NDArray[np.float64], known: int) -> float:
    """Turn a row of log joints into the posterior, in place; return the row's log-likelihood.

    The largest is taken out before `exp`: products of many small probabilities would underflow.
    """
    n_classes = len(row)
    if known >= 0:
        log_joint = float(row[known])
        for true in range(n_classes):
            row[true] = 0.0
        row[known] = 1.0
        return log_joint
    top = row[0]
    for true in range(1, n_classes):
        top = max(top, row[true])
    mass = 0.0
    for true in range(n_classes):
        exponent = row[true] - top
        share = math.exp(exponent) if exponent > _SMALLEST_EXPONENT else 0.0
        row[true] = share
        mass += share
    scale = 1.0 / mass
    for true in range(n_classes):
        row[true] *= scale
    return float(top + math.log(mass))


@compiled
def expect(  # noqa: PLR0917 - compiled code takes its arrays by position
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    cells: NDArray[np.int32],
    weights: NDArray[np.float64],
    log_confusion: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    gold: NDArray[np.int32],
    posterior: NDArray[np.float64],
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    """E-step for the items [begin, end), and `tally` of the result; return their log-likelihood.

    The two go block by block, so that a posterior row is still in the cache when it is tallied. `log_confusion` is
    (annotators x classes, true classes), `log_prior` one row for all items or one for each. An item with gold (a
    class code, else -1) gets all of its mass there.
    """
    n_classes = posterior.shape[1]
    per_item = 0 if log_prior.shape[0] == 1 else 1
    log_likelihood = 0.0
    for first in range(begin, end, _BLOCK_ITEMS):
        last = min(first + _BLOCK_ITEMS, end)
        block = 0.0
        for item in range(first, last):
            for true in range(n_classes):
                posterior[item, true] = log_prior[item * per_item, true]
            for vote in range(offsets[item], offsets[item + 1]):
                cell = cells[vote]
                weight = weights[vote]
                for true in range(n_classes):
                    posterior[item, true] += weight * log_confusion[cell, true]
            block += settle(posterior[item], gold[item])
        log_likelihood += block
        tally(first, last, offsets, cells, weights, posterior, counts, totals)
    return log_likelihood


@compiled
def tally_hits(
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    cells: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    posterior: NDArray[np.float64],
    hits: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> None:
    """Add, for the items [begin, end), expected right votes to `hits` and expected items to `totals`.

    `hits` has a cell for each annotator and answer: hits[cell] += weight x P(class = answer).
    """
    for item in range(begin, end):
        for true in range(posterior.shape[1]):
            totals[true] += posterior[item, true]
        for vote in range(offsets[item], offsets[item + 1]):
            hits[cells[vote]] += weights[vote] * posterior[item, answers[vote]]


@compiled
def expect_hits(  # noqa: PLR0917 - compiled code takes its arrays by position
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    cells: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    gains: NDArray[np.float64],
    losses: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    gold: NDArray[np.int32],
    posterior: NDArray[np.float64],
    hits: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    """E-step for the items [begin, end), and `tally_hits` of the result; return their log-likelihood.

    A vote adds `losses[cell]`, the log-probability of the answer under a wrong class, to every class, and on top
    `gains[cell]` to the class it names: what all classes share is summed once an item. `log_prior` is one row for all
    items or one for each.
    """
    n_classes = posterior.shape[1]
    per_item = 0 if log_prior.shape[0] == 1 else 1
    log_likelihood = 0.0
    for first in range(begin, end, _BLOCK_ITEMS):
        last = min(first + _BLOCK_ITEMS, end)
        block = 0.0
        for item in range(first, last):
            for true in range(n_classes):
                posterior[item, true] = log_prior[item * per_item, true]
            for vote in range(offsets[item], offsets[item + 1]):
                cell = cells[vote]
                weight = weights[vote]
                posterior[item, answers[vote]] += weight * gains[cell]
                block += weight * losses[cell]
            block += settle(posterior[item], gold[item])
        log_likelihood += block
        tally_hits(first, last, offsets, cells, answers, weights, posterior, hits, totals)
    return log_likelihood
