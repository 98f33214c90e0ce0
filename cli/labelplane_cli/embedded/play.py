"""`labelplane run`: hold the folder, start the services, reconcile until the job is done."""

import asyncio
import signal
import uuid
from contextlib import AsyncExitStack

from labelplane_api.conditions import ConditionType, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.validation import validate_change
from labelplane_cli.embedded.addresses import RunAddresses
from labelplane_cli.embedded.connectors import running_connector
from labelplane_cli.embedded.front import FrontWish, both, running_front
from labelplane_cli.embedded.run_folder import RunFolder, RunState
from labelplane_cli.embedded.runtime import EmbeddedReconciler, Watcher
from labelplane_cli.embedded.services import running_services
from labelplane_cli.embedded.webhooks import telling_webhooks
from labelplane_core.clock import Clock
from labelplane_operator.requests import Installation
from labelplane_operator.service_calls import ServiceCalls
from labelplane_review.webhooks.settings import WebhookSettings

__all__ = ["play", "play_until_told"]

INSTALLATION_ID = "embedded"
"""Every laptop is the same installation, so that a folder may be carried from one to another."""


async def play(
    job: LabelingJob,
    addresses: RunAddresses,
    *,
    clock: Clock,
    watcher: Watcher,
    front: FrontWish | None = None,
    webhooks: WebhookSettings | None = None,
) -> LabelingJob:
    """Run a job until it is complete, has failed or is refused, going on where its folder stands; return it.

    Args:
        job: as it stands in its file.
        addresses: where items and results lie.
        clock: the time.
        watcher: told of every plan.
        front: how to serve the review page; None for none.
        webhooks: where notices go; None for nowhere.

    Raises:
        RunIsLive: another live process runs the folder.
        CliError: the folder cannot be written, the job's state there is damaged, or the page's port is taken.
        SpecInvalidError: the job was changed in a way that a started job does not allow.
    """
    folder = RunFolder(addresses.folder)
    async with AsyncExitStack() as stack:
        epoch = stack.enter_context(folder.held())
        address = stack.enter_context(folder.socket())
        job = continued(job, folder.read_state())
        stores = addresses.open_stores()
        channel = await stack.enter_async_context(running_services(stores, address=address, clock=clock))
        await stack.enter_async_context(running_connector(job, stores, channel))
        if front is not None:
            page = running_front(front, job, folder=folder, channel=channel, clock=clock)
            watcher = both(await stack.enter_async_context(page), watcher)
        if webhooks is not None:
            told = telling_webhooks(webhooks, folder=folder, clock=clock)
            watcher = both(await stack.enter_async_context(told), watcher)
        reconciler = EmbeddedReconciler(
            folder,
            ServiceCalls(channel),
            installation=Installation(INSTALLATION_ID, epoch),
            clock=clock,
            watcher=watcher,
        )
        return await reconciler.run(job)


async def play_until_told(
    job: LabelingJob,
    addresses: RunAddresses,
    *,
    clock: Clock,
    watcher: Watcher,
    front: FrontWish | None = None,
    webhooks: WebhookSettings | None = None,
) -> LabelingJob:
    """Do the same, and stop at a safe point on SIGTERM as on Ctrl-C.

    Raises:
        asyncio.CancelledError: SIGTERM came.
    """
    loop, playing = asyncio.get_running_loop(), asyncio.current_task()
    assert playing is not None
    loop.add_signal_handler(signal.SIGTERM, playing.cancel)
    try:
        return await play(job, addresses, clock=clock, watcher=watcher, front=front, webhooks=webhooks)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def continued(job: LabelingJob, state: RunState | None) -> LabelingJob:
    """Return the job with the identity and status that its folder keeps, as the API server would give it.

    The generation rises when the spec has changed, and when the job had failed: running it again is asking again. The
    time since the last run is no time that the job has worked.

    Raises:
        SpecInvalidError: a field was changed that must not change.
    """
    if state is None:
        metadata = job.metadata.model_copy(update={"uid": uuid.uuid4().hex, "generation": 1})
        return job.model_copy(update={"metadata": metadata})
    before = LabelingJob.model_validate(
        {"metadata": job.metadata.model_dump(by_alias=True), "spec": state.spec}
    ).with_status(state.status)
    validate_change(before, job)
    has_failed = is_true(state.status.conditions, ConditionType.FAILED)
    is_changed = before.spec != job.spec
    generation = state.generation + (1 if has_failed or is_changed else 0)
    metadata = job.metadata.model_copy(update={"uid": state.uid, "generation": generation})
    status = state.status.model_copy(update={"active_since": None})
    return job.model_copy(update={"metadata": metadata}).with_status(status)
