"""Query strategies: which items are worth a label.

`STRATEGIES` maps the names of the job's spec (`sampling.strategy`) to classes; `make_strategy` makes one by name.
"""

from collections.abc import Mapping
from types import MappingProxyType

from labelplane_scoring.errors import UnknownStrategyError
from labelplane_scoring.strategies.badge import Badge
from labelplane_scoring.strategies.bald import Bald
from labelplane_scoring.strategies.base import BaseStrategy, Candidates, Need, ScoringStrategy, Selection, Strategy
from labelplane_scoring.strategies.core_set import CoreSet, KCenter
from labelplane_scoring.strategies.density import DensityWeighted
from labelplane_scoring.strategies.gradient_length import ExpectedGradientLength
from labelplane_scoring.strategies.random_sampling import Random
from labelplane_scoring.strategies.selection import top_n
from labelplane_scoring.strategies.uncertainty_sampling import Entropy, LeastConfidence, Margin

__all__ = [
    "COLD_START_STRATEGIES",
    "STRATEGIES",
    "Badge",
    "Bald",
    "BaseStrategy",
    "Candidates",
    "CoreSet",
    "DensityWeighted",
    "Entropy",
    "ExpectedGradientLength",
    "KCenter",
    "LeastConfidence",
    "Margin",
    "Need",
    "Random",
    "ScoringStrategy",
    "Selection",
    "Strategy",
    "make_strategy",
    "top_n",
]

STRATEGIES: Mapping[str, type[BaseStrategy]] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (
            Random,
            Entropy,
            LeastConfidence,
            Margin,
            DensityWeighted,
            CoreSet,
            ExpectedGradientLength,
            Bald,
            Badge,
        )
    }
)
"""Every strategy of the spec by its name; each is made without arguments."""

COLD_START_STRATEGIES: Mapping[str, type[BaseStrategy]] = MappingProxyType({Random.name: Random, KCenter.name: KCenter})
"""Strategies for the first round, when there is no model: they need no probabilities."""


def make_strategy(name: str) -> Strategy:
    """Make a strategy by its name in `STRATEGIES` or `COLD_START_STRATEGIES`, with default parameters.

    Raises:
        UnknownStrategyError: no strategy has that name; the message lists those there are.
    """
    found = STRATEGIES.get(name) or COLD_START_STRATEGIES.get(name)
    if found is None:
        known = ", ".join(sorted({*STRATEGIES, *COLD_START_STRATEGIES}))
        raise UnknownStrategyError(f"no strategy is called {name!r}: choose one of {known}")
    return found()
