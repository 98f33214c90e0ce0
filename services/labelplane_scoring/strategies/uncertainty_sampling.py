"""Pick what the model is least sure of (Lewis and Gale 1994; Settles 2009, section 3.1)."""

from dataclasses import dataclass
from typing import ClassVar

from labelplane_scoring import uncertainty
from labelplane_scoring.strategies.base import Candidates, Need, ScoringStrategy
from labelplane_scoring.uncertainty import FloatArray

__all__ = ["Entropy", "LeastConfidence", "Margin"]

_PROBABILITIES = frozenset({Need.PROBABILITIES})


@dataclass(frozen=True)
class Entropy(ScoringStrategy):
    """Largest Shannon entropy first: attends to the whole distribution."""

    name: ClassVar[str] = "Entropy"
    needs: ClassVar[frozenset[Need]] = _PROBABILITIES

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) entropy in nats."""
        return uncertainty.entropy(candidates.class_probabilities())


@dataclass(frozen=True)
class LeastConfidence(ScoringStrategy):
    """Smallest top probability first: attends to the predicted class only."""

    name: ClassVar[str] = "LeastConfidence"
    needs: ClassVar[frozenset[Need]] = _PROBABILITIES

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) 1 - largest probability."""
        return uncertainty.least_confidence(candidates.class_probabilities())


@dataclass(frozen=True)
class Margin(ScoringStrategy):
    """Smallest margin between the two most likely classes first: attends to the decision boundary."""

    name: ClassVar[str] = "Margin"
    needs: ClassVar[frozenset[Need]] = _PROBABILITIES

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) margin with its sign turned, -1 (certain) to 0 (a tie): 1 - margin would round small margins away."""
        return -uncertainty.margin(candidates.class_probabilities())
