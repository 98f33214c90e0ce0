"""Every read of one reconcile: the running operation, the inbox, and the children as the watches have shown them."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage
from labelplane_operator.builders import (
    CLEANUP_COMPONENT,
    COMPONENT_LABEL,
    TRAINING_COMPONENT,
    cleanup_name,
    training_name,
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
from labelplane_operator.history import is_finished
from labelplane_operator.job_identity import key_of
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT, JOB, POD
from labelplane_operator.observed import Observed, PodView, Problem, TrainingState, TrainingView
from labelplane_operator.parts import Part
from labelplane_operator.policies.deletion import is_being_deleted
from labelplane_operator.policies.pod_problems import find_problem
from labelplane_operator.policies.training_image import failed_training, queued_training
from labelplane_operator.service_calls import PodsNotReady, ServiceUnavailable

__all__ = ["Observer"]


class Observer:
    """Reads a job's world."""

    def __init__(self, cache: ObjectCache, services: JobServices) -> None:
        self._cache = cache
        self._services = services

    async def observe(self, job: LabelingJob) -> Observed:
        """Return what is the case now. It never fails: what could not be reached is part of the answer."""
        if is_being_deleted(job.metadata):
            return self._removal(job)
        if is_finished(job.status) or job.spec.run.suspend:
            return Observed()
        training = self._training(job)
        problem = self._problem(key_of(job)) or queued_training(training)
        try:
            if job.status.prepare is None:
                self._services.require_pod(job, Stage.PREPARE)
            operation = await self._services.operation(job, through=_asked_part(job, training))
            inbox = await self._services.inbox(job) if job.status.prepare is not None else None
        except ServiceUnavailable as error:
            is_starting = isinstance(error, PodsNotReady)
            return Observed(unavailable=str(error), awaits_pods=is_starting, problem=problem, training=training)
        operation = operation or failed_training(training)
        return Observed(operation=operation, inbox=inbox, problem=problem, training=training)

    def _removal(self, job: LabelingJob) -> Observed:
        """Return how far the removal of the results is."""
        live = self._batch_job(job, cleanup_name(job))
        if live is None:
            return Observed()
        pods = self._pods(key_of(job), CLEANUP_COMPONENT)
        return Observed(cleanup=cleanup_view(live, pods), problem=find_problem(pods, ()))

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
