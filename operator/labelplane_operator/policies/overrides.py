"""What is wrong in `spec.podOverrides`, which the API server stores as it comes: the rules of pods, and ours."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from labelplane_api.running import (
    PodOverride,
    PodOverrides,
    ResourceRequirements,
    TaintEffect,
    Toleration,
    TolerationOperator,
)
from labelplane_operator.builders.resources import amount
from labelplane_operator.builders.variables import PREFIX, can_be_told

__all__ = ["override_refusals"]

_RESERVED: Final = ("labelplane.io/", "app.kubernetes.io/", "kueue.x-k8s.io/")
_AFFINITIES: Final = ("nodeAffinity", "podAffinity", "podAntiAffinity")
_PLAIN_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_MOST_DEVICES: Final = 1_000_000
_LONGEST_NAME: Final = 63
_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def override_refusals(overrides: PodOverrides) -> Iterator[str]:
    """Yield what is wrong, as `field: reason: remedy`, in the order of the fields."""
    for name, info in PodOverrides.model_fields.items():
        override: PodOverride | None = getattr(overrides, name)
        if override is None:
            continue
        for find in _FINDERS:
            for problem in find(override):
                yield f"spec.podOverrides.{info.alias or name}.{problem}"


def _resources(override: PodOverride) -> Iterator[str]:
    if override.resources is None:
        return
    requirements = override.resources
    for side, quantities in (("requests", requirements.requests), ("limits", requirements.limits)):
        for resource, quantity in quantities.items():
            if (problem := _resource_problem(resource, quantity)) is not None:
                yield f"resources.{side}.{resource}: {problem}"
    yield from _over_limits(requirements)


def _resource_problem(resource: str, quantity: str) -> str | None:
    if "/" not in resource and resource not in _PLAIN_RESOURCES:
        return f"is no resource: take {', '.join(sorted(_PLAIN_RESOURCES))} or one with a domain, as nvidia.com/gpu"
    if "/" in resource and not _is_device(resource):
        return "is no name of a resource: write it as nvidia.com/gpu"
    if "/" in resource and (amount(quantity) % 1 or amount(quantity) > _MOST_DEVICES):
        return f"{quantity} is no number of devices: give a whole one, at most {_MOST_DEVICES:,}"
    return None


def _is_device(resource: str) -> bool:
    """Whether a name may be that of an extended resource; some domains are Kubernetes' own."""
    is_reserved = resource.startswith("requests.") or "kubernetes.io/" in resource
    return not is_reserved and _is_qualified(resource)


def _over_limits(requirements: ResourceRequirements) -> Iterator[str]:
    for resource, request in requirements.requests.items():
        limit = requirements.limits.get(resource)
        if limit is None:
            continue
        if amount(request) > amount(limit):
            yield f"resources.requests.{resource}: {request} is more than its limit {limit}: raise the limit"
        elif "/" in resource and amount(request) != amount(limit):
            yield f"resources.requests.{resource}: {request} is not its limit {limit}: devices are given whole"


def _node_selector(override: PodOverride) -> Iterator[str]:
    yield from _label_problems("nodeSelector", override.node_selector)


def _labels(override: PodOverride) -> Iterator[str]:
    yield from _label_problems("labels", override.labels)
    for key in override.labels:
        if key.startswith(_RESERVED):
            yield f"labels.{key}: labelplane sets the labels of {key.split('/')[0]}: remove it"


def _label_problems(field: str, entries: Mapping[str, str]) -> Iterator[str]:
    for key, value in entries.items():
        if not _is_qualified(key):
            yield f"{field}.{key}: is no name of a label: write it as name or example.com/name"
        elif not _is_label_value(value):
            yield f'{field}.{key}: "{value}" is no value of a label: use letters, digits, -, _ and .'


def _env(override: PodOverride) -> Iterator[str]:
    for number, variable in enumerate(override.env):
        if variable.name.startswith(PREFIX):
            yield f"env[{number}].name: labelplane sets {PREFIX}* itself: remove {variable.name}"
        if not can_be_told(variable.value):
            yield f"env[{number}].value: holds a character that no pod can be told: remove it"


def _affinity(override: PodOverride) -> Iterator[str]:
    for key, value in override.affinity.items():
        if key not in _AFFINITIES:
            yield f"affinity.{key}: is not known: take {', '.join(_AFFINITIES)}"
        elif not isinstance(value, dict):
            yield f"affinity.{key}: is no object: write it as in a pod"


def _tolerations(override: PodOverride) -> Iterator[str]:
    for number, toleration in enumerate(override.tolerations):
        if (problem := _toleration_problem(toleration)) is not None:
            yield f"tolerations[{number}].{problem}"


def _toleration_problem(toleration: Toleration) -> str | None:
    exists = toleration.operator is TolerationOperator.EXISTS
    if not toleration.key and not exists:
        return "operator: Equal needs a key: name it, or take Exists to bear every taint"
    if toleration.key and not _is_qualified(toleration.key):
        return f'key: "{toleration.key}" is no name of a taint: write it as name or example.com/name'
    if exists and toleration.value:
        return "value: Exists compares with no value: remove it"
    if toleration.value and not _is_label_value(toleration.value):
        return f'value: "{toleration.value}" is no value of a taint: use letters, digits, -, _ and .'
    if toleration.toleration_seconds is not None and toleration.effect is not TaintEffect.NO_EXECUTE:
        return "tolerationSeconds: is for effect NoExecute alone: remove it"
    return None


def _is_qualified(name: str) -> bool:
    """Whether a text is a Kubernetes qualified name: a name, and maybe a domain before it."""
    domain, slash, short = name.rpartition("/")
    if slash and not (len(domain) <= 253 and _DOMAIN.fullmatch(domain)):
        return False
    return len(short) <= _LONGEST_NAME and _NAME.fullmatch(short) is not None


def _is_label_value(value: str) -> bool:
    return not value or (len(value) <= _LONGEST_NAME and _NAME.fullmatch(value) is not None)


_FINDERS: Final[tuple[Callable[[PodOverride], Iterator[str]], ...]] = (
    _resources,
    _node_selector,
    _tolerations,
    _affinity,
    _labels,
    _env,
)
"""In the order of the fields of a PodOverride."""
