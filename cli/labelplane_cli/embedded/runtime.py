"""Plays a job on one machine: observe, plan, act, write the status, as the operator does on a cluster."""

import asyncio
from collections.abc import Callable

from labelplane_api.job import LabelingJob
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_core.clock import Clock
from labelplane_operator.observed import Observed, OperationView
from labelplane_operator.plan import Plan, make_plan
from labelplane_operator.requests import Installation
from labelplane_operator.service_calls import ServiceCalls, ServiceUnavailable

__all__ = ["EmbeddedReconciler", "Watcher"]

LOOK_AGAIN_SECONDS = 0.1
"""How often a laptop looks for votes; a cluster takes the plan's own time."""
REFRESH_SECONDS = 0.25
"""How often the progress of a running stage is shown."""

Watcher = Callable[[LabelingJob, Plan], None]
"""Told of every plan, for display."""


class EmbeddedReconciler:
    """Reconciles one job until it is done. The status lives in the run's folder, as it would in the API server."""

    def __init__(
        self,
        folder: RunFolder,
        calls: ServiceCalls,
        *,
        installation: Installation,
        clock: Clock,
        watcher: Watcher,
    ) -> None:
        self._folder = folder
        self._calls = calls
        self._installation = installation
        self._clock = clock
        self._watcher = watcher
        self._refused: OperationView | None = None

    async def run(self, job: LabelingJob) -> LabelingJob:
        """Reconcile until the job is complete, has failed, is refused or suspended; return it with its last status."""
        while True:
            job, plan = await self.reconcile(job)
            if plan.requeue_after_seconds is None:
                return job
            await self._wait(plan)

    async def reconcile(self, job: LabelingJob) -> tuple[LabelingJob, Plan]:
        """Take one look and do what follows from it."""
        observed = await self._observe(job)
        plan = make_plan(job, observed, installation=self._installation, now=self._clock.now())
        await self._act(plan)
        after = job.with_status(plan.status)
        if after.status != job.status:
            self._folder.write_state(after)
        self._watcher(after, plan)
        return after, plan

    async def _observe(self, job: LabelingJob) -> Observed:
        try:
            operation = await self._observe_operation(job)
            inbox = await self._calls.inbox() if job.status.prepare is not None else None
        except ServiceUnavailable as error:
            return Observed(unavailable=str(error))
        return Observed(operation=operation, inbox=inbox)

    async def _observe_operation(self, job: LabelingJob) -> OperationView | None:
        named = job.status.operation
        if named is None:
            return None
        if self._refused is not None and self._refused.request_id == named.request_id:
            return self._refused
        return await self._calls.get(named.request_id)

    async def _act(self, plan: Plan) -> None:
        if plan.start is None:
            return
        try:
            view = await self._calls.start(plan.start)
        except ServiceUnavailable:
            return  # the next look says so
        # A refused Start leaves no record, so it is remembered here until the plan has seen it.
        self._refused = view if view.error is not None and view.started is None else None

    async def _wait(self, plan: Plan) -> None:
        assert plan.requeue_after_seconds is not None
        if plan.start is not None:
            await self._calls.wait_for_end(plan.start.request_id, seconds=REFRESH_SECONDS)
        else:
            await asyncio.sleep(min(plan.requeue_after_seconds, LOOK_AGAIN_SECONDS))
