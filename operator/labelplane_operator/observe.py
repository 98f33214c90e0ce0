"""Every read of one reconcile: the running operation, the inbox, and the children as the watches have shown them.

Only a job whose pods do not start costs requests to the API server, where it names ConfigMaps.
"""

from dataclasses import replace
from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.parts import Part
from labelplane_api.running import Profile
from labelplane_api.status import Stage
from labelplane_operator.builders import (
    CLEANUP_COMPONENT,
    COMPONENT_LABEL,
    TRAINING_COMPONENT,
    cleanup_name,
    training_name,
    workload_name,
)
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.child_views import (
    belongs_to,
    cleanup_view,
    deployment_view,
    has_ended,
    pod_view,
    training_view,
)
from labelplane_operator.config_maps import read_keys
from labelplane_operator.errors import QueueAway
from labelplane_operator.external_scaler import Depths
from labelplane_operator.history import is_finished
from labelplane_operator.job_identity import key_of, uid_of
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT, JOB, POD
from labelplane_operator.kube import Kube
from labelplane_operator.observed import Observed, PodView, Problem, TrainingState, TrainingView
from labelplane_operator.policies.config_maps import NamedKey, find_missing_key, named_keys, storage_keys
from labelplane_operator.policies.deletion import is_being_deleted
from labelplane_operator.policies.keda import queue_subject
from labelplane_operator.policies.pod_problems import find_problem
from labelplane_operator.policies.scaling import QueueDepth
from labelplane_operator.policies.training_image import failed_training, queued_training
from labelplane_operator.service_calls import PodsNotReady, ServiceUnavailable

__all__ = ["Observer"]

_SCORE = "score"
"""The stage as a queue is named by it."""


class Observer:
    """Reads a job's world; `depths` are None where no queue is."""

    def __init__(self, kube: Kube, cache: ObjectCache, services: JobServices, *, depths: Depths | None = None) -> None:
        self._kube = kube
        self._depths = depths
        self._cache = cache
        self._services = services

    async def observe(self, job: LabelingJob) -> Observed:
        """Return what is the case now. It never fails: what could not be reached is part of the answer."""
        if is_being_deleted(job.metadata):
            return await self._removal(job)
        if is_finished(job.status) or job.spec.run.suspend:
            return Observed()
        training = self._training(job)
        problem = self._problem(key_of(job)) or queued_training(training)
        queue, away = await self._queue(job)
        seen = Observed(problem=problem, queue=queue, workers=self._workers(job), training=training)
        try:
            if job.status.prepare is None:
                self._services.require_pod(job, Stage.PREPARE)
            operation = await self._services.operation(job, through=_asked_part(job, training))
            inbox = await self._services.inbox(job) if job.status.prepare is not None else None
        except ServiceUnavailable as error:
            is_starting = isinstance(error, PodsNotReady)
            if is_starting and problem is None:
                problem = await self._missing_key(job, named_keys(job))
            return replace(seen, unavailable=str(error), awaits_pods=is_starting, problem=problem)
        return replace(seen, operation=operation or failed_training(training), inbox=inbox, unavailable=away)

    async def _queue(self, job: LabelingJob) -> tuple[QueueDepth | None, str]:
        """Return what is on the queue of a job that scores by workers; None when that is not known, and why."""
        named = job.status.operation
        if self._depths is None or named is None or named.stage is not Stage.SCORE:
            return None, ""
        if job.status.profile is not Profile.DISTRIBUTED:
            return None, ""
        try:
            return await self._depths.depth(queue_subject(job.metadata.namespace, uid_of(job), _SCORE)), ""
        except QueueAway as error:
            return None, f"{error}; the scoring workers stay as many as they are"

    def _workers(self, job: LabelingJob) -> int:
        live = self._cache.child(key_of(job), DEPLOYMENT, workload_name(job, Part.SCORING_WORKER))
        return int(live["spec"].get("replicas") or 0) if live is not None else 0

    async def _removal(self, job: LabelingJob) -> Observed:
        """Return how far the removal of the results is."""
        live = self._batch_job(job, cleanup_name(job))
        if live is None:
            return Observed()
        pods = self._pods(key_of(job), CLEANUP_COMPONENT)
        problem = find_problem(pods, ())
        if problem is None and not any(map(_has_begun, pods)):
            problem = await self._missing_key(job, storage_keys(job))
        return Observed(cleanup=cleanup_view(live, pods), problem=problem)

    async def _missing_key(self, job: LabelingJob, named: tuple[NamedKey, ...]) -> Problem | None:
        """Return a ConfigMap, or a key, that keeps the pods from starting; None when all are there."""
        there = await read_keys(self._kube, job.metadata.namespace, (each.config_map for each in named))
        return find_missing_key(named, there)

    def _training(self, job: LabelingJob) -> TrainingView | None:
        """Return the Job of the training image, for the operation that the status names."""
        named = job.status.operation
        if job.spec.model.image is None or named is None or named.stage is not Stage.TRAIN:
            return None
        name = training_name(job, round_number=named.round, attempt=named.attempt)
        live = self._batch_job(job, name)
        if live is None:
            return None
        uid = live["metadata"]["uid"]
        pods = [each for each in self._cache.children(key_of(job), POD) if belongs_to(each, uid)]
        return training_view(live, pods, request_id=named.request_id)

    def _batch_job(self, job: LabelingJob, name: str) -> dict[str, Any] | None:
        """Return a Job of the job, None when there is none, or one that is going."""
        live = self._cache.child(key_of(job), JOB, name)
        if live is None or not belongs_to(live, job.metadata.uid) or live["metadata"].get("deletionTimestamp"):
            return None
        return live

    def _pods(self, key: JobKey, component: str) -> list[PodView]:
        return [
            pod_view(each)
            for each in self._cache.children(key, POD)
            if each["metadata"]["labels"].get(COMPONENT_LABEL) == component
        ]

    def _problem(self, key: JobKey) -> Problem | None:
        # How a training image's pod ended is told with its Job.
        pods = [pod_view(each) for each in self._cache.children(key, POD) if not _is_over(each)]
        return find_problem(pods, [deployment_view(each) for each in self._cache.children(key, DEPLOYMENT)])


def _asked_part(job: LabelingJob, training: TrainingView | None) -> Part | None:
    """Return whom to ask for the operation: while a training image trains, distillation is not up."""
    if job.spec.model.image is None or job.status.operation is None or job.status.operation.stage is not Stage.TRAIN:
        return None
    is_trained = training is not None and training.state is TrainingState.SUCCEEDED
    return None if is_trained else Part.AGGREGATION


def _is_over(pod: dict[str, Any]) -> bool:
    return pod["metadata"]["labels"].get(COMPONENT_LABEL) == TRAINING_COMPONENT and has_ended(pod)


def _has_begun(pod: PodView) -> bool:
    """Whether a container of a pod was made, which needs all its volumes."""
    return any(each.is_ready or each.ended_reason for each in pod.containers)
