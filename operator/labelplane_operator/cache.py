"""The objects that the watches have shown, so that looking at a job costs no request."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.kinds import LABELING_JOB, Kind

__all__ = ["JobKey", "ObjectCache", "job_key"]

Object = dict[str, Any]
JobKey = tuple[str, str]
"""Namespace and name of a LabelingJob."""

_REMEMBERED_GONE = 10_000
"""Uids of objects that are gone; an answer that is later than as many deletions does not happen."""


def job_key(manifest: Object) -> JobKey | None:
    """Return the job that an object is, or belongs to; None when it is nobody's."""
    metadata = manifest["metadata"]
    if manifest.get("kind") == LABELING_JOB.kind:
        return metadata["namespace"], metadata["name"]
    name = metadata.get("labels", {}).get(JOB_LABEL)
    return (metadata["namespace"], name) if name else None


class ObjectCache:
    """LabelingJobs and their children, each as it was last seen.

    An object that was seen late (an old event after our own write) does not replace a newer one, nor its successor of
    the same name. One that is gone does not come back in a state from before: the answer to our own write may come
    after its deletion.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobKey, Object] = {}
        self._children: dict[JobKey, dict[tuple[Kind, str], Object]] = defaultdict(dict)
        self._gone: dict[str, int] = {}

    def put(self, kind: Kind, manifest: Object) -> bool:
        """Keep an object, unless this or a newer state of it is known; tell whether it was news."""
        key = job_key(manifest)
        if key is None or _version(manifest) <= self._gone.get(manifest["metadata"]["uid"], -1):
            return False
        known = self._jobs.get(key) if kind is LABELING_JOB else self.child(key, kind, manifest["metadata"]["name"])
        if not _is_news(manifest, known):
            return False
        if kind is LABELING_JOB:
            self._jobs[key] = _slim(manifest)
        else:
            self._children[key][kind, manifest["metadata"]["name"]] = _slim(manifest)
        return True

    def remove(self, kind: Kind, manifest: Object) -> None:
        """Forget an object that is gone, unless a successor of its name is known."""
        key = job_key(manifest)
        if key is None:
            return
        self._bury(manifest)
        if kind is LABELING_JOB:
            if _is_same(manifest, self._jobs.get(key)):
                del self._jobs[key]
            return
        place = (kind, manifest["metadata"]["name"])
        children = self._children.get(key, {})
        if _is_same(manifest, children.get(place)):
            del children[place]
        if not children:
            self._children.pop(key, None)

    def keep_only(self, kind: Kind, uids: Collection[str], *, version: int) -> set[JobKey]:
        """Forget what a list of a kind does not hold; return the jobs of which something was gone.

        What was seen in a state newer than the list's `version` stays: the list is too old to know it.
        """
        gone = [each for each in self._all(kind) if each["metadata"]["uid"] not in uids and _version(each) <= version]
        for each in gone:
            self.remove(kind, each)
        return {key for each in gone if (key := job_key(each)) is not None}

    def job(self, key: JobKey) -> Object | None:
        """Return a job, None when there is none."""
        return self._jobs.get(key)

    def jobs(self) -> Iterator[Object]:
        """Return every job."""
        return iter(self._jobs.values())

    def keys(self) -> set[JobKey]:
        """Return every job that exists or has children."""
        return set(self._jobs) | set(self._children)

    def child(self, key: JobKey, kind: Kind, name: str) -> Object | None:
        """Return a child of a job, None when it was not seen."""
        return self._children.get(key, {}).get((kind, name))

    def children(self, key: JobKey, kind: Kind | None = None) -> list[Object]:
        """Return the children of a job, of one kind or of all."""
        found = self._children.get(key, {})
        return [each for (its_kind, _), each in found.items() if kind is None or its_kind is kind]

    def _bury(self, manifest: Object) -> None:
        # Not for good: what loses our label is gone for a watch, and comes back when it has it again.
        self._gone[manifest["metadata"]["uid"]] = _version(manifest)
        if len(self._gone) > _REMEMBERED_GONE:
            del self._gone[next(iter(self._gone))]

    def _all(self, kind: Kind) -> list[Object]:
        if kind is LABELING_JOB:
            return list(self._jobs.values())
        return [each for key in self._children for each in self.children(key, kind)]


def _slim(manifest: Object) -> Object:
    """Return the object without who owns which field: half its size, and nobody reads it."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "managedFields"}
    return {**manifest, "metadata": metadata}


def _is_same(manifest: Object, known: Object | None) -> bool:
    return known is not None and known["metadata"]["uid"] == manifest["metadata"]["uid"]


def _is_news(manifest: Object, known: Object | None) -> bool:
    """Tell whether an object is newer than what is known of its name; versions rise from an object to its successor."""
    return known is None or _version(manifest) > _version(known)


def _version(manifest: Object) -> int:
    # Kubernetes defines that two resource versions of one resource compare as numbers (KEP-5504).
    return int(manifest["metadata"]["resourceVersion"])
