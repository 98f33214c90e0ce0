"""Compiled loops of the uncertainty measures; import it only where it is used (it imports numba).

Every kernel works on rows ``start <= i < stop`` of C-contiguous arrays, releases the interpreter lock and returns the
number of the first row that is no distribution, or -1. Floating-point sums may be reassociated (that is what lets them
run in SIMD lanes), but NaN and infinity keep their meaning, because validation rests on them.
"""

from typing import Any

import numpy as np
from numba import njit

# Not "nnan" nor "ninf": a NaN must reach the row's sum.
FAST = {"reassoc", "contract", "nsz", "arcp"}

# Elements of a block: its terms (8 KiB) stay in the first-level cache between the two passes.
_BLOCK_ELEMENTS = 2048

# Terms added up in float32 before the sum goes on in float64; more doubles the error, fewer leaves SIMD lanes idle.
_PARTIAL_SUM = 64

_I32 = np.int32
_F32 = np.float32
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_MANTISSA_BITS = np.int32(23)
_LN2 = np.float32(0.6931471805599453)


@njit(nogil=True, cache=True, fastmath=FAST, inline="always")
def _p_log_p(p: Any) -> Any:
    """P ln p of a float32, without a branch; 0 for 0.

    p = 2^e (1 + f) with f in [sqrt(1/2) - 1, sqrt(2) - 1]; ln(1 + f) = f q(f), q of degree 7, minimax in absolute
    error of the product (3.4e-8). Each integer result is cast back at once: numba widens int32 to int64, which would
    halve the SIMD lanes twice.
    """
    bits = _F32(p).view(np.int32)
    exponent = _I32(_I32(bits - _SQRT_HALF_BITS) >> _MANTISSA_BITS)
    f = _I32(bits - _I32(exponent << _MANTISSA_BITS)).view(np.float32) - _F32(1.0)
    q = _F32(-0.10102234780788422)
    q = q * f + _F32(0.16419988870620728)
    q = q * f + _F32(-0.17333465814590454)
    q = q * f + _F32(0.19873046875)
    q = q * f + _F32(-0.24959343671798706)
    q = q * f + _F32(0.33336183428764343)
    q = q * f + _F32(-0.5000066757202148)
    q = q * f + _F32(0.9999998211860657)
    return p * (_F32(exponent) * _LN2 + q * f)


@njit(nogil=True, cache=True)
def first_negative_row(p: Any, start: int, stop: int) -> int:
    """First row with an entry below zero (-0.0 is none), or -1."""
    for i in range(start, stop):
        for k in range(p.shape[1]):
            if p[i, k] < 0.0:
                return i
    return -1


@njit(nogil=True, cache=True, fastmath=FAST)
def entropy_rows(p: Any, start: int, stop: int, tolerance: float, out: Any) -> int:
    """Write the entropy of each row, in nats.

    A block of rows is first turned into its terms p ln p in one flat loop, whatever K is, so that no row leaves a
    scalar remainder; then terms and probabilities are summed row by row. Memory is read once.
    """
    classes = p.shape[1]
    flat = p.reshape(p.size)
    rows = max(1, _BLOCK_ELEMENTS // classes)
    terms = np.empty(rows * classes, np.float32)
    for first in range(start, stop, rows):
        count = min(rows, stop - first)
        source = flat[first * classes : (first + count) * classes]
        target = terms[: count * classes]
        signs = _I32(0)
        for j in range(source.size):
            value = _F32(source[j])
            signs = _I32(signs | value.view(np.int32))
            target[j] = _p_log_p(value)
        negative = first_negative_row(p, first, first + count) if signs < 0 else -1
        for r in range(count):
            total = 0.0
            entropy = 0.0
            end = (r + 1) * classes
            for cut in range(r * classes, end, _PARTIAL_SUM):
                # Slices, not offsets: numba would guard each offset against being negative, and gather.
                part = source[cut : min(cut + _PARTIAL_SUM, end)]
                part_terms = target[cut : min(cut + _PARTIAL_SUM, end)]
                part_total = _F32(0.0)
                part_entropy = _F32(0.0)
                for k in range(part.size):
                    part_total += _F32(part[k])
                    part_entropy += part_terms[k]
                total += float(part_total)
                entropy += float(part_entropy)
            # Written so that NaN fails; a negative row may stand before or after a row with a wrong sum.
            if not abs(total - 1.0) <= tolerance or first + r == negative:
                return first + r
            out[first + r] = max(-entropy, 0.0)
    return -1


@njit(nogil=True, cache=True, fastmath=FAST)
def top_two_rows(p: Any, bits: Any, start: int, stop: int, tolerance: float, largest: Any, second: Any) -> int:
    """Write the bit patterns of the largest and second largest probability of each row.

    `bits` is `p` seen as signed integers of its width: floats that are not negative order as their bits do, and
    integer maxima run in SIMD lanes where float ones (because of NaN) do not. A tie for the largest gives it twice;
    with one class the second is 0.
    """
    zero = bits[0, 0] & 0
    for i in range(start, stop):
        row = p[i]
        row_bits = bits[i]
        total = row[0] * 0.0
        high = zero
        low = zero
        for k in range(row.size):
            total += row[k]
            high = max(high, row_bits[k])
            low = min(low, row_bits[k])
        if not abs(total - 1.0) <= tolerance:
            return i
        if low < 0 and first_negative_row(p, i, i + 1) >= 0:
            return i
        runner_up = zero
        ties = 0
        for k in range(row.size):
            is_top = row_bits[k] == high
            ties += is_top
            runner_up = max(runner_up, zero if is_top else row_bits[k])
        largest[i] = high
        second[i] = high if ties > 1 else runner_up
    return -1
