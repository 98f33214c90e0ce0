"""Trains a teacher on posteriors, distils it into a small student, and exports both.

The base install trains linear heads; the extras `local` and `encoders` bring neural ones. Names load when first used.
"""

from importlib import import_module
from typing import Any

__all__ = [
    "DistillationService",
    "LinearLearner",
    "LinearSoftmax",
    "TrainRequest",
    "distillation_loss",
    "fit_temperature",
    "register",
]

_HOMES = {
    "DistillationService": "service",
    "LinearLearner": "linear",
    "LinearSoftmax": "linear",
    "TrainRequest": "requests",
    "distillation_loss": "losses",
    "fit_temperature": "calibration",
    "register": "servicer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
