"""ConfigMaps that a job's pods mount.

While one is missing no container is made, and nothing in the pod says why: an event would, half an hour long and
without the name of a ConfigMap that lacks a key. So what the job names is looked up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from labelplane_api.conditions import Reason
from labelplane_api.job import LabelingJob
from labelplane_operator.observed import Problem

__all__ = ["NamedKey", "find_missing_key", "named_keys", "storage_keys"]

_CA_KEY: Final = "ca.crt"


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key of a ConfigMap, and the field of the job that names it."""

    config_map: str
    key: str
    field: str


def named_keys(job: LabelingJob) -> tuple[NamedKey, ...]:
    """Return what the pods of a job mount, in the order of the spec."""
    return (*storage_keys(job), *_rule_keys(job))


def storage_keys(job: LabelingJob) -> tuple[NamedKey, ...]:
    """Return what every pod mounts that reaches the storage, the one that removes results too."""
    name = job.spec.storage.ca_bundle_config_map
    return (NamedKey(name, _CA_KEY, "spec.storage.caBundleConfigMap"),) if name else ()


def find_missing_key(named: tuple[NamedKey, ...], there: Mapping[str, frozenset[str] | None]) -> Problem | None:
    """Return the first key that is not there as a problem, None when all are.

    Args:
        named: what is looked for.
        there: the keys of each ConfigMap by its name, None where there is none; one that is not in it is not known.
    """
    return next(_missing(named, there), None)


def _missing(named: tuple[NamedKey, ...], there: Mapping[str, frozenset[str] | None]) -> Iterator[Problem]:
    for each in named:
        keys = there.get(each.config_map, frozenset((each.key,)))
        if keys is None:
            what, todo = f"there is no ConfigMap {each.config_map}", "create it in the job's namespace"
        elif each.key not in keys:
            what, todo = f"ConfigMap {each.config_map} has no key {each.key}", "add the key"
        else:
            continue
        text = f"no pod can start: {what} ({each.field}): {todo}, or correct its name in the job"
        yield Problem(Reason.MISSING_CONFIG_MAP, text)


def _rule_keys(job: LabelingJob) -> Iterator[NamedKey]:
    for place, rule in enumerate(job.spec.sources.rules):
        if rule.config_map is not None:
            yield NamedKey(rule.config_map.name, rule.config_map.key, f"spec.sources.rules[{place}].configMap")
