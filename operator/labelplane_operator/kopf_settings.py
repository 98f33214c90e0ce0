"""How kopf is used: as watches, and as nothing else.

Left to itself it copies and compares every object that it sees, to find what changed since its last handler, and notes
that in annotations. Nobody here asks for changes, so it is told to keep and compare nothing.
"""

from typing import Any

import kopf

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.kinds import LABELING_JOB, Kind

__all__ = ["kopf_settings"]


def kopf_settings(watched: tuple[Kind, ...]) -> kopf.OperatorSettings:
    """Return kopf's settings: watches of these kinds, of the children only those that bear a job's label."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NoComparison()
    settings.persistence.progress_storage = _NoProgress()
    for kind in watched:
        if kind is not LABELING_JOB:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = JOB_LABEL
    return settings


class _NoComparison(kopf.DiffBaseStorage):
    """Sees no difference between any two states of an object."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Knows of no handler that has begun."""

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Find nothing to purge."""

    def touch(self, **_: Any) -> None:
        """Touch nothing."""

    def clear(self, *, essence: Any) -> Any:
        return essence
