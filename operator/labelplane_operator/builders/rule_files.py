"""The files of rules that a job names: ConfigMaps, mounted where stage Vote runs, which no one else reads."""

from collections.abc import Iterator
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.sources import ConfigMapKey
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.variables import plain

__all__ = ["rule_mounts", "rule_variables", "rule_volumes"]

_VOLUME: Final = "rules"
_FOLDER: Final = "/etc/labelplane/rules"


def rule_variables(job: LabelingJob, platform: Platform) -> Iterator[dict[str, Any]]:
    """Yield what rules need to be told: where their files lie, and whose functions may run."""
    if _named(job):
        yield plain("RULES_FOLDER", _FOLDER)
    if platform.trusted_packages:
        yield plain("TRUSTED_PACKAGES", ",".join(platform.trusted_packages))


def rule_volumes(job: LabelingJob) -> list[dict[str, Any]]:
    """Return the volume with a folder for each ConfigMap; none without them. No pod starts while a key is missing."""
    keys: dict[str, list[str]] = {}
    for each in _named(job):
        keys.setdefault(each.name, []).append(each.key)
    sources = [
        {"configMap": {"name": name, "items": [{"key": key, "path": f"{name}/{key}"} for key in its_keys]}}
        for name, its_keys in keys.items()
    ]
    return [{"name": _VOLUME, "projected": {"sources": sources}}] if sources else []


def rule_mounts(job: LabelingJob) -> list[dict[str, Any]]:
    """Return where the container finds that volume; not as single files, which would never change."""
    return [{"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}] if _named(job) else []


def _named(job: LabelingJob) -> tuple[ConfigMapKey, ...]:
    """Return the files, each once, in their order."""
    rules = job.spec.sources.rules
    named = {(each.name, each.key): each for rule in rules if (each := rule.config_map) is not None}
    return tuple(named.values())
