"""Which of several models was taken, with what weight, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice between models by votes that they had not seen.

    Attributes:
        chosen: name of the model with the most weight.
        scores: name -> mean log-likelihood of a held-out vote, in nats, 0 or less. Empty where there were too few votes
            to hold any out.
        n_folds: parts that were held out, each once; 0 where none were.
        reason: one sentence for people.
        weights: name -> share in the result, 0 to 1, summing to one.
    """

    chosen: str
    scores: Mapping[str, float]
    n_folds: int
    reason: str
    weights: Mapping[str, float]
