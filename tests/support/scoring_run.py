"""One Score by workers: a service in this process, its queue on a real server, and a digest to compare."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scoring_job import CLASSES, write_colour_model, write_scoring_job
from served import Served, served

from labelplane.operation.v1 import operation_pb2 as operation
from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane.scoring.v1 import scoring_pb2_grpc as pb_grpc
from labelplane.task.v1 import task_pb2 as task
from labelplane_core.clock import SystemClock
from labelplane_core.queue import QueueLimits
from labelplane_core.queue.connection import QueueAccess
from labelplane_core.queue.jetstream import JetStreamQueue
from labelplane_core.queue.opening import JobQueues
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import SCORES
from labelplane_scoring.servicer import register


@dataclass(frozen=True)
class ScoringRun:
    """A service with the items and the model of one Score.

    Attributes:
        service: it runs in this process.
        index_ref: its items.
        model_ref: its model.
        folder: where store and data lie.
        queue: where its shards are.
    """

    service: Served
    index_ref: str
    model_ref: str
    folder: Path
    queue: JetStreamQueue | None = None

    async def start(self, *, attempt: int = 1, epoch: int = 1) -> str:
        """Start the Score, and return its id."""
        request = pb.StartScoreRequest(
            invocation=operation.Invocation(request_id=f"job/1/score/{attempt}", leader_epoch=epoch),
            round=task.Round(number=1, attempt=attempt),
            task=task.Task(type="ImageClassification", classes=CLASSES),
            index_ref=self.index_ref,
            model_ref=self.model_ref,
            deterministic=True,
        )
        await pb_grpc.ScoringServiceStub(self.service.channel).StartScore(request)
        return request.invocation.request_id

    async def finish(self, *, attempt: int = 1, seconds: float = 600.0) -> operation.Operation:
        """Start the Score, or join it, and return how it ended."""
        return await self.service.finished(await self.start(attempt=attempt), seconds=seconds)

    async def digest(self, done: operation.Operation) -> str:
        """Return the digest of the scores, which are one row an item in the order of the index."""
        assert done.state == operation.OPERATION_STATE_SUCCEEDED, done.error
        tables = TableStore(self.service.parts.store)
        manifest = await tables.read_manifest(done.results["scores"], SCORES)
        scores = await tables.read(done.results["scores"], SCORES)
        ids = scores.column("item_id").to_pylist()
        assert ids == [f"item-{row:03d}" for row in range(len(ids))]
        assert manifest.rows == len(ids)
        return manifest.digest

    def parts(self) -> int:
        """How many parts are in the store."""
        return len(list((self.folder / "store/rounds/0001/score/1").glob("part-*.parquet")))


@asynccontextmanager
async def scoring_run(
    folder: Path,
    *,
    items: int,
    block_size: int,
    servers: str = "",
    job: str = "job",
    owner: str = "first",
    lease_seconds: float = 5.0,
) -> AsyncIterator[ScoringRun]:
    """Serve over `folder`; with the address of a NATS server workers must come, without the service works alone."""
    queues = JobQueues(
        access=QueueAccess(servers),
        namespace="team-a",
        job=job,
        clock=SystemClock(),
        limits=QueueLimits(lease_seconds=lease_seconds),
    )
    async with served(
        register, folder, owner=owner, is_sole_owner=True, open_queue=queues.open if servers else None
    ) as service:
        if await service.parts.store.exists(service.parts.layout.index_manifest):
            index_ref = service.parts.layout.index_manifest
        else:
            index_ref = await write_scoring_job(service.parts, count=items, block_size=block_size)
        model_ref = await write_colour_model(service.parts)
        yield ScoringRun(service, index_ref, model_ref, folder, queues.open(Stage.SCORE) if servers else None)
        await queues.close()
