"""What the models that climb an objective have in common: settings, their bounds, and the course of a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models._class_rows import ClassPrior, ClassRows
from labelplane_aggregation.models._climb import Climb
from labelplane_aggregation.models._continuing import carry, race
from labelplane_aggregation.models._evidence import NO_GOLD, read_gold
from labelplane_aggregation.models.fit import Fit, Reliabilities, conclude
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["ClimbingModel", "Estimate", "check_class_prior", "check_settings"]

Bounds = Mapping[str, tuple[bool, str]]
"""Setting -> whether it is within its bounds, and what it must be."""


def check_settings(model: object, bounds: Bounds) -> None:
    """Raise `InvalidSettingError` for the first setting of `model` that is out of its bounds."""
    for name, (is_valid, want) in bounds.items():
        if not is_valid:
            raise InvalidSettingError(f"{name}: {getattr(model, name)!r}: must be {want}")


def check_class_prior(class_prior: ClassPrior | str | ArrayLike, *, has_item_prior: bool) -> None:
    """Raise `InvalidSettingError` for an unknown word, or for numbers beside an item prior."""
    if isinstance(class_prior, str) and class_prior not in set(ClassPrior):
        known = ", ".join(ClassPrior)
        raise InvalidSettingError(f"class_prior: {class_prior!r}: must be one of {known}, or probabilities")
    if has_item_prior and not isinstance(class_prior, str):
        raise InvalidSettingError("class_prior: has no effect beside item_prior: multiply it into item_prior")


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a model found.

    Attributes:
        posterior: (items, classes).
        confusion: (annotators, classes, classes).
        climbed: how it got there.
        accuracy: (annotators,), where it is not that of the confusion over items drawn by the class prior.
    """

    posterior: NDArray[np.float64]
    confusion: NDArray[np.float64]
    climbed: Climb
    accuracy: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One climb, with the class prior that it learned."""

    rows: ClassRows
    estimate: Estimate

    @property
    def climbed(self) -> Climb:
        return self.estimate.climbed


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClimbingModel(ABC):
    """A model whose parameters are learned step by step; a subclass says how (`_estimate`)."""

    _goes_on: ClassVar[bool] = True
    """Whether an earlier fit is used as a start."""

    max_iterations: int = 100
    tolerance: float = 1e-6
    class_prior: ClassPrior | str | ArrayLike = ClassPrior.LEARNED
    class_smoothing: float = 1.0
    threads: int | None = None
    seed: int = 0

    def fit(
        self, votes: Any, *, gold: Any = None, item_prior: ArrayLike | None = None, start: Fit | None = None
    ) -> Fit:
        """Estimate classes and annotators.

        Args:
            votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
            gold: mapping or frame item -> class: these items' posterior is that class throughout, and teaches the
                annotators' parameters. Items without a vote are left out.
            item_prior: (items, classes) probabilities of a classifier, rows as `VoteMatrix.item_ids`; they stand in
                place of the class prior (Raykar et al. 2010). Probabilities under 1e-9 are taken for 1e-9.
            start: an earlier fit with the same classes. Its parameters are the start, and where annotators or items are
                new its mean ones; if beginning anew reaches a higher objective in as many iterations, that is taken
                (`Fit.continued_` says which). Other classes: begun anew.

        Returns:
            The result; `posterior_` belongs to `reliability_` and to the last entry of `objective_`.

        Raises:
            InvalidVotesError: the votes cannot be read.
            InvalidGoldError: gold names an unknown class, or two for one item.
            InvalidPriorError: `item_prior` or `class_prior` are no probabilities of the right shape.
            InvalidSettingError: a parameter is out of its bounds.
        """
        matrix, known = self._prepare(votes, gold, has_item_prior=item_prior is not None)

        def run(posterior: NDArray[np.float64] | None, max_iterations: int) -> _Run:
            rows = self._rows(matrix, item_prior)
            model = replace(self, max_iterations=max_iterations)
            found = model._estimate(matrix, known, rows, posterior)  # noqa: SLF001 - itself, with another bound
            return _Run(rows, found)

        carried = carry(start, matrix, known) if start is not None and self._goes_on else None
        found, continued = race(run, carried, self.max_iterations)
        return self._conclude(matrix, known, found.rows, found.estimate, continued=continued)

    def _prepare(self, votes: Any, gold: Any, *, has_item_prior: bool) -> tuple[VoteMatrix, NDArray[np.int32]]:
        """Check the settings and read what is given: votes, and gold codes."""
        check_settings(self, {**self._shared_bounds(), **self._bounds()})
        check_class_prior(self.class_prior, has_item_prior=has_item_prior)
        matrix = VoteMatrix.of(votes)
        return matrix, read_gold(gold, matrix)

    def _rows(self, votes: VoteMatrix, item_prior: ArrayLike | None) -> ClassRows:
        return ClassRows(votes, class_prior=self.class_prior, smoothing=self.class_smoothing, item_prior=item_prior)

    def _conclude(
        self, votes: VoteMatrix, known: NDArray[np.int32], rows: ClassRows, found: Estimate, *, continued: bool
    ) -> Fit:
        class_prior = rows.reported(found.posterior)
        return conclude(
            votes,
            found.posterior,
            found.climbed,
            class_prior=class_prior,
            reliability=_reliabilities(votes, found, class_prior),
            n_gold=int((known != NO_GOLD).sum()),
            seed=self.seed,
            continued=continued,
        )

    @abstractmethod
    def _bounds(self) -> Bounds:
        """Return the bounds of the settings that only this model has."""

    @abstractmethod
    def _estimate(
        self,
        votes: VoteMatrix,
        known: NDArray[np.int32],
        rows: ClassRows,
        start: NDArray[np.float64] | None,
    ) -> Estimate:
        """Learn the parameters; `known` are the gold codes, `rows` the class prior to learn and to use.

        Priors are learned from the vote shares; then it climbs from the posterior `start`, or from the shares.
        """

    def _shared_bounds(self) -> Bounds:
        return {
            "max_iterations": (self.max_iterations >= 1, "at least 1"),
            "tolerance": (0.0 <= self.tolerance < np.inf, "0 or more"),
            "class_smoothing": (0.0 < self.class_smoothing < np.inf, "above 0"),
            "threads": (self.threads is None or self.threads >= 1, "at least 1, or None"),
        }


def _reliabilities(votes: VoteMatrix, found: Estimate, class_prior: NDArray[np.float64]) -> Reliabilities:
    """Put the annotators' matrices in a table; accuracy is over items drawn by the class prior, unless it is given."""
    accuracy = found.accuracy
    if accuracy is None:
        accuracy = np.diagonal(found.confusion, axis1=1, axis2=2) @ class_prior
    return Reliabilities(
        votes.annotator_ids,
        accuracy=accuracy,
        confusion=found.confusion,
        n_votes=np.bincount(votes.annotators, minlength=votes.n_annotators),
    )
