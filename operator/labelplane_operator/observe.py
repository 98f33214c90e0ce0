"""Every read of one reconcile: the running operation, the inbox, and the children as the watches have shown them.

Only a job whose pods do not start costs requests to the API server, where it names ConfigMaps.
"""

import logging
from typing import Protocol

from labelplane_api.job import LabelingJob
from labelplane_api.running import Profile
from labelplane_api.status import Stage
from labelplane_operator.builders import CLEANUP_COMPONENT, COMPONENT_LABEL, cleanup_name
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.child_views import belongs_to, cleanup_view, deployment_view, pod_view
from labelplane_operator.config_maps import read_keys
from labelplane_operator.errors import QueueAway
from labelplane_operator.history import is_finished
from labelplane_operator.job_identity import key_of, uid_of
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT, JOB, POD
from labelplane_operator.kube import Kube
from labelplane_operator.observed import Observed, PodView, Problem
from labelplane_operator.policies.config_maps import NamedKey, find_missing_key, named_keys, storage_keys
from labelplane_operator.policies.deletion import is_being_deleted
from labelplane_operator.policies.pod_problems import find_problem
from labelplane_operator.policies.scaling import QueueDepth
from labelplane_operator.queue_depths import queue_subject
from labelplane_operator.service_calls import PodsNotReady, ServiceUnavailable

__all__ = ["Depths", "Observer"]

_log = logging.getLogger(__name__)

_SCORE = "score"
"""The stage as a queue is named by it."""


class Depths(Protocol):
    """Reads how deep queues are."""

    async def depth(self, subject: str) -> QueueDepth:
        """Return the depth of a queue, one that is not there as empty; `QueueAway` when nobody can be asked."""
        ...


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
        problem = self._problem(key_of(job))
        queue = await self._queue(job)
        try:
            if job.status.prepare is None:
                self._services.require_pod(job, Stage.PREPARE)
            operation = await self._services.operation(job)
            inbox = await self._services.inbox(job) if job.status.prepare is not None else None
        except ServiceUnavailable as error:
            is_starting = isinstance(error, PodsNotReady)
            if is_starting and problem is None:
                problem = await self._missing_key(job, named_keys(job))
            return Observed(unavailable=str(error), awaits_pods=is_starting, problem=problem, queue=queue)
        return Observed(operation=operation, inbox=inbox, problem=problem, queue=queue)

    async def _queue(self, job: LabelingJob) -> QueueDepth | None:
        """Return what is on the queue of a job that scores by workers; None when that is not known."""
        named = job.status.operation
        if self._depths is None or named is None or named.stage is not Stage.SCORE:
            return None
        if job.status.profile is not Profile.DISTRIBUTED:
            return None
        try:
            return await self._depths.depth(queue_subject(job.metadata.namespace, uid_of(job), _SCORE))
        except QueueAway as error:
            _log.warning("%s/%s: its workers stay as they are: %s", job.metadata.namespace, job.metadata.name, error)
            return None

    async def _removal(self, job: LabelingJob) -> Observed:
        """Return how far the removal of the results is."""
        key = key_of(job)
        live = self._cache.child(key, JOB, cleanup_name(job))
        if live is None or not belongs_to(live, job.metadata.uid) or live["metadata"].get("deletionTimestamp"):
            return Observed()
        pods = [
            pod_view(each)
            for each in self._cache.children(key, POD)
            if each["metadata"]["labels"].get(COMPONENT_LABEL) == CLEANUP_COMPONENT
        ]
        problem = find_problem(pods, ())
        if problem is None and not any(map(_has_begun, pods)):
            problem = await self._missing_key(job, storage_keys(job))
        return Observed(cleanup=cleanup_view(live, pods), problem=problem)

    async def _missing_key(self, job: LabelingJob, named: tuple[NamedKey, ...]) -> Problem | None:
        """Return a ConfigMap, or a key, that keeps the pods from starting; None when all are there."""
        there = await read_keys(self._kube, job.metadata.namespace, (each.config_map for each in named))
        return find_missing_key(named, there)

    def _problem(self, key: JobKey) -> Problem | None:
        pods = [pod_view(each) for each in self._cache.children(key, POD)]
        return find_problem(pods, [deployment_view(each) for each in self._cache.children(key, DEPLOYMENT)])


def _has_begun(pod: PodView) -> bool:
    """Whether a container of a pod was made, which needs all its volumes."""
    return any(each.is_ready or each.ended_reason for each in pod.containers)
