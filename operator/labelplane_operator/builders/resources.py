"""Requests and limits: what each workload gets when the job does not say, and what it gets when it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from labelplane_api.running import ResourceRequirements

__all__ = ["Resources", "amount"]

_SUFFIXES: Final[Mapping[str, Decimal]] = {
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


def amount(quantity: str) -> Decimal:
    """Return the number that a Kubernetes quantity stands for, "1500m" as 1.5."""
    number = quantity.rstrip("mkMGTPEKi")
    return Decimal(number) * _SUFFIXES.get(quantity[len(number) :], Decimal(1))


def _is_counted(resource: str) -> bool:
    """Whether a resource is handed out whole, as GPUs are, so that its request is its limit."""
    return "/" in resource


@dataclass(frozen=True, slots=True)
class Resources:
    """What a container gets at least and at most, as Kubernetes quantities by resource."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]

    def changed_by(self, override: ResourceRequirements | None) -> "Resources":
        """Return these with what the override says; the other side of a default is moved to fit it."""
        if override is None:
            return self
        requests, limits = {**self.requests, **override.requests}, {**self.limits, **override.limits}
        for resource, request in override.requests.items():
            if resource in override.limits:
                continue
            limit = limits.get(resource)
            if _is_counted(resource) or (limit is not None and amount(limit) < amount(request)):
                limits[resource] = request
        for resource, limit in override.limits.items():
            if resource in override.requests:
                continue
            request = requests.get(resource, limit)
            if _is_counted(resource) or amount(limit) < amount(request):
                requests[resource] = limit
        return Resources(requests=requests, limits=limits)

    def manifest(self) -> dict[str, Any]:
        """Return them as a container holds them."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}
