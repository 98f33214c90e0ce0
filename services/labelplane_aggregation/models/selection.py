"""Which of several models was taken, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice between models by votes that they had not seen.

    Attributes:
        chosen: name of the model that was taken.
        scores: name -> mean log-likelihood of a held-out vote, in nats, 0 or less; the largest wins. Empty where
            there were too few votes to hold any out.
        n_folds: parts into which the votes were cut; 0 where none were held out.
        reason: one sentence for people.
    """

    chosen: str
    scores: Mapping[str, float]
    n_folds: int
    reason: str
