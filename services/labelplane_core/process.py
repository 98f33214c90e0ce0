"""A service as a process: stores, operations, server, metrics, and a drain on SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, start_http_server

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane.operation.v1.operation_pb2_grpc import add_OperationServiceServicer_to_server
from labelplane_core.clock import Clock, SystemClock
from labelplane_core.errors import BadKey, LabelplaneError
from labelplane_core.operations import OperationRunner, RunnerSettings
from labelplane_core.operations.servicer import OperationServicer
from labelplane_core.queue import QueueLimits, WorkQueue
from labelplane_core.rpc import Registration, RpcServer, TlsFiles
from labelplane_core.settings import ServiceSettings
from labelplane_core.shards import Stage
from labelplane_core.storage import (
    AddressSigner,
    Layout,
    ObjectStore,
    StoreOptions,
    open_signer,
    open_store,
    probe_conditional_put,
)

if TYPE_CHECKING:
    from labelplane_core.queue.opening import JobQueues

__all__ = [
    "Register",
    "ServiceParts",
    "open_in_cluster",
    "open_job_queues",
    "operation_registration",
    "run_service",
    "service_name",
]

_log = logging.getLogger(__name__)


def _opens_nothing(address: str) -> ObjectStore:
    raise BadKey(f"address {address!r} cannot be opened here: no other store than the job's own is known")


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What every service is built from: the job's store, its data set, its operations and the time.

    Attributes:
        store: where results go.
        layout: its keys.
        data: the items, read only.
        operations: runs the stages.
        clock: the time.
        open_address: returns the store at another address of the job, read only; `BadKey` for what is none.
        trusted_packages: Python packages whose functions may run as rules.
        item_addresses: gives items addresses at which browsers read them; None where this process hands their bytes on.
        open_queue: returns the queue from which workers take a stage's shards; None where there are no workers, so
            that a service works its shards by itself.
        rules_folder: holds a folder of files of rules for each mounted ConfigMap; None where none is.
    """

    store: ObjectStore
    layout: Layout
    data: ObjectStore
    operations: OperationRunner
    clock: Clock
    open_address: Callable[[str], ObjectStore] = _opens_nothing
    trusted_packages: tuple[str, ...] = ()
    item_addresses: AddressSigner | None = None
    open_queue: Callable[[Stage], WorkQueue] | None = None
    rules_folder: Path | None = None


Register = Callable[[ServiceParts], Sequence[Registration]]
"""Builds a service from its parts and says what to serve."""


def service_name(file: object, service: str) -> str:
    """Return a service's full name, from its proto file's descriptor module and its short name."""
    return str(file.DESCRIPTOR.services_by_name[service].full_name)  # type: ignore[attr-defined]


def operation_registration(parts: ServiceParts) -> Registration:
    """Return the service that reads and stops operations, which every process serves once."""
    servicer = OperationServicer(parts.operations)
    return Registration(
        name=service_name(pb, "OperationService"),
        add=partial(add_OperationServiceServicer_to_server, servicer),
    )


def run_service(register: Register, *, name: str) -> int:
    """Run a service until SIGTERM or SIGINT and return the exit code: 0 after a drain, 2 for wrong settings."""
    try:
        settings = ServiceSettings.from_environment(os.environ)
        token = settings.read_token()
        logging.basicConfig(
            level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        asyncio.run(_serve(register, settings, token=token, name=name))
    except LabelplaneError as error:
        sys.stderr.write(f"labelplane {name}: {error}\n")
        return 2
    return 0


async def _serve(register: Register, settings: ServiceSettings, *, token: str, name: str) -> None:
    stopping = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    queues = open_job_queues(settings)
    parts = await _open_parts(settings, owner=f"{name}-{uuid.uuid4().hex}", queues=queues)
    server = RpcServer(
        [*register(parts), operation_registration(parts)],
        token=token,
        clock=parts.clock,
        registry=REGISTRY,
        longest_call_seconds=settings.longest_call_seconds,
    )
    port = await server.start(settings.listen, tls=_tls_files(settings))
    if settings.metrics_port:
        start_http_server(settings.metrics_port)
    _log.info("%s listens on %s (port %d)", name, settings.listen, port)
    await stopping.wait()
    _log.info("%s drains", name)
    await parts.operations.close(grace_seconds=settings.drain_grace_seconds)
    await server.stop(grace_seconds=1.0)
    if queues is not None:
        await queues.close()


def open_job_queues(settings: ServiceSettings) -> "JobQueues | None":
    """Return the queues of the settings' job, None when it has none."""
    if not settings.queue_servers:
        return None
    # Not every image has the client of NATS.
    from labelplane_core.queue.connection import QueueAccess
    from labelplane_core.queue.opening import JobQueues

    return JobQueues(
        access=QueueAccess(settings.queue_servers, settings.queue_credentials),
        namespace=settings.queue_namespace,
        job=settings.queue_job,
        clock=SystemClock(),
        limits=QueueLimits(lease_seconds=settings.queue_lease_seconds),
        replicas=settings.queue_replicas,
    )


async def _open_parts(settings: ServiceSettings, *, owner: str, queues: "JobQueues | None") -> ServiceParts:
    options = settings.store_options()
    store = open_store(settings.store_uri, options=options)
    layout, clock = Layout(), SystemClock()
    await probe_conditional_put(store, key=layout.operation(f"probe/{owner}"))
    return ServiceParts(
        store=store,
        layout=layout,
        data=open_store(settings.data_uri, options=options, readonly=True),
        operations=OperationRunner(store, layout, clock=clock, owner=owner, settings=RunnerSettings()),
        clock=clock,
        open_address=partial(open_in_cluster, options=options),
        trusted_packages=settings.trusted_package_names,
        item_addresses=open_signer(settings.data_uri, options=options, endpoint=settings.items_endpoint),
        open_queue=None if queues is None else queues.open,
        rules_folder=settings.rules_folder,
    )


def open_in_cluster(address: str, *, options: StoreOptions) -> ObjectStore:
    """Return a bucket with the job's own credentials; a path of this machine is nothing that a job may read."""
    if not address.startswith(("s3://", "gs://", "az://")):
        raise BadKey(f"address {address!r} is a path: on a cluster give s3://bucket/prefix")
    return open_store(address, options=options, readonly=True)


def _tls_files(settings: ServiceSettings) -> TlsFiles | None:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return TlsFiles(certificate=settings.tls_certificate_file, key=settings.tls_key_file)
