"""One temperature that makes probabilities mean what they say.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017, section 4.2.
"""

from collections.abc import Callable

import numpy as np

from labelplane_distillation.losses import Floats, log_softmax, logsumexp

__all__ = ["MAX_TEMPERATURE", "MIN_TEMPERATURE", "average_members", "fit_temperature"]

MIN_TEMPERATURE = 0.25
MAX_TEMPERATURE = 4.0

_PULL = 0.02
"""Pseudo-loss per squared log-temperature: a few dozen held-out items must not move the temperature to a bound."""

_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
_STEPS = 40


def average_members(member_logits: Floats, temperature: float = 1.0) -> Floats:
    """Return the log-probabilities (N, K) of the mean of the members' distributions, from their logits (S, N, K)."""
    log_probabilities = log_softmax(member_logits / temperature)
    return np.asarray(logsumexp(log_probabilities, axis=0)[0] - np.log(len(member_logits)))


def fit_temperature(member_logits: Floats, targets: Floats, weights: Floats) -> float:
    """Return the temperature at which the members' average says `targets` best.

    Minimises the weighted cross-entropy, drawn a little to 1, by golden-section search on the log-temperature: it is
    unimodal for one member, and close to it for several.

    Args:
        member_logits: (S, N, K) logits of items that no member was trained on.
        targets: (N, K) soft labels.
        weights: (N,) item weights.

    Returns:
        A temperature from 0.25 to 4; exactly 1 when there is no item with a weight.
    """
    total = float(weights.sum())
    if member_logits.shape[1] == 0 or total <= 0:
        return 1.0

    def cost(log_temperature: float) -> float:
        log_p = average_members(member_logits, float(np.exp(log_temperature)))
        cross_entropy = -(targets * log_p).sum(axis=-1) @ weights / total
        return float(cross_entropy + _PULL * log_temperature**2)

    return float(np.exp(_golden_section(cost, np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))))


def _golden_section(cost: Callable[[float], float], low: float, high: float) -> float:
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = cost(left), cost(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = cost(right)
    return (low + high) / 2
