"""One reconcile: observe, plan, act, write the status, tell people. Level-triggered: doing it twice changes nothing."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from labelplane_api.conditions import Reason
from labelplane_api.errors import SpecInvalidError
from labelplane_api.job import LabelingJob
from labelplane_api.metadata import ObjectMeta
from labelplane_api.status import LabelingJobStatus
from labelplane_api.validation import validate_job
from labelplane_operator.act import Actor
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.errors import ApiForbidden, ApiInvalid, ApiNotFound, Blocked, NameTaken
from labelplane_operator.event_recorder import EventRecorder
from labelplane_operator.job_events import event_manifest
from labelplane_operator.job_identity import uid_of
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import LABELING_JOB
from labelplane_operator.kube import Kube
from labelplane_operator.metrics import OperatorMetrics
from labelplane_operator.observe import Observer
from labelplane_operator.observed import Observed, OperationState, Problem, ScalingMemory
from labelplane_operator.plan import Plan, make_plan, plan_for_invalid, plan_when_blocked
from labelplane_operator.requests import Installation

__all__ = ["Reconciler"]

PROGRESS_SECONDS = 10.0
"""How often a status is written when nothing but the progress of the running operation has changed."""

_log = logging.getLogger(__name__)

Object = dict[str, Any]


class Reconciler:
    """Reconciles any job, by its key."""

    def __init__(
        self,
        kube: Kube,
        cache: ObjectCache,
        observer: Observer,
        actor: Actor,
        services: JobServices,
        *,
        installation: Installation,
        recorder: EventRecorder,
        metrics: OperatorMetrics,
        now: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._observer = observer
        self._actor = actor
        self._services = services
        self._installation = installation
        self._recorder = recorder
        self._metrics = metrics
        self._now = now
        self._uids: dict[JobKey, str] = {}
        self._written: dict[str, datetime] = {}
        self._scaling: dict[str, ScalingMemory] = {}

    async def reconcile(self, key: JobKey) -> float | None:
        """Bring one job a step on; return when to look again, in seconds, or None when only a change matters.

        Raises:
            OperatorError: something outside is away or refuses; trying again later is right.
        """
        manifest = self._cache.job(key)
        await self._forget_others(key, manifest)
        if manifest is None:
            self._metrics.queue_seen(*key, None)
            return None
        try:
            job = validate_job(manifest)
        except SpecInvalidError as error:
            return await self._refuse(manifest, error)
        return await self._pursue(manifest, job)

    async def _pursue(self, manifest: Object, job: LabelingJob) -> float | None:
        observed = replace(await self._observer.observe(job), scaling=self._scaling.get(uid_of(job), ScalingMemory()))
        plan = make_plan(job, observed, installation=self._installation, now=self._now())
        self._remember_scaling(job, observed, plan)
        has_ended = await self._act(manifest, job, plan)
        await self._settle(self._standing(manifest), plan)
        # Only now the operation is not looked at again.
        self._count(job, observed)
        if plan.is_final:
            await self._services.forget(manifest["metadata"]["uid"])
        # At once only after the status is written: waking the job before would get past the wait of one that fails.
        return 0.0 if has_ended else plan.requeue_after_seconds

    def _remember_scaling(self, job: LabelingJob, observed: Observed, plan: Plan) -> None:
        """Keep what was wanted of the workers for the next decision, while there is one to make."""
        if plan.workers is None:
            self._scaling.pop(uid_of(job), None)
            return
        self._scaling[uid_of(job)] = plan.workers.memory
        if plan.workers.replicas != observed.workers:
            _log.info("%s/%s: %s", job.metadata.namespace, job.metadata.name, plan.workers.message)

    async def _refuse(self, manifest: Object, error: SpecInvalidError) -> float | None:
        metadata = _metadata(manifest)
        plan = plan_for_invalid(_status(manifest), _texts(error), metadata=metadata, now=self._now())
        await self._actor.clear(metadata, plan)
        await self._settle(self._standing(manifest), plan)
        return plan.requeue_after_seconds

    async def _act(self, manifest: Object, job: LabelingJob, plan: Plan) -> bool:
        """Act on the plan; what only people can mend is told in the status, and tried again all the same."""
        try:
            return await self._actor.act(job, plan)
        except NameTaken as error:
            problem = Problem(Reason.NAME_TAKEN, str(error))
        except (ApiForbidden, ApiInvalid) as error:
            problem = Problem(Reason.CHILD_REFUSED, f"the API server refuses an object of this job: {error}")
        await self._settle(self._standing(manifest), plan_when_blocked(job, plan, problem, now=self._now()))
        raise Blocked(problem.message)

    def _standing(self, manifest: Object) -> Object:
        """Return the object as acting on the plan has left it: its finalizers may be others, and so its version."""
        metadata = manifest["metadata"]
        standing = self._cache.job((metadata["namespace"], metadata["name"]))
        return manifest if standing is None or _facts(standing) != _facts(manifest) else standing

    async def _settle(self, manifest: Object, plan: Plan) -> None:
        """Write what the plan says of the object itself: its status, then its events, and at last its end."""
        await self._write_status(manifest, plan.status)
        self._tell(manifest, plan)
        if plan.delete_job:
            metadata = manifest["metadata"]
            with suppress(ApiNotFound):  # somebody was faster
                await self._kube.delete(LABELING_JOB, metadata["namespace"], metadata["name"], uid=metadata["uid"])

    async def _forget_others(self, key: JobKey, manifest: Object | None) -> None:
        """Forget the object that bore this key before, when it is gone or has a successor."""
        uid = manifest["metadata"]["uid"] if manifest else ""
        before = self._uids.get(key, uid)
        if before and before != uid:
            self._actor.forget(before)
            self._written.pop(before, None)
            self._scaling.pop(before, None)
            await self._services.forget(before)
        if uid:
            self._uids[key] = uid
        else:
            self._uids.pop(key, None)

    async def _write_status(self, manifest: Object, status: LabelingJobStatus) -> None:
        """Write the status once, and only when it differs."""
        uid, before = manifest["metadata"]["uid"], _status(manifest)
        if status == before or self._is_too_soon(uid, before, status):
            return
        fields = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        try:
            written = await self._kube.replace_status(LABELING_JOB, {**manifest, "status": fields})
        except ApiNotFound:
            self._cache.remove(LABELING_JOB, manifest)
            return
        self._written[uid] = self._now()
        self._cache.put(LABELING_JOB, written)

    def _is_too_soon(self, uid: str, before: LabelingJobStatus, after: LabelingJobStatus) -> bool:
        last = self._written.get(uid)
        is_recent = last is not None and self._now() - last < timedelta(seconds=PROGRESS_SECONDS)
        return is_recent and _without_progress(before) == _without_progress(after)

    def _tell(self, manifest: Object, plan: Plan) -> None:
        """Have the plan's events made."""
        metadata = _metadata(manifest)
        for event in plan.events:
            self._recorder.record(event_manifest(metadata, event, now=self._now()))

    def _count(self, job: LabelingJob, observed: Observed) -> None:
        self._metrics.queue_seen(job.metadata.namespace, job.metadata.name, observed.queue)
        view, named = observed.operation, job.status.operation
        if view is not None and named is not None and view.state is not OperationState.RUNNING:
            self._metrics.operation_ended(named.stage.value, outcome=view.state.value)


def _status(manifest: Object) -> LabelingJobStatus:
    """Return the status that an object has; one that cannot be read counts as none, and is written anew."""
    try:
        return LabelingJobStatus.model_validate(manifest.get("status", {}))
    except ValidationError:
        return LabelingJobStatus()


def _facts(manifest: Object) -> tuple[object, ...]:
    """Return what a plan follows from, whatever the object's version."""
    metadata = manifest["metadata"]
    return metadata["uid"], metadata["generation"], metadata.get("deletionTimestamp"), manifest.get("status")


def _metadata(manifest: Object) -> ObjectMeta:
    """Return the metadata of an object that need not be a valid job: its labels may be what is wrong."""
    read = {name: value for name, value in manifest["metadata"].items() if name not in {"labels", "annotations"}}
    return ObjectMeta.model_validate(read)


def _texts(error: SpecInvalidError) -> list[str]:
    return [problem.message for problem in error.problems]


def _without_progress(status: LabelingJobStatus) -> LabelingJobStatus:
    if status.operation is None:
        return status
    operation = status.operation.model_copy(update={"done": 0, "total": 0, "unit": "", "started_at": None})
    return status.model_copy(update={"operation": operation})
