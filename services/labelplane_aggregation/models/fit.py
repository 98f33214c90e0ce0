"""What every aggregator returns, and the one method it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labelplane_aggregation.models._climb import Climb
from labelplane_aggregation.models.selection import Selection
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Fit", "Reliabilities", "Reliability", "TruthModel", "conclude", "decide"]

_TIE = 1e-12
"""Relative difference under which two probabilities are one: sums of equal parts differ by rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """What aggregation learned about one annotator.

    Attributes:
        accuracy: probability, 0 to 1, that a vote of this annotator is right.
        confusion: (classes, classes), rows sum to one: P(answer = column | true class = row).
        n_votes: votes it rests on.
    """

    accuracy: float
    confusion: NDArray[np.float64]
    n_votes: int


class Reliabilities(Mapping[str, Reliability]):
    """Annotator id -> `Reliability`, over arrays; an entry is made when it is asked for.

    Attributes:
        annotator_ids: Arrow strings; the arrays' first axis.
        accuracy: (annotators,).
        confusion: (annotators, classes, classes), axes annotator, true class, answer.
        n_votes: int64, (annotators,).
    """

    __slots__ = ("_places", "accuracy", "annotator_ids", "confusion", "n_votes")

    def __init__(
        self,
        annotator_ids: pa.StringArray,
        *,
        accuracy: NDArray[np.float64],
        confusion: NDArray[np.float64],
        n_votes: NDArray[np.int64],
    ) -> None:
        self.annotator_ids = annotator_ids
        self.accuracy = accuracy
        self.confusion = confusion
        self.n_votes = n_votes
        self._places = {name: place for place, name in enumerate(map(str, annotator_ids.to_pylist()))}

    def __getitem__(self, annotator: str) -> Reliability:
        place = self._places[annotator]
        return Reliability(float(self.accuracy[place]), self.confusion[place], int(self.n_votes[place]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"Reliabilities({len(self)} annotators)"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fit:
    """The result of one aggregation.

    Attributes:
        item_ids_: Arrow strings; rows of the tables below.
        classes_: Arrow strings; columns of `posterior_`.
        posterior_: float64, (items, classes), rows sum to one.
        answers_: int32, (items,): the decided class's position in `classes_`.
        confidence_: float64, (items,): the largest posterior of each item.
        ties_: bool, (items,): several classes shared the largest posterior and the seeded generator chose.
        class_prior_: float64, (classes,): share of each class; for a model with `item_prior` the mean posterior.
        reliability_: annotator id -> `Reliability`.
        objective_: float64, (iterations,): what the model climbs: a penalised log-likelihood, or a bound on the
            evidence; empty where nothing iterates.
        log_likelihood_: float64, (iterations,): of the observed votes, in nats (the expected one under a variational
            model); empty likewise.
        converged_: whether the model stopped by itself and not at its bound of iterations.
        n_iter_: iterations done.
        n_gold_: items whose class was given.
        selection_: which models were weighed and why; None where there was no choice.
        continued_: whether the result went on from the earlier fit that was given; False where beginning anew was
            better, or nothing was given.
    """

    item_ids_: pa.StringArray
    classes_: pa.StringArray
    posterior_: NDArray[np.float64]
    answers_: NDArray[np.int32]
    confidence_: NDArray[np.float64]
    ties_: NDArray[np.bool_]
    class_prior_: NDArray[np.float64]
    reliability_: Reliabilities
    objective_: NDArray[np.float64]
    log_likelihood_: NDArray[np.float64]
    converged_: bool
    n_iter_: int
    n_gold_: int
    selection_: Selection | None = None
    continued_: bool = False

    @property
    def labels_(self) -> pa.StringArray:
        """Arrow strings, (items,): the decided class of each item."""
        labels: pa.StringArray = self.classes_.take(pa.array(self.answers_, pa.int32()))
        return labels


class TruthModel(Protocol):
    """An aggregator: votes in, `Fit` out. It keeps no state between fits and changes none of its inputs."""

    def fit(self, votes: Any, *, gold: Any = None) -> Fit:
        """Aggregate `votes` (a `VoteMatrix` or any frame of item, annotator, label).

        Args:
            votes: the votes.
            gold: mapping or frame item -> class: these items' posterior is that class.
        """
        ...


def decide(
    posterior: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]]:
    """Return each row's largest class, its probability, and which rows were ties.

    A tie is drawn from `rng` with equal chances, never by the order of the classes. Probabilities within 1e-12 of
    each other, relatively, are equal. O(items x classes); the generator is used for tied rows only.
    """
    answers = posterior.argmax(axis=1).astype(np.int32)
    confidence = posterior.max(axis=1)
    best = posterior >= confidence[:, None] * (1.0 - _TIE)
    ties: NDArray[np.bool_] = best.sum(axis=1) > 1
    if ties.any():
        draws = np.where(best[ties], rng.random((int(ties.sum()), posterior.shape[1])), -1.0)
        answers[ties] = draws.argmax(axis=1)
    return answers, confidence, ties


def conclude(
    votes: VoteMatrix,
    posterior: NDArray[np.float64],
    climbed: Climb,
    *,
    class_prior: NDArray[np.float64],
    reliability: Reliabilities,
    n_gold: int,
    seed: int,
    continued: bool = False,
) -> Fit:
    """Decide each item by its posterior, ties by a generator of `seed`, and put the result together."""
    answers, confidence, ties = decide(posterior, np.random.default_rng(seed))
    return Fit(
        item_ids_=votes.item_ids,
        classes_=votes.classes,
        posterior_=posterior,
        answers_=answers,
        confidence_=confidence,
        ties_=ties,
        class_prior_=class_prior,
        reliability_=reliability,
        objective_=np.array(climbed.objective, np.float64),
        log_likelihood_=np.array(climbed.log_likelihood, np.float64),
        converged_=climbed.converged,
        n_iter_=len(climbed.objective),
        n_gold_=n_gold,
        continued_=continued,
    )
