"""All services of a job in this process, on one socket, as profile Small runs them in one pod."""

import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from labelplane_cli.embedded.job_stores import JobStores
from labelplane_core.clock import Clock
from labelplane_core.operations import OperationRunner, RunnerSettings
from labelplane_core.process import ServiceParts, operation_registration
from labelplane_core.rpc import RpcServer, open_channel
from labelplane_core.storage import Layout
from labelplane_small.registration import register

__all__ = ["running_services"]

DRAIN_SECONDS = 10.0


@asynccontextmanager
async def running_services(stores: JobStores, *, address: str, clock: Clock) -> AsyncIterator[Any]:
    """Run the services and yield a channel to them; on leaving they drain."""
    token = secrets.token_hex(32)
    operations = OperationRunner(
        stores.store,
        Layout(),
        clock=clock,
        owner=f"embedded-{uuid.uuid4().hex}",
        # The lock on the run's folder keeps every other process away.
        settings=RunnerSettings(is_sole_owner=True, watch_poll_seconds=0.02),
    )
    parts = ServiceParts(
        store=stores.store,
        layout=Layout(),
        data=stores.data,
        operations=operations,
        clock=clock,
        open_address=stores.open_address,
        trusted_packages=stores.trusted_packages,
        item_addresses=stores.item_addresses,
    )
    registrations = [*register(parts), operation_registration(parts)]
    server = RpcServer(registrations, token=token, clock=clock, registry=CollectorRegistry())
    await server.start(address)
    channel = open_channel(address, token=token)
    try:
        yield channel
    finally:
        await channel.close()
        await operations.close(grace_seconds=DRAIN_SECONDS)
        await server.stop(grace_seconds=0.2)
