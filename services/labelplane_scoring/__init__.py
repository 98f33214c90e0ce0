"""Scoring: what a model thinks of each item, how unsure it is, and which items are worth a label.

The names below load when they are first used, so importing the package loads neither numpy nor numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelplane_scoring.stability import Stability, cohen_kappa, equal_share, prediction_stability
    from labelplane_scoring.strategies import (
        COLD_START_STRATEGIES,
        STRATEGIES,
        Candidates,
        Selection,
        Strategy,
        make_strategy,
    )
    from labelplane_scoring.threads import thread_count
    from labelplane_scoring.uncertainty import check_probabilities, entropy, least_confidence, margin, softmax

__all__ = [
    "COLD_START_STRATEGIES",
    "STRATEGIES",
    "Candidates",
    "Selection",
    "Stability",
    "Strategy",
    "check_probabilities",
    "cohen_kappa",
    "entropy",
    "equal_share",
    "least_confidence",
    "make_strategy",
    "margin",
    "prediction_stability",
    "softmax",
    "thread_count",
]

_HOMES = {
    "COLD_START_STRATEGIES": "strategies",
    "STRATEGIES": "strategies",
    "Candidates": "strategies",
    "Selection": "strategies",
    "Stability": "stability",
    "Strategy": "strategies",
    "check_probabilities": "uncertainty",
    "cohen_kappa": "stability",
    "entropy": "uncertainty",
    "equal_share": "stability",
    "least_confidence": "uncertainty",
    "make_strategy": "strategies",
    "margin": "uncertainty",
    "prediction_stability": "stability",
    "softmax": "uncertainty",
    "thread_count": "threads",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module at first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """The public names, whether loaded or not."""
    return sorted(__all__)
