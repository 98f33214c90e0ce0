"""Repeating a step until its objective no longer rises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Climb", "climb"]


@dataclass(frozen=True, slots=True)
class Climb:
    """What a climb went through.

    Attributes:
        objective: of each iteration.
        log_likelihood: of each iteration, in nats.
        converged: whether it stopped by itself.
    """

    objective: tuple[float, ...]
    log_likelihood: tuple[float, ...]
    converged: bool


def climb(step: Callable[[], tuple[float, float]], *, max_iterations: int, tolerance: float) -> Climb:
    """Repeat `step`, which returns a log-likelihood and the penalty that makes it the objective.

    It has converged when an iteration raises the objective by at most `tolerance` of it, or of 1 nat when it is
    smaller than that.
    """
    objective: list[float] = []
    log_likelihood: list[float] = []
    converged = False
    while not converged and len(objective) < max_iterations:
        likelihood, penalty = step()
        log_likelihood.append(likelihood)
        objective.append(likelihood + penalty)
        gain = objective[-1] - objective[-2] if len(objective) > 1 else float("inf")
        converged = gain <= tolerance * max(1.0, abs(objective[-1]))
    return Climb(tuple(objective), tuple(log_likelihood), converged)
