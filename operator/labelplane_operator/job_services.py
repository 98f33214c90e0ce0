"""A job's services as the operator reaches them: which Service answers for what, and whether its pod is there."""

import asyncio
from collections.abc import Callable

from labelplane_api.job import LabelingJob
from labelplane_api.parts import Part
from labelplane_api.status import Stage
from labelplane_operator.builders import service_name, workload_name
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.child_views import belongs_to
from labelplane_operator.job_identity import key_of, uid_of
from labelplane_operator.kinds import DEPLOYMENT
from labelplane_operator.observed import InboxView, OperationState, OperationView
from labelplane_operator.requests import StageRequest
from labelplane_operator.service_calls import PodsNotReady, ServiceCalls, ServiceUnavailable
from labelplane_operator.service_channels import ServiceChannels

__all__ = ["JobServices"]

_WATCH_SECONDS = 60.0
"""How long one stream of an operation lives; the next look opens another."""


class JobServices:
    """Calls the services of jobs; a Service without a ready pod is not called at all.

    Args:
        cache: shows which pods are ready.
        channels: reach the Services.
        token_of: returns the token of the job with a uid.
        wake: called with the key of a job whose operation has ended, so that nobody waits for the next look.
    """

    def __init__(
        self,
        cache: ObjectCache,
        channels: ServiceChannels,
        *,
        token_of: Callable[[str], str],
        wake: Callable[[JobKey], None],
    ) -> None:
        self._cache = cache
        self._channels = channels
        self._token_of = token_of
        self._wake = wake
        self._refused: dict[str, OperationView] = {}
        self._watched: dict[str, tuple[str, asyncio.Task[None]]] = {}

    async def start(self, job: LabelingJob, request: StageRequest) -> bool:
        """Start a stage, or resume it, and tell whether it has ended; without its pod, the next look says so.

        A refused Start leaves no record in the store, so it is remembered here until the plan has seen it.
        """
        uid = uid_of(job)
        self._refused.pop(uid, None)
        try:
            calls = self._calls(job, request.stage)
            view = await calls.start(request)
        except ServiceUnavailable:
            return False
        if view.error is not None and view.started is None:
            self._refused[uid] = view
        if view.state is not OperationState.RUNNING:
            return True
        self._watch(job, calls, request.request_id)
        return False

    def require_pod(self, job: LabelingJob, stage_or_part: Stage | Part) -> None:
        """Return when a pod that answers for a stage or part is ready; one of a job of the same name before does not.

        Raises:
            PodsNotReady: none is.
        """
        name = workload_name(job, stage_or_part)
        deployment = self._cache.child(key_of(job), DEPLOYMENT, name)
        is_ours = deployment is not None and belongs_to(deployment, job.metadata.uid)
        if deployment is None or not is_ours or not deployment.get("status", {}).get("readyReplicas"):
            raise PodsNotReady(f"no pod of Deployment {name} is ready yet")

    async def operation(self, job: LabelingJob, *, through: Part | None = None) -> OperationView | None:
        """Return the operation that the status names, None when it names none or none was started.

        Args:
            job: the job.
            through: the part to ask, as every service reads the same records; None asks that of the stage.

        Raises:
            ServiceUnavailable: its service is away.
        """
        named = job.status.operation
        if named is None:
            return None
        refused = self._refused.get(uid_of(job))
        if refused is not None and refused.request_id == named.request_id:
            return refused
        return await self._calls(job, through or named.stage).get(named.request_id)

    async def inbox(self, job: LabelingJob) -> InboxView:
        """Return the counts of the people's side.

        Raises:
            ServiceUnavailable: the aggregation service is away.
        """
        return await self._calls(job, Part.AGGREGATION).inbox()

    async def forget(self, uid: str) -> None:
        """Close what is open to the services of a job."""
        self._refused.pop(uid, None)
        if uid in self._watched:
            self._watched.pop(uid)[1].cancel()
        await self._channels.close(uid)

    def _watch(self, job: LabelingJob, calls: ServiceCalls, request_id: str) -> None:
        """Have the job looked at when its operation ends; one stream a job."""
        uid = uid_of(job)
        known, task = self._watched.get(uid, ("", None))
        if known == request_id and task is not None and not task.done():
            return
        if task is not None:
            task.cancel()
        watching = asyncio.create_task(self._tell_end(key_of(job), calls, request_id))
        self._watched[uid] = (request_id, watching)

    async def _tell_end(self, key: JobKey, calls: ServiceCalls, request_id: str) -> None:
        await calls.wait_for_end(request_id, seconds=_WATCH_SECONDS)
        self._wake(key)

    def _calls(self, job: LabelingJob, stage_or_part: Stage | Part) -> ServiceCalls:
        self.require_pod(job, stage_or_part)
        uid = uid_of(job)
        return self._channels.calls(
            uid, namespace=job.metadata.namespace, service=service_name(job, stage_or_part), token=self._token_of(uid)
        )
