"""Compiled loops of the strategies; import it only where it is used (it imports numba).

All sums are float64 whatever the input's type, so picks do not depend on float32 rounding. The loops release the
interpreter lock. Inputs are C-contiguous and already validated.
"""

from math import log, sqrt
from typing import Any

import numpy as np
from numba import njit

from labelplane_scoring._kernels import FAST

# Items whose largest bound is kept together, so that whole runs of hopeless items are skipped.
_CENTRE_BLOCK = 256

# Rows whose squared distances are summed together; fixed, so that a draw does not depend on the number of threads.
GRADIENT_BLOCK = 1024

# Squared distances below this share of the terms they are the difference of are rounding, and count as zero.
_ROUNDING = 1e-12


@njit(nogil=True, cache=True, fastmath=FAST)
def first_row_not_finite(x: Any) -> int:
    """First row that holds NaN or infinity, or -1; 0 times such a value is NaN, and reaches the sum."""
    for i in range(x.shape[0]):
        row = x[i]
        total = 0.0
        for k in range(row.size):
            total += row[k] * 0.0
        if not abs(total) <= 0.0:
            return i
    return -1


@njit(nogil=True, cache=True, fastmath=FAST)
def _dot(a: Any, b: Any) -> float:
    total = 0.0
    for k in range(a.size):
        total += np.float64(a[k]) * np.float64(b[k])
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def _squared_distance(a: Any, b: Any) -> float:
    total = 0.0
    for k in range(a.size):
        difference = np.float64(a[k]) - np.float64(b[k])
        total += difference * difference
    return total


@njit(nogil=True, cache=True)
def _is_better(distance: float, priority: int, best: float, best_priority: int) -> bool:
    """Whether a bound can still win: farther, or as far and drawn first."""
    return distance > best or (distance == best and priority > best_priority)


@njit(nogil=True, cache=True)
def _scan_block(
    x: Any, centres: Any, filled: int, block: int, priority: Any, bounds: Any, seen: Any, best: int, best_bound: float
) -> Any:
    """Let a block's items catch up with missed centres while they can still win.

    Returns the best row so far, its squared distance and the block's new largest bound.
    """
    best_priority = priority[best] if best >= 0 else -1
    largest = -1.0
    for i in range(block * _CENTRE_BLOCK, min((block + 1) * _CENTRE_BLOCK, x.shape[0])):
        bound = bounds[i]
        if _is_better(bound, priority[i], best_bound, best_priority):
            centre = seen[i]
            while centre < filled and _is_better(bound, priority[i], best_bound, best_priority):
                bound = min(bound, _squared_distance(x[i], centres[centre]))
                centre += 1
            seen[i] = centre
            bounds[i] = bound
            if _is_better(bound, priority[i], best_bound, best_priority):
                best, best_bound, best_priority = i, bound, priority[i]
        largest = max(largest, bound)
    return best, best_bound, largest


