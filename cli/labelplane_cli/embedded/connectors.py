"""The connector of a job's humans, beside its services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

import grpc
import numpy as np

from labelplane_aggregation.preparing.truth import read_truth
from labelplane_api.job import LabelingJob
from labelplane_api.sources import Humans, ImageDelivery, SimulatedAnnotators
from labelplane_api.sources import LabelStudioConnector as LabelStudioSource
from labelplane_api.task import TaskType
from labelplane_cli.embedded.data_set import dataset_of, task_of
from labelplane_cli.embedded.job_stores import JobStores
from labelplane_cli.errors import CliError
from labelplane_core.errors import StoreError
from labelplane_review.errors import LabelStudioError
from labelplane_review.files import FilesConnector, PollTimes
from labelplane_review.inbox_client import InboxClient
from labelplane_review.label_studio import (
    LabelStudioConnector,
    LabelStudioParts,
    ProjectWish,
    label_studio_connector,
)
from labelplane_review.simulated import AnnotatorGroup, SimulatedConnector, SimulatedCrowd

__all__ = ["running_connector"]

NEAR_POLL_SECONDS = 3.0
"""The longest time between two looks at a Label Studio server."""


class Connector(Protocol):
    """Brings tasks to annotators and their votes back."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        ...


@asynccontextmanager
async def running_connector(job: LabelingJob, stores: JobStores, channel: Any) -> AsyncIterator[None]:
    """Run the job's connector while the block runs; its error ends the block.

    Votes that came while nobody ran are read before the block begins, so that no deadline passes them by.
    """
    humans = job.spec.sources.humans
    async with AsyncExitStack() as stack:
        if humans is not None and humans.label_studio is not None:
            parts = _label_studio(job, humans, humans.label_studio, stores)
            connector: Connector | None = await stack.enter_async_context(label_studio_connector(parts, channel))
        else:
            connector = await _connector(job, stores, InboxClient(channel))
        if isinstance(connector, FilesConnector | LabelStudioConnector) and job.status.prepare is not None:
            with suppress(grpc.aio.AioRpcError, StoreError, LabelStudioError):  # it meets it again and says so
                await connector.poll_once()
        async with _running(connector):
            yield


@asynccontextmanager
async def _running(connector: Connector | None) -> AsyncIterator[None]:
    if connector is None:
        yield
        return
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(connector.run(stop), name="connector")
        try:
            yield
        finally:
            stop.set()
            task.cancel()


async def _connector(job: LabelingJob, stores: JobStores, inbox: InboxClient) -> Connector | None:
    humans = job.spec.sources.humans
    if humans is None:
        return None
    if humans.simulated is not None:
        return await _simulated(job, humans, stores, inbox)
    if humans.files is not None:
        # A folder of this machine is read often: somebody sits in front of it.
        times = PollTimes(first_seconds=min(humans.files.poll_seconds, 2.0), longest_seconds=5.0)
        return FilesConnector(inbox, stores.open_votes(humans.files.uri), times=times)
    return None


def _label_studio(job: LabelingJob, humans: Humans, wanted: LabelStudioSource, stores: JobStores) -> LabelStudioParts:
    is_image = job.spec.task.type is TaskType.IMAGE_CLASSIFICATION
    if wanted.images is ImageDelivery.PRESIGNED and is_image and stores.data_signer is None:
        raise CliError(
            f"spec.sources.humans.labelStudio.images: {job.spec.dataset.uri} is no bucket, so nothing in it can be "
            "presigned: leave images out, or set Inline"
        )
    access = stores.label_studio
    assert access is not None
    return LabelStudioParts(
        url=wanted.url,
        token=access.token,
        ca_certificates=access.ca_certificates,
        store=stores.store,
        signer=None if wanted.images is ImageDelivery.INLINE else stores.data_signer,
        wish=ProjectWish(
            title=job.metadata.name,
            classes=job.spec.task.classes,
            is_image=is_image,
            votes_per_item=humans.votes_per_item,
            number=wanted.project,
        ),
        # Somebody sits in front of this machine.
        poll_seconds=min(float(wanted.poll_seconds), NEAR_POLL_SECONDS),
    )


async def _simulated(job: LabelingJob, humans: Humans, stores: JobStores, inbox: InboxClient) -> Connector:
    crowd, dataset = humans.simulated, job.spec.dataset
    assert crowd is not None
    if dataset.truth_field is None:
        raise CliError("spec.dataset.truthField: the simulated crowd needs it: name the column of the true classes")
    classes = job.spec.task.classes
    truth = await read_truth(stores.data, task_of(job), dataset_of(job), field=dataset.truth_field)
    groups = [_group(each, len(classes)) for each in crowd.annotators]
    seed = job.spec.run.seed if crowd.seed is None else crowd.seed
    return SimulatedConnector(
        inbox,
        SimulatedCrowd(groups, classes, seed=seed),
        truth.classes,
        votes_per_item=humans.votes_per_item,
        max_votes_per_item=humans.max_votes_per_item,
    )


def _group(each: SimulatedAnnotators, n_classes: int) -> AnnotatorGroup:
    if each.confusion is not None:
        confusion = np.asarray(each.confusion, dtype=np.float64)
    elif each.accuracy is not None:
        confusion = AnnotatorGroup.symmetric(each.accuracy, n_classes)
    else:
        confusion = np.full((n_classes, n_classes), 1 / n_classes)
    rows = confusion / confusion.sum(axis=1, keepdims=True)
    return AnnotatorGroup(each.name, each.count, rows, each.response_seconds)
