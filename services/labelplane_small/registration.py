"""What a process of all services serves."""

from collections.abc import Sequence

from labelplane_aggregation.servicer import register as register_aggregation
from labelplane_core.process import ServiceParts
from labelplane_core.rpc import Registration
from labelplane_distillation.servicer import register as register_distillation
from labelplane_scoring.servicer import register as register_scoring

__all__ = ["register"]


def register(parts: ServiceParts) -> Sequence[Registration]:
    """Build aggregation, scoring and distillation on the same parts; torch loads when a training first needs it."""
    return (*register_aggregation(parts), *register_scoring(parts), *register_distillation(parts))
