"""Going on from an earlier fit when votes have come in, or beginning anew where that is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from labelplane_aggregation.models._climb import Climb
from labelplane_aggregation.models._steps import Steps
from labelplane_aggregation.models.fit import Fit
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["carry", "race"]

_LEAST = 1e-12
"""A probability of an earlier confusion counts at least this: what never happened may happen."""


class _Climbed(Protocol):
    @property
    def climbed(self) -> Climb: ...


_Found = TypeVar("_Found", bound=_Climbed)


def carry(previous: Fit, votes: VoteMatrix, known: NDArray[np.int32]) -> NDArray[np.float64] | None:
    """Return what an earlier fit's parameters say of the items, (items, classes); None where its classes were others.

    Annotators who are new to it answer as its annotators do on the mean, by their votes.
    """
    if not previous.classes_.equals(votes.classes):
        return None
    found = previous.reliability_
    mass = np.maximum(found.n_votes, 1.0)
    typical = np.tensordot(mass / mass.sum(), found.confusion, axes=1)
    places = pc.index_in(votes.annotator_ids, value_set=found.annotator_ids).fill_null(-1).to_numpy()
    with Steps(votes, known, threads=1) as steps:
        for annotator, place in enumerate(places):
            rows = typical if place < 0 else found.confusion[place]
            steps.log_confusion[annotator] = np.log(np.maximum(rows.T, _LEAST))
        steps.expect(np.log(np.maximum(previous.class_prior_, _LEAST))[None, :])
        return steps.posterior


def race(
    run: Callable[[NDArray[np.float64] | None, int], _Found], start: NDArray[np.float64] | None, max_iterations: int
) -> tuple[_Found, bool]:
    """Return the better of going on from `start` and beginning anew, and whether it went on.

    `run(start, max_iterations)` climbs one objective from a posterior, or from the vote shares. Beginning anew gets as
    many iterations as going on took; where it is ahead by then, it runs to its end and is taken.
    """
    if start is None:
        return run(None, max_iterations), False
    warm = run(start, max_iterations)
    cold = run(None, min(max_iterations, len(warm.climbed.objective)))
    if cold.climbed.objective[-1] <= warm.climbed.objective[-1]:
        return warm, True
    return (cold if cold.climbed.converged else run(None, max_iterations)), False
