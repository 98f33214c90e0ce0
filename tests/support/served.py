"""A service of ours behind a real gRPC server on loopback, over folder stores."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane.operation.v1 import operation_pb2_grpc as pb_grpc
from labelplane_core.clock import SystemClock
from labelplane_core.operations import OperationRunner, RunnerSettings
from labelplane_core.process import Register, ServiceParts, operation_registration
from labelplane_core.queue import WorkQueue
from labelplane_core.rpc import RpcServer, open_channel
from labelplane_core.shards import Stage
from labelplane_core.storage import FolderStore, Layout

TOKEN = "token-of-the-test"


@dataclass(frozen=True)
class Served:
    """A running server: how to reach it, and what it is built from."""

    address: str
    channel: Any
    parts: ServiceParts

    async def finished(self, request_id: str, *, seconds: float = 60.0) -> pb.Operation:
        """Return the operation once it has finished."""
        stub = pb_grpc.OperationServiceStub(self.channel)
        last = None
        async for response in stub.WatchOperation(pb.WatchOperationRequest(request_id=request_id), timeout=seconds):
            last = response.operation
        assert last is not None
        return last


@asynccontextmanager
async def served(
    register: Register,
    folder: Path,
    *,
    owner: str = "first",
    is_sole_owner: bool = False,
    token: str = TOKEN,
    open_queue: Callable[[Stage], WorkQueue] | None = None,
) -> AsyncIterator[Served]:
    """Serve over `folder/store` and `folder/data`; several at once may share a folder."""
    for name in ("store", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    store, clock = FolderStore(folder / "store"), SystemClock()
    settings = RunnerSettings(heartbeat_seconds=0.2, watch_poll_seconds=0.01, is_sole_owner=is_sole_owner)
    operations = OperationRunner(store, Layout(), clock=clock, owner=owner, settings=settings)
    parts = ServiceParts(
        store=store,
        layout=Layout(),
        data=FolderStore(folder / "data"),
        operations=operations,
        clock=clock,
        open_queue=open_queue,
    )
    registrations = [*register(parts), operation_registration(parts)]
    server = RpcServer(registrations, token=TOKEN, clock=clock, registry=CollectorRegistry())
    port = await server.start("127.0.0.1:0")
    channel = open_channel(f"127.0.0.1:{port}", token=token)
    try:
        yield Served(f"127.0.0.1:{port}", channel, parts)
    finally:
        await channel.close()
        await operations.close(grace_seconds=5.0)
        await server.stop(grace_seconds=0.1)
