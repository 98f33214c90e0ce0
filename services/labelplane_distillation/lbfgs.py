"""Limited-memory BFGS for smooth convex functions (Nocedal and Wright: Numerical Optimization, algorithm 7.5)."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelplane_distillation.losses import Floats

__all__ = ["Minimum", "Objective", "minimise"]

Objective = Callable[[Floats], tuple[float, Floats]]

_MEMORY = 10
_SUFFICIENT_DECREASE = 1e-4
_MAX_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where a minimisation ended; `is_converged` is False when it ran out of iterations or of floating-point digits."""

    point: Floats
    value: float
    iterations: int
    is_converged: bool


def minimise(
    objective: Objective,
    start: Floats,
    *,
    max_iterations: int,
    tolerance: float = 1e-6,
    after_iteration: Callable[[int], None] = lambda _: None,
) -> Minimum:
    """Minimise `objective`, which returns value and gradient, from `start` (which is not changed).

    It has converged when the largest entry of the gradient is at most `tolerance` times max(1, |value|). The value
    never rises from one iteration to the next. Cost: one or a few evaluations, and O(20 n) flops, an iteration.
    """
    point = np.array(start, dtype=np.float64)
    value, gradient = objective(point)
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)
    for iteration in range(max_iterations):
        if np.abs(gradient).max() <= tolerance * max(1.0, abs(value)):
            return Minimum(point, value, iteration, is_converged=True)
        direction = -_precondition(gradient, pairs)
        found = _search_line(objective, point, direction, value=value, gradient=gradient, is_first=not pairs)
        if found is None:
            return Minimum(point, value, iteration, is_converged=False)
        new_point, value, new_gradient = found
        _remember(pairs, new_point - point, new_gradient - gradient)
        point, gradient = new_point, new_gradient
        after_iteration(iteration + 1)
    is_converged = bool(np.abs(gradient).max() <= tolerance * max(1.0, abs(value)))
    return Minimum(point, value, max_iterations, is_converged=is_converged)


def _precondition(gradient: Floats, pairs: deque[tuple[Floats, Floats]]) -> Floats:
    """Return the inverse-Hessian estimate of the remembered pairs, times the gradient (two-loop recursion)."""
    result = gradient.copy()
    projections: list[float] = []
    for step, change in reversed(pairs):
        projections.append(float(step @ result) / float(step @ change))
        result -= projections[-1] * change
    if pairs:
        step, change = pairs[-1]
        result *= float(step @ change) / float(change @ change)
    for (step, change), projection in zip(pairs, reversed(projections), strict=True):
        result += (projection - float(change @ result) / float(step @ change)) * step
    return result


def _search_line(
    objective: Objective, point: Floats, direction: Floats, *, value: float, gradient: Floats, is_first: bool
) -> tuple[Floats, float, Floats] | None:
    """Halve the step until the value falls enough; None when no step of any size lets it fall."""
    slope = float(gradient @ direction)
    # Nothing is known of the curvature yet, so the first step is at most 1 long.
    length = min(1.0, 1.0 / float(np.linalg.norm(direction))) if is_first else 1.0
    for _ in range(_MAX_HALVINGS):
        new_point = point + length * direction
        new_value, new_gradient = objective(new_point)
        if new_value <= value + _SUFFICIENT_DECREASE * length * slope:
            return new_point, new_value, new_gradient
        length *= 0.5
    return None


def _remember(pairs: deque[tuple[Floats, Floats]], step: Floats, change: Floats) -> None:
    """Keep the pair when it has positive curvature, without which the estimate would stop being definite."""
    if float(step @ change) > 1e-12 * float(change @ change):
        pairs.append((step, change))
