"""Encoders behind one registry; none of them loads torch before it is used."""

from labelplane_distillation.encoders.registry import (
    ENCODERS,
    Encoder,
    LearnerParts,
    find_encoder,
    make_learner,
    require_encoder,
    resolve_encoder,
)
from labelplane_distillation.encoders.weights import fetch_weights

__all__ = [
    "ENCODERS",
    "Encoder",
    "LearnerParts",
    "fetch_weights",
    "find_encoder",
    "make_learner",
    "require_encoder",
    "resolve_encoder",
]
