"""Compiled loops of GLAD: posteriors, and one safeguarded Newton climb for every annotator and item.

This module imports numba: load it where it is used.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._kernels import compiled, settle

__all__ = ["expect", "fit_abilities", "fit_eases"]

_NEWTON_STEPS = 2
"""Newton steps of a number in one M-step: enough, for the posterior moves again before the next."""

_MAX_HALVINGS = 30
"""A step that does not help after so many halvings is not taken."""

_ROUNDING = 1e-13
"""Relative loss that rounding may feign: at the top, a step is taken or left alike whatever the order of classes."""

_MAX_LOG_EASE = 30.0
"""Bound of a log-ease in both directions, so that its exponential stays finite."""


@compiled
def _log_odds_mass(strength: float, log_others: float) -> float:
    """Return log(exp(strength) + others), without overflow."""
    top = max(strength, log_others)
    return top + math.log(math.exp(strength - top) + math.exp(log_others - top))


@compiled
def expect(  # noqa: PLR0917 - compiled code takes its arrays by position
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    annotators: NDArray[np.int32],
    answers: NDArray[np.int32],
    weights: NDArray[np.float64],
    abilities: NDArray[np.float64],
    eases: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    gold: NDArray[np.int32],
    posterior: NDArray[np.float64],
    right: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    """E-step for the items [begin, end); return their log-likelihood.

    Sets their posterior rows and `right`, each vote's probability to be right; adds expected items to `totals`.
    """
    n_classes = posterior.shape[1]
    log_others = math.log(n_classes - 1.0) if n_classes > 1 else -math.inf
    per_item = 0 if log_prior.shape[0] == 1 else 1
    log_likelihood = 0.0
    for item in range(begin, end):
        for true in range(n_classes):
            posterior[item, true] = log_prior[item * per_item, true]
        for vote in range(offsets[item], offsets[item + 1]):
            strength = abilities[annotators[vote]] * eases[item]
            posterior[item, answers[vote]] += weights[vote] * strength
            log_likelihood -= weights[vote] * _log_odds_mass(strength, log_others)
        log_likelihood += settle(posterior[item], gold[item])
        for vote in range(offsets[item], offsets[item + 1]):
            right[vote] = posterior[item, answers[vote]]
        for true in range(n_classes):
            totals[true] += posterior[item, true]
    return log_likelihood


@compiled
def _survey(
    order: NDArray[np.int64],
    partners: NDArray[np.int32],
    factors: NDArray[np.float64],
    weights: NDArray[np.float64],
    right: NDArray[np.float64],
    log_others: float,
    scale: float,
) -> tuple[float, float, float]:
    """Return the expected log-likelihood of the votes in `order`, and its two derivatives by `scale`.

    A vote has strength scale x factors[its partner]: an item's ease times the annotators' abilities, or the reverse.
    """
    value, slope, bend = 0.0, 0.0, 0.0
    for vote in order:
        factor = factors[partners[vote]]
        strength = scale * factor
        mass = _log_odds_mass(strength, log_others)
        share = math.exp(strength - mass)
        value += weights[vote] * (right[vote] * strength - mass)
        slope += weights[vote] * factor * (right[vote] - share)
        bend -= weights[vote] * factor * factor * share * (1.0 - share)
    return value, slope, bend


@compiled
def fit_abilities(  # noqa: PLR0917 - the same
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    items: NDArray[np.int32],
    eases: NDArray[np.float64],
    weights: NDArray[np.float64],
    right: NDArray[np.float64],
    log_others: float,
    mean: float,
    spread: float,
    abilities: NDArray[np.float64],
) -> None:
    """Climb in the ability of each annotator [begin, end), eases held: a concave function of each."""
    precision = 1.0 / (spread * spread)
    for annotator in range(begin, end):
        votes = order[offsets[annotator] : offsets[annotator + 1]]
        ability = abilities[annotator]
        value, slope, bend = _survey(votes, items, eases, weights, right, log_others, ability)
        value -= 0.5 * precision * (ability - mean) ** 2
        for _ in range(_NEWTON_STEPS):
            slope -= precision * (ability - mean)
            move = slope / (precision - bend)
            for _ in range(_MAX_HALVINGS):
                trial = ability + move
                reached, new_slope, new_bend = _survey(votes, items, eases, weights, right, log_others, trial)
                reached -= 0.5 * precision * (trial - mean) ** 2
                if reached >= value - _ROUNDING * abs(value):
                    break
                move *= 0.5
            else:
                break
            ability, value, slope, bend = trial, reached, new_slope, new_bend
        abilities[annotator] = ability


@compiled
def fit_eases(  # noqa: PLR0917 - the same
    begin: int,
    end: int,
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    annotators: NDArray[np.int32],
    abilities: NDArray[np.float64],
    weights: NDArray[np.float64],
    right: NDArray[np.float64],
    log_others: float,
    spread: float,
    log_eases: NDArray[np.float64],
) -> None:
    """Climb in the log-ease of each item [begin, end), abilities held; uphill where Newton would go down."""
    precision = 1.0 / (spread * spread)
    for item in range(begin, end):
        votes = order[offsets[item] : offsets[item + 1]]
        log_ease = log_eases[item]
        ease = math.exp(log_ease)
        value, slope, bend = _survey(votes, annotators, abilities, weights, right, log_others, ease)
        value -= 0.5 * precision * log_ease**2
        for _ in range(_NEWTON_STEPS):
            uphill = ease * slope - precision * log_ease
            curvature = precision - ease * ease * bend - min(ease * slope, 0.0)
            move = uphill / curvature
            for _ in range(_MAX_HALVINGS):
                trial = min(max(log_ease + move, -_MAX_LOG_EASE), _MAX_LOG_EASE)
                ease = math.exp(trial)
                reached, new_slope, new_bend = _survey(votes, annotators, abilities, weights, right, log_others, ease)
                reached -= 0.5 * precision * trial**2
                if reached >= value - _ROUNDING * abs(value):
                    break
                move *= 0.5
            else:
                break
            log_ease, value, slope, bend = trial, reached, new_slope, new_bend
        log_eases[item] = log_ease
