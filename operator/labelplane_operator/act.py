"""Makes the world what a plan says: children by server-side apply, their replicas by /scale, a stage by its Start.

Every step is idempotent, and skipped when the watches show that it is done already.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.metadata import ObjectMeta
from labelplane_operator.builders import Child, Platform, build_children, build_cleanup, build_holding
from labelplane_operator.cache import ObjectCache, job_key
from labelplane_operator.child_views import belongs_to
from labelplane_operator.errors import ApiConflict, ApiNotFound, NamespaceEnding, NameTaken
from labelplane_operator.job_identity import key_of, uid_of
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT, JOB, LABELING_JOB, POD, SECRET, Kind, kind_of
from labelplane_operator.kube import SCALER, Kube
from labelplane_operator.plan import Plan
from labelplane_operator.policies.deletion import FINALIZER, is_being_deleted, wanted_finalizers

__all__ = ["APPLIED", "Actor"]

_log = logging.getLogger(__name__)

APPLIED = "labelplane.io/applied"
"""Annotation of a child: the digest of what was applied last."""

_NO_OBJECTS_VERSION = "1"
"""A resourceVersion that no object has: the store's own first revision. Applied with it, what exists is a conflict."""

Object = dict[str, Any]
_Place = tuple[Kind, str]


class Actor:
    """Acts for one cluster.

    Args:
        kube: writes the children.
        cache: shows the children as they are; what is written is put there at once.
        services: start the stages.
        platform: how this installation runs the pods of jobs.
        token_of: returns the token of the job with a uid.
    """

    def __init__(
        self,
        kube: Kube,
        cache: ObjectCache,
        services: JobServices,
        platform: Platform,
        *,
        token_of: Callable[[str], str],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._services = services
        self._platform = platform
        self._token_of = token_of
        self._applied: dict[str, dict[_Place, tuple[str, str]]] = {}
        self._secrets: dict[str, set[str]] = {}

    async def act(self, job: LabelingJob, plan: Plan) -> bool:
        """Do what the plan says, and tell whether the stage that it starts has ended: then there is more to do at once.

        Raises:
            NameTaken: an object of somebody else bears a child's name.
            ApiError, ApiUnavailable: the API server refuses, or is away; acting again goes on where this stopped.
        """
        # First: a job is held before it writes anything, and let go before what removed its results is taken away.
        await self._hold(job.metadata, is_wanted=plan.finalizer)
        try:
            await self._have_children(job, self._wanted(job, plan))
        except NamespaceEnding:
            if not plan.cleanup:
                raise
            # The Secret goes too, and a job that waits for what cannot be made would hold the namespace for good.
            key = f"{job.metadata.namespace}/{job.metadata.name}"
            _log.warning("%s: its namespace is being deleted, so its results stay: nothing can remove them", key)
            await self._hold(job.metadata, is_wanted=False)
        return plan.start is not None and await self._services.start(job, plan.start)

    async def clear(self, metadata: ObjectMeta, plan: Plan) -> None:
        """Let nothing of an object run that is no valid job, and let it go when it is deleted."""
        await self._remove_others(metadata, ())
        await self._hold(metadata, is_wanted=plan.finalizer)

    async def _hold(self, metadata: ObjectMeta, *, is_wanted: bool | None) -> None:
        """Add the finalizer of the results to a job, or take it away; None leaves it as it is."""
        held = self._cache.job((metadata.namespace, metadata.name))
        if held is None or is_wanted is None:
            return
        now = ObjectMeta.model_validate(held["metadata"])
        finalizers = wanted_finalizers(now, is_held=is_wanted)
        if now.uid != metadata.uid or finalizers == now.finalizers:
            return
        # Somebody else's finalizer that comes meanwhile must not be lost.
        version = held["metadata"]["resourceVersion"]
        change = {"metadata": {"finalizers": list(finalizers), "resourceVersion": version}}
        changed = await self._kube.merge(LABELING_JOB, metadata.namespace, metadata.name, change)
        if is_being_deleted(now) and not finalizers:
            self._cache.remove(LABELING_JOB, changed)  # that was all that held it
        else:
            self._cache.put(LABELING_JOB, changed)

    def forget(self, uid: str) -> None:
        """Forget what was applied for a job that is gone."""
        self._secrets.pop(uid, None)
        self._applied.pop(uid, None)

    def _wanted(self, job: LabelingJob, plan: Plan) -> Sequence[Child]:
        if plan.cleanup:
            return build_cleanup(job, self._platform)
        if plan.parts is None:
            is_held = FINALIZER in job.metadata.finalizers if plan.finalizer is None else plan.finalizer
            return build_holding(job, self._platform) if is_held else ()
        token = self._token_of(uid_of(job))
        count = plan.workers
        workers, seconds = (None, None) if count is None else (count.replicas, count.seconds_per_shard)
        return build_children(
            job,
            plan.parts,
            self._platform,
            token=token,
            workers=workers,
            seconds_per_shard=seconds,
            training=plan.training,
        )

    async def _have_children(self, job: LabelingJob, children: Sequence[Child]) -> None:
        for child in children:
            await self._have(job, child)
        await self._remove_others(job.metadata, children)

    async def _have(self, job: LabelingJob, child: Child) -> None:
        kind = kind_of(child.manifest)
        if kind is SECRET:
            await self._have_secret(job, child.manifest)
            return
        live = self._live(job, kind, child.manifest)
        if live is None and child.is_last and self._has_pods(job):
            return  # their end is an event
        try:
            await self._have_as_wanted(job, kind, child, live)
        except ApiConflict:
            found = None if live is not None else await self._unseen(job, kind, child.manifest)
            if found is None:
                raise
            await self._have_as_wanted(job, kind, child, found)

    async def _have_as_wanted(self, job: LabelingJob, kind: Kind, child: Child, live: Object | None) -> None:
        """Make an object, or what stands as wanted; ApiConflict where one stands that no watch has shown."""
        if live is not None and not belongs_to(live, job.metadata.uid):
            # Left by a job of the same name that is gone; its successor waits until the name is free.
            await self._remove(kind, live)
            return
        if kind is DEPLOYMENT:
            await self._have_deployment(job, child, live)
        elif kind is JOB:
            await self._have_job(job, child.manifest, live)
        else:
            await self._have_object(job, kind, child.manifest, live)

    async def _have_secret(self, job: LabelingJob, manifest: Mapping[str, Any]) -> None:
        """Create the Secret once; the operator may not read it, and what stands is derived from the same uid."""
        made = self._secrets.setdefault(uid_of(job), set())
        if manifest["metadata"]["name"] in made:
            return
        with suppress(ApiConflict):  # a leader before this one made it
            await self._kube.create(SECRET, manifest)
        made.add(manifest["metadata"]["name"])

    async def _have_deployment(self, job: LabelingJob, child: Child, live: Object | None) -> None:
        if live is None:
            wanted = child.replicas or 0
            # Born without pods: the API server would give it one.
            live = await self._have_object(job, DEPLOYMENT, child.manifest, None, replicas=0)
            if live["spec"]["replicas"] == 0:
                # From here on the scaler owns the field, so that applying the rest leaves it alone.
                live = await self._kube.apply(DEPLOYMENT, _replicas_alone(child.manifest, wanted), manager=SCALER)
                self._cache.put(DEPLOYMENT, live)
        else:
            live = await self._have_object(job, DEPLOYMENT, child.manifest, live)
            wanted = live["spec"]["replicas"] if child.replicas is None else child.replicas
        if live["spec"]["replicas"] != wanted:
            metadata = live["metadata"]
            await self._kube.scale(DEPLOYMENT, metadata["namespace"], metadata["name"], wanted)

    async def _have_job(self, job: LabelingJob, manifest: Mapping[str, Any], live: Object | None) -> None:
        """Make a Job; its pods cannot be changed, so another replaces it."""
        if live is None:
            await self._have_object(job, JOB, manifest, None)
        elif live["metadata"].get("annotations", {}).get(APPLIED) != _digest(manifest):
            await self._remove(JOB, live)

    def _has_pods(self, job: LabelingJob) -> bool:
        """Whether a pod of the job is left, or could still be made."""
        return any(self._cache.children(key_of(job), kind) for kind in (POD, DEPLOYMENT))

    async def _have_object(
        self,
        job: LabelingJob,
        kind: Kind,
        manifest: Mapping[str, Any],
        live: Object | None,
        *,
        replicas: int | None = None,
    ) -> Object:
        """Apply an object unless it stands as wanted, and return it as it stands."""
        digest = _digest(manifest)
        place = (kind, manifest["metadata"]["name"])
        applied_before = self._applied.setdefault(uid_of(job), {})
        if live is not None and _stands(manifest, live, digest=digest, applied_before=applied_before.get(place)):
            return live
        marked = _marked(manifest, digest)
        if replicas is not None:
            marked["spec"] = {**marked["spec"], "replicas": replicas}
        if live is None:
            marked["metadata"]["resourceVersion"] = _NO_OBJECTS_VERSION
        applied = await self._kube.apply(kind, marked, is_forced=live is not None)
        applied_before[place] = (digest, _digest(_as_written(applied, manifest)))
        self._cache.put(kind, applied)
        return applied

    async def _unseen(self, job: LabelingJob, kind: Kind, manifest: Mapping[str, Any]) -> Object | None:
        """Return an object of a child's name that no watch has shown yet, None when the name is free.

        Raises:
            NameTaken: the object is somebody else's.
        """
        metadata = manifest["metadata"]
        try:
            found = await self._kube.get(kind, metadata["namespace"], metadata["name"])
        except ApiNotFound:
            return None
        if job_key(found) != key_of(job) and not belongs_to(found, job.metadata.uid):
            raise NameTaken(
                f"{kind.kind} {metadata['name']} exists and is not this job's: rename the job, or remove it"
            )
        self._cache.put(kind, found)
        return found

    async def _remove_others(self, metadata: ObjectMeta, children: Sequence[Child]) -> None:
        """Delete the children that are not wanted any more."""
        wanted = {(kind_of(child.manifest), child.manifest["metadata"]["name"]) for child in children}
        for live in self._cache.children((metadata.namespace, metadata.name)):
            kind = kind_of(live)
            is_ours = belongs_to(live, metadata.uid) and not live["metadata"].get("deletionTimestamp")
            if kind is not POD and is_ours and (kind, live["metadata"]["name"]) not in wanted:
                await self._remove(kind, live)

    async def _remove(self, kind: Kind, live: Object) -> None:
        """Delete this very object; a successor of its name is a conflict, and an event will show it."""
        metadata = live["metadata"]
        try:
            await self._kube.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"])
        except ApiNotFound:
            self._cache.remove(kind, live)  # gone already, and no watch has said so

    def _live(self, job: LabelingJob, kind: Kind, manifest: Mapping[str, Any]) -> Object | None:
        return self._cache.child(key_of(job), kind, manifest["metadata"]["name"])


def _stands(manifest: Mapping[str, Any], live: Object, *, digest: str, applied_before: tuple[str, str] | None) -> bool:
    """Tell whether an object is as wanted; `applied_before` is what was applied, and what the server made of it."""
    if live["metadata"].get("deletionTimestamp"):
        return True  # nothing can be done before it is gone, and then the watch tells
    if live["metadata"].get("annotations", {}).get(APPLIED) != digest:
        return False
    # The server may write a value in another way ("0.5" as "500m"); what it made of ours is as good.
    written = _digest(_as_written(live, manifest))
    return written == digest or applied_before == (digest, written)


def _replicas_alone(manifest: Mapping[str, Any], replicas: int) -> Object:
    metadata = {name: manifest["metadata"][name] for name in ("name", "namespace")}
    identity = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}
    return {**identity, "spec": {"replicas": replicas}}


def _marked(manifest: Mapping[str, Any], digest: str) -> Object:
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED: digest}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _digest(manifest: Any) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def _as_written(live: Any, wanted: Any) -> Any:
    """Return of an object what is wanted of it, as the server has it; a list of another length is returned whole."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return {name: _as_written(live[name], wanted[name]) for name in wanted if name in live}
    if isinstance(wanted, list | tuple) and isinstance(live, list) and len(live) == len(wanted):
        return [_as_written(has, wants) for has, wants in zip(live, wanted, strict=True)]
    return live
