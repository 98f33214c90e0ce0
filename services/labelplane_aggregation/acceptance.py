"""Which labels the machine may decide alone: a threshold on confidence whose risk is bounded.

The bound holds for items drawn as the gold was drawn. Items that nobody was asked about are those the strategy found
easy, so their risk is rather lower; the check sample of each round measures it.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Threshold", "binomial_tail", "choose_threshold", "risk_bound"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_STEPS = np.concatenate([1 - np.logspace(-4, -2, 9), np.arange(0.985, 0.0, -0.005)])
"""The thresholds that are tried, highest first. They are fixed: the bound holds for a grid that no label has shaped."""

_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Threshold:
    """Labels of at least this confidence are accepted.

    Attributes:
        confidence: the threshold, 0 to 1.
        gold: gold items at or above it.
        errors: of those, labelled wrongly.
        risk_bound: upper confidence bound of the share of wrong labels.
    """

    confidence: float
    gold: int
    errors: int
    risk_bound: float


def choose_threshold(
    confidences: FloatArray, is_right: BoolArray, *, maximum_risk: float, confidence: float
) -> Threshold | None:
    """Return the lowest threshold whose accepted labels stay under `maximum_risk`; None when none does.

    With probability `confidence` over the draw of the gold, the share of wrong labels among all items at or above the
    returned threshold is at most `maximum_risk`. Thresholds of a fixed grid are tested from high to low, each at level
    1 - `confidence` by the exact binomial test (its bound is Clopper and Pearson's), and the first that fails ends
    the sequence: fixed-sequence testing controls the family-wise error without a correction. The sequence begins at
    the first threshold with enough gold above it to pass at all; where that is begun depends on the counts alone.

    Args:
        confidences: (gold,) probability of the label that the machine would give.
        is_right: (gold,) whether that label is the known class.
        maximum_risk: above 0, below 1.
        confidence: above 0, below 1.

    Sources: A. N. Angelopoulos et al., "Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control"
    (2021), section 2.2.2; C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
    """
    level = 1 - confidence
    least = _least_gold(maximum_risk, level, n_gold=len(confidences))
    best: Threshold | None = None
    for step in _STEPS:
        above = confidences >= step
        gold, errors = int(above.sum()), int((above & ~is_right).sum())
        if gold < least:
            continue
        if binomial_tail(errors, gold, maximum_risk) > level:
            break
        best = Threshold(float(step), gold, errors, risk_bound(errors, gold, confidence=confidence))
    return best


def binomial_tail(errors: int, trials: int, share: float) -> float:
    """Return P(X <= errors) for X ~ Binomial(trials, share): the p-value of "the risk is above `share`"."""
    if errors >= trials:
        return 1.0
    log_share, log_rest = math.log(share), math.log1p(-share)
    logs = [_log_choose(trials, count) + count * log_share + (trials - count) * log_rest for count in range(errors + 1)]
    top = max(logs)
    return min(1.0, math.exp(top) * sum(math.exp(each - top) for each in logs))


def _log_choose(trials: int, count: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)


def risk_bound(errors: int, trials: int, *, confidence: float) -> float:
    """Return Clopper and Pearson's upper bound of a share of which `errors` of `trials` were seen; 1 without trials."""
    if errors >= trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_tail(errors, trials, middle) > 1 - confidence else (low, middle)
    return high


def _least_gold(maximum_risk: float, level: float, *, n_gold: int) -> int:
    """Return how much gold the first test needs: enough to bear one error, when half of the gold is enough for that.

    A sequence that begins where not even one error is borne ends at the first unlucky item.
    """
    least = _passing(0, maximum_risk, level)
    sturdy = _passing(1, maximum_risk, level, start=least)
    return sturdy if sturdy <= n_gold // 2 else least


def _passing(errors: int, maximum_risk: float, level: float, *, start: int = 1) -> int:
    """Return the least number of trials at which so many errors pass the test."""
    trials = start
    while binomial_tail(errors, trials, maximum_risk) > level:
        trials += max(1, trials // 64)
    return trials