@njit(nogil=True, cache=True)
def k_center(x: Any, centres: Any, filled: int, first: int, priority: Any, picks: Any, scores: Any) -> None:
    """Fill `picks` with the farthest-first traversal and `scores` with distances to the nearest earlier centre.

    Args:
        x: (N, D) items.
        centres: (filled + n, D); the first `filled` rows are centres already, the picks are appended.
        filled: number of centres known at the start.
        first: row of the first pick, or -1 to pick the farthest from the known centres.
        priority: (N,) random permutation; among equally far items the largest wins.
        picks: (n,) int64, written.
        scores: (n,) float64, written.
    """
    blocks = -(-x.shape[0] // _CENTRE_BLOCK)
    bounds = np.full(x.shape[0], np.inf)
    seen = np.zeros(x.shape[0], np.int64)
    block_bounds = np.full(blocks, np.inf)
    for t in range(picks.size):
        # Below every distance, above the -1 of what is picked already.
        best, best_bound = -1, -0.5
        if t == 0 and first >= 0:
            best, best_bound = first, 0.0
        else:
            # The most promising block comes first: it raises the bar for the others.
            start = np.argmax(block_bounds)
            for step in range(blocks):
                block = (start + step) % blocks
                if block_bounds[block] >= best_bound:
                    best, best_bound, block_bounds[block] = _scan_block(
                        x, centres, filled, block, priority, bounds, seen, best, best_bound
                    )
        picks[t] = best
        scores[t] = sqrt(best_bound)
        centres[filled] = x[best]
        filled += 1
        bounds[best] = -1.0


@njit(nogil=True, cache=True, fastmath=FAST)
def expected_gradient_rows(p: Any, h: Any, out: Any) -> None:
    """Write sum_y p_y |p - e_y| times the length of [h, 1] for each row."""
    for i in range(p.shape[0]):
        row = p[i]
        square = _dot(row, row)
        expected = 0.0
        for k in range(row.size):
            probability = np.float64(row[k])
            expected += probability * sqrt(max(square - 2.0 * probability + 1.0, 0.0))
        out[i] = expected * sqrt(_dot(h[i], h[i]) + 1.0)


@njit(nogil=True, cache=True)
def mutual_information_rows(samples: Any, start: int, stop: int, out: Any) -> int:
    """Write mean_s KL(p_s || mean p) for rows `start <= i < stop`; returns -1."""
    passes, _, classes = samples.shape
    for i in range(start, stop):
        total = 0.0
        for k in range(classes):
            mean = 0.0
            for s in range(passes):
                mean += samples[s, i, k]
            mean /= passes
            for s in range(passes):
                probability = np.float64(samples[s, i, k])
                if probability > 0.0:
                    total += probability * log(probability / mean)
        out[i] = max(total / passes, 0.0)
    return -1


@njit(nogil=True, cache=True, fastmath=FAST)
def gradient_norms(p: Any, h: Any, labels: Any, norms: Any) -> None:
    """Write |h_i| and |g_i| = |p_i - e_y| |h_i| of each row into (N, 2)."""
    for i in range(p.shape[0]):
        square = _dot(p[i], p[i]) - 2.0 * p[i, labels[i]] + 1.0
        norms[i, 0] = sqrt(_dot(h[i], h[i]))
        norms[i, 1] = sqrt(max(square, 0.0)) * norms[i, 0]


@njit(nogil=True, cache=True)
def nearest_gradient_blocks(
    p: Any, h: Any, labels: Any, norms: Any, pick: int, start: int, stop: int, squared_distances: Any, block_sums: Any
) -> int:
    """Take one more pick into account in the blocks `start <= b < stop`; returns -1.

    Lowers each row's squared distance to its nearest pick and sums the distances of each block. Two lower bounds spare
    most of the work: | |g_i| - |g_j| |, and Cauchy-Schwarz on h once a_i . a_j is known.
    """
    pick_feature_length, pick_length = norms[pick]
    for block in range(start, stop):
        total = 0.0
        for i in range(block * GRADIENT_BLOCK, min((block + 1) * GRADIENT_BLOCK, p.shape[0])):
            nearest = squared_distances[i]
            feature_length, length = norms[i]
            gap = length - pick_length
            if gap * gap < nearest:
                lengths_part = length**2 + pick_length**2
                overlap = _dot(p[i], p[pick]) - p[i, labels[pick]] - p[pick, labels[i]]
                if labels[i] == labels[pick]:
                    overlap += 1.0
                if lengths_part - 2.0 * abs(overlap) * feature_length * pick_feature_length < nearest:
                    distance = lengths_part - 2.0 * overlap * _dot(h[i], h[pick])
                    if distance <= _ROUNDING * lengths_part:
                        distance = 0.0
                    nearest = min(nearest, distance)
                    squared_distances[i] = nearest
            if i == pick:
                nearest = 0.0
                squared_distances[i] = 0.0
            total += nearest
        block_sums[block] = total
    return -1
