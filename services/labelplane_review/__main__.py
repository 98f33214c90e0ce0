"""Runs one connector alone: `python -m labelplane_review`, settings by LABELPLANE_* variables."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import grpc

from labelplane_core.errors import InvalidInput, LabelplaneError
from labelplane_core.leaving import leave
from labelplane_core.rpc import open_channel
from labelplane_core.settings import PREFIX
from labelplane_core.storage import open_store
from labelplane_review.files import FilesConnector, PollTimes
from labelplane_review.inbox_client import InboxClient
from labelplane_review.label_studio import ImageWay, LabelStudioParts, ProjectWish, data_signer, label_studio_connector
from labelplane_review.settings import ConnectorKind, ConnectorSettings
from labelplane_review.simulated import SimulatedConnector, SimulatedCrowd
from labelplane_review.truth_table import read_truth_table


class _Connector(Protocol):
    async def run(self, stop: asyncio.Event) -> None: ...


def main(environment: Mapping[str, str]) -> int:
    """Run a connector until SIGTERM or SIGINT and return the exit code: 0 after a stop, 2 for what must be changed."""
    try:
        settings = ConnectorSettings.from_environment(environment)
        token = settings.read_token()
        logging.basicConfig(
            level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every call
        asyncio.run(_run(settings, token=token))
    except LabelplaneError as error:
        sys.stderr.write(f"labelplane review: {error}\n")
        return 2
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"labelplane review: the inbox refuses the calls ({error.code().name}): {error.details()}\n")
        return 2
    return 0


async def _run(settings: ConnectorSettings, *, token: str) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    channel = open_channel(settings.inbox_address, token=token)
    try:
        if settings.connector is ConnectorKind.LABEL_STUDIO:
            async with label_studio_connector(_label_studio(settings), channel) as connector:
                await _run_until(stop, connector)
        else:
            await _run_until(stop, await _connector(settings, InboxClient(channel)))
    finally:
        await channel.close()


async def _run_until(stop: asyncio.Event, connector: _Connector) -> None:
    """Run the connector and end it at any point when `stop` is set: what it has not sent it sends at the next start."""
    work, stopping = asyncio.create_task(connector.run(stop)), asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (work, stopping):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await work


def _label_studio(settings: ConnectorSettings) -> LabelStudioParts:
    for name in ("label_studio_url", "label_studio_token", "store_uri", "data_uri"):
        if not getattr(settings, name):
            raise InvalidInput(f"set {PREFIX}{name.upper()}: the connector to Label Studio needs it")
    options = settings.store_options()
    is_signed = settings.label_studio_images == ImageWay.PRESIGNED
    return LabelStudioParts(
        url=settings.label_studio_url,
        token=settings.label_studio_token,
        ca_certificates=settings.label_studio_certificates(),
        store=open_store(settings.store_uri, options=options),
        signer=data_signer(settings.data_uri, options, endpoint=settings.items_endpoint) if is_signed else None,
        wish=ProjectWish(
            title=settings.label_studio_title,
            classes=settings.class_names(),
            is_image=settings.label_studio_images != "",
            votes_per_item=settings.votes_per_item,
            number=settings.label_studio_project or None,
        ),
        poll_seconds=settings.poll_seconds,
    )


async def _connector(settings: ConnectorSettings, inbox: InboxClient) -> _Connector:
    options = settings.store_options()
    if settings.connector is ConnectorKind.FILES:
        times = PollTimes(first_seconds=settings.poll_seconds)
        return FilesConnector(inbox, open_store(settings.files_uri, options=options), times=times)
    crowd = SimulatedCrowd(settings.groups(), settings.class_names(), seed=settings.seed)
    truth = await read_truth_table(
        open_store(settings.truth_uri, options=options, readonly=True),
        settings.truth_table,
        id_field=settings.truth_id_field,
        truth_field=settings.truth_field,
    )
    return SimulatedConnector(
        inbox,
        crowd,
        truth,
        votes_per_item=settings.votes_per_item,
        max_votes_per_item=settings.max_votes_per_item,
    )


if __name__ == "__main__":
    leave(main(os.environ))
