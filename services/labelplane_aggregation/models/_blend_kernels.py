"""Compiled loops over annotators' blends. This module imports numba: load it where it is used."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._kernels import compiled

__all__ = ["blend", "draw_towards", "split"]


@compiled
def split(
    counts: NDArray[np.float64],
    crowd: NDArray[np.float64],
    typical: NDArray[np.float64],
    mass: float,
    habit_mass: float,
    shares: NDArray[np.float64],
    habits: NDArray[np.float64],
    crowd_counts: NDArray[np.float64],
) -> None:
    """One EM step of every annotator's blend for expected votes; the votes laid to the crowd go to `crowd_counts`.

    `counts` is (annotators, answers, true classes), `crowd` and `crowd_counts` (answers, true classes). `shares`,
    (annotators, 3: knowing, as the crowd, by habit), and `habits`, (annotators, answers), are set to their best.
    """
    n_classes = counts.shape[1]
    crowd_counts[:] = 0.0
    guesses = np.empty(n_classes)
    for annotator in range(len(counts)):
        knows, follows = shares[annotator, 0], shares[annotator, 1]
        known, followed, guessed, total = 0.0, 0.0, 0.0, 0.0
        for answer in range(n_classes):
            by_habit = shares[annotator, 2] * habits[annotator, answer]
            guesses[answer] = 0.0
            for true in range(n_classes):
                count = counts[annotator, answer, true]
                by_crowd = follows * crowd[answer, true]
                by_knowing = knows if answer == true else 0.0
                each = count / (by_knowing + by_crowd + by_habit)
                total += count
                known += each * by_knowing
                followed += each * by_crowd
                crowd_counts[answer, true] += each * by_crowd
                guesses[answer] += each * by_habit
            guessed += guesses[answer]
        shares[annotator, 0] = (known + mass * typical[0]) / (total + mass)
        shares[annotator, 1] = (followed + mass * typical[1]) / (total + mass)
        shares[annotator, 2] = (guessed + mass * typical[2]) / (total + mass)
        for answer in range(n_classes):
            habits[annotator, answer] = (guesses[answer] + habit_mass / n_classes) / (guessed + habit_mass)


@compiled
def blend(
    shares: NDArray[np.float64],
    habits: NDArray[np.float64],
    crowd: NDArray[np.float64],
    log_confusion: NDArray[np.float64],
) -> None:
    """Set `log_confusion`, (annotators, answers, true classes), to the logarithm of every annotator's blend."""
    n_classes = len(crowd)
    for annotator in range(len(shares)):
        for answer in range(n_classes):
            by_habit = shares[annotator, 2] * habits[annotator, answer]
            for true in range(n_classes):
                by_knowing = shares[annotator, 0] if answer == true else 0.0
                value = by_knowing + shares[annotator, 1] * crowd[answer, true] + by_habit
                log_confusion[annotator, answer, true] = math.log(value)


@compiled
def draw_towards(
    counts: NDArray[np.float64],
    mean: NDArray[np.float64],
    mass: float,
    log_confusion: NDArray[np.float64],
    penalties: NDArray[np.float64],
) -> None:
    """Set log confusions to their best for `counts` under Dirichlet(1 + mass x mean); `penalties` are log priors.

    All tables are (annotators, answers, true classes); columns of `mean` sum to one.
    """
    n_classes = counts.shape[1]
    totals = np.empty(n_classes)
    for annotator in range(len(counts)):
        for true in range(n_classes):
            totals[true] = mass
            for answer in range(n_classes):
                totals[true] += counts[annotator, answer, true]
            totals[true] = math.log(totals[true])
        penalty = 0.0
        for answer in range(n_classes):
            for true in range(n_classes):
                pseudo = mass * mean[annotator, answer, true]
                value = math.log(counts[annotator, answer, true] + pseudo) - totals[true]
                log_confusion[annotator, answer, true] = value
                penalty += pseudo * value
        penalties[annotator] = penalty
