"""The aggregation service in process, over real gRPC and folders, and what a test needs to be its other services."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from prometheus_client import CollectorRegistry

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane.aggregation.v1 import aggregation_pb2_grpc as pb_grpc
from labelplane.aggregation.v1 import review_inbox_pb2 as inbox_pb
from labelplane.aggregation.v1 import review_inbox_pb2_grpc as inbox_grpc
from labelplane.operation.v1 import operation_pb2
from labelplane.operation.v1 import operation_pb2_grpc as operation_grpc
from labelplane.task.v1 import task_pb2
from labelplane_aggregation.servicer import register
from labelplane_core.clock import Clock, SystemClock
from labelplane_core.errors import StoreUnavailable
from labelplane_core.operations import OperationRunner, RunnerSettings
from labelplane_core.process import ServiceParts, operation_registration
from labelplane_core.rpc import RpcServer, open_channel
from labelplane_core.storage import (
    AddressSigner,
    FolderStore,
    Layout,
    ObjectInfo,
    ObjectStore,
    StoredObject,
    open_store,
)
from labelplane_core.table_store import TableStore
from labelplane_core.tables import SCORES, SELECTION, TableManifest, from_matrix

TOKEN = "the-token"
CLASSES = ("cat", "dog")


class MortalStore:
    """A store of a process that can be killed: at a chosen write nothing reaches the store any more."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._dies: Callable[[str], bool] = lambda _: False
        self._dies_after = False
        self.died = asyncio.Event()
        self.is_over = False

    @property
    def is_dead(self) -> bool:
        """Whether nothing reaches the store any more."""
        return self.died.is_set()

    def die_at(self, key_part: str, *, after: bool = False) -> None:
        """End with the write of a key that holds `key_part`: before it, or right after it."""
        self._dies, self._dies_after = (lambda key: key_part in key), after

    async def _write(self, key: str, write: Callable[[], Awaitable[Any]]) -> Any:
        await self._check()
        if self._dies(key) and not self._dies_after:
            self.died.set()
        await self._check()
        result = await write()
        if self._dies(key):
            self.died.set()
        await self._check()
        return result

    async def _check(self) -> None:
        if self.is_over:
            raise StoreUnavailable("the test is over")
        if self.is_dead:
            await asyncio.Event().wait()

    async def get(self, key: str) -> StoredObject:
        await self._check()
        return await self._store.get(key)

    async def put(self, key: str, data: bytes) -> str:
        return await self._write(key, lambda: self._store.put(key, data))

    async def create(self, key: str, data: bytes) -> str:
        return await self._write(key, lambda: self._store.create(key, data))

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        return await self._write(key, lambda: self._store.replace(key, data, etag=etag))

    async def delete(self, key: str) -> None:
        await self._write(key, lambda: self._store.delete(key))

    async def exists(self, key: str) -> bool:
        await self._check()
        return await self._store.exists(key)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        await self._check()
        async for info in self._store.list(prefix):
            yield info


class FlakyStore(MortalStore):
    """A store that is away while `is_away`."""

    is_away = False

    async def _write(self, key: str, write: Callable[[], Awaitable[Any]]) -> Any:
        if self.is_away:
            raise StoreUnavailable("the store does not answer")
        return await super()._write(key, write)


@dataclass
class Service:
    """One process of the service: its server, its stubs and the store below it."""

    store: FlakyStore
    server: RpcServer
    channel: Any
    runner: OperationRunner
    stages: Any
    inbox: Any
    operations: Any
    address: str
    layout: Layout = field(default_factory=Layout)

    @property
    def tables(self) -> TableStore:
        return TableStore(self.store)

    async def finish(self, response: Any) -> operation_pb2.Operation:
        """Wait for an operation's end."""
        request_id = response.operation.request_id
        stream = self.operations.WatchOperation(operation_pb2.WatchOperationRequest(request_id=request_id), timeout=60)
        async for message in stream:
            last = message.operation
        assert isinstance(last, operation_pb2.Operation)
        return last

    async def run(self, rpc: str, request: Any) -> operation_pb2.Operation:
        """Run a stage and return its operation, which must succeed."""
        operation = await self.finish(await getattr(self.stages, rpc)(request))
        assert operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED, operation.error
        return operation

    async def fail(self, rpc: str, request: Any) -> operation_pb2.OperationError:
        """Run a stage that must fail and return why."""
        operation = await self.finish(await getattr(self.stages, rpc)(request))
        assert operation.state == operation_pb2.OPERATION_STATE_FAILED, operation
        return operation.error

    async def submit(self, *votes: inbox_pb.Vote, origin: str = "test") -> inbox_pb.SubmitVotesResponse:
        response = await self.inbox.SubmitVotes(inbox_pb.SubmitVotesRequest(votes=votes, origin=origin), timeout=30)
        assert isinstance(response, inbox_pb.SubmitVotesResponse)
        return response

    async def progress(self) -> inbox_pb.GetProgressResponse:
        response = await self.inbox.GetProgress(inbox_pb.GetProgressRequest(), timeout=30)
        assert isinstance(response, inbox_pb.GetProgressResponse)
        return response

    async def stop(self) -> None:
        await self.channel.close()
        await self.server.stop(grace_seconds=0)


@dataclass
class World:
    """A data set, a store, and the processes that came and went over it."""

    data: Path
    out: Path
    services: list[Service] = field(default_factory=list)

    async def start(
        self,
        *,
        owner: str = "",
        time: Clock | None = None,
        data: ObjectStore | None = None,
        item_addresses: AddressSigner | None = None,
    ) -> Service:
        """Start a process; another one may be running still, or be dead. `time` is what leases and tickets go by."""
        store = FlakyStore(FolderStore(self.out))
        layout, clock = Layout(), SystemClock()
        settings = RunnerSettings(heartbeat_seconds=0.2, watch_poll_seconds=0.01, is_sole_owner=True)
        name = owner or f"process-{len(self.services)}"
        runner = OperationRunner(store, layout, clock=clock, owner=name, settings=settings)
        data = data or open_store(f"file://{self.data}", readonly=True)
        parts = ServiceParts(
            store=store,
            layout=layout,
            data=data,
            operations=runner,
            clock=time or clock,
            open_address=lambda uri: open_store(f"file://{self.data / uri}", readonly=True),
            item_addresses=item_addresses,
            rules_folder=self.data / "rules",
        )
        server = RpcServer(
            [*register(parts), operation_registration(parts)], token=TOKEN, clock=clock, registry=CollectorRegistry()
        )
        address = f"127.0.0.1:{await server.start('127.0.0.1:0')}"
        channel = open_channel(address, token=TOKEN)
        service = Service(
            store=store,
            server=server,
            channel=channel,
            runner=runner,
            stages=pb_grpc.AggregationServiceStub(channel),
            inbox=inbox_grpc.ReviewInboxServiceStub(channel),
            operations=operation_grpc.OperationServiceStub(channel),
            address=address,
        )
        self.services.append(service)
        return service

    async def kill(self, service: Service) -> None:
        """End a process as SIGKILL does: nothing of it reaches the store again, and nobody is told."""
        service.store.died.set()
        await service.stop()

    def report(self) -> str:
        return (self.out / "report/index.html").read_text(encoding="utf-8")

    def write_csv(self, lines: Sequence[str], name: str = "items.csv") -> None:
        (self.data / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def write_rules(self, config_map: str, text: str, *, key: str = "rules.yaml") -> None:
        """Write a file of rules as a kubelet does for a mounted ConfigMap."""
        path = self.data / "rules" / config_map / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_image(self, name: str, shade: int = 0) -> None:
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (shade % 256, shade // 256 % 256, 40)).save(path)


@asynccontextmanager
async def aggregation_world(folder: Path) -> AsyncIterator[World]:
    """A world below a folder; what its processes left running is ended afterwards."""
    (folder / "data").mkdir()
    made = World(folder / "data", folder / "out")
    before = asyncio.all_tasks()
    yield made
    for service in made.services:
        await service.stop()
        service.store.is_over = True
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


# -- requests ---------------------------------------------------------------------------------------------------------


def invocation(name: str, *, epoch: int = 1) -> operation_pb2.Invocation:
    return operation_pb2.Invocation(request_id=name, leader_epoch=epoch)


def text_task(classes: Sequence[str] = CLASSES) -> task_pb2.Task:
    return task_pb2.Task(type="TextClassification", classes=classes)


def image_task(classes: Sequence[str] = CLASSES) -> task_pb2.Task:
    return task_pb2.Task(type="ImageClassification", classes=classes)


def prepare(uid: str = "uid", *, task: task_pb2.Task | None = None, **dataset: Any) -> pb.StartPrepareRequest:
    return pb.StartPrepareRequest(
        invocation=invocation(f"job/prepare/{uid}"),
        task=task or text_task(),
        dataset=pb.Dataset(**({"gold_gate_share": 0.5, "max_item_errors": 5} | dataset)),
        ownership=pb.Ownership(installation="here", namespace="default", name="job"),
        seed=7,
    )


def vote_stage(number: int, previous: str = "", *, attempt: int = 1, **sources: Any) -> pb.StartVoteRequest:
    return pb.StartVoteRequest(
        invocation=invocation(f"job/{number}/vote/{attempt}"),
        round=task_pb2.Round(number=number, attempt=attempt),
        task=text_task(),
        index_ref="dataset/manifest.json",
        previous_votes_ref=previous,
        **sources,
    )


def dawid_skene(method: str = "DawidSkene") -> pb.Inference:
    settings = pb.DawidSkene(max_iterations=100, tolerance=1e-6, shrinkage_mass=2.0, class_prior="Learned")
    return pb.Inference(method=method, dawid_skene=settings, seed=3)


def aggregate(number: int, votes_ref: str, **extra: Any) -> pb.StartAggregateRequest:
    return pb.StartAggregateRequest(
        invocation=invocation(f"job/{number}/aggregate/1"),
        round=task_pb2.Round(number=number, attempt=1),
        task=text_task(),
        index_ref="dataset/manifest.json",
        votes_ref=votes_ref,
        **({"inference": dawid_skene()} | extra),
    )


def review(number: int, selection_ref: str, **extra: Any) -> pb.StartReviewRequest:
    fields: dict[str, Any] = {"votes_per_item": 2, "seed": 5, "task": text_task()} | extra
    return pb.StartReviewRequest(
        invocation=invocation(f"job/{number}/review/1"),
        round=task_pb2.Round(number=number, attempt=1),
        index_ref="dataset/manifest.json",
        selection_ref=selection_ref,
        **fields,
    )


def finalize(number: int, votes_ref: str, **extra: Any) -> pb.StartFinalizeRequest:
    fields: dict[str, Any] = {
        "inference": dawid_skene(),
        "formats": ["Csv", "Jsonl", "Parquet"],
        "acceptance": pb.Acceptance(enabled=True, maximum_risk=0.2, confidence=0.9),
    } | extra
    return pb.StartFinalizeRequest(
        invocation=invocation(f"job/{number}/finalize/1"),
        round=task_pb2.Round(number=number, attempt=1),
        task=text_task(),
        dataset=pb.Dataset(index="items.csv"),
        index_ref="dataset/manifest.json",
        votes_ref=votes_ref,
        **fields,
    )


def vote(vote_id: str, item: str, annotator: str, answer: str, **extra: Any) -> inbox_pb.Vote:
    return inbox_pb.Vote(vote_id=vote_id, item_id=item, annotator=annotator, answer=answer, **extra)


# -- what other services write ----------------------------------------------------------------------------------------


async def write_selection(service: Service, number: int, item_ids: Sequence[str], *, before: str = "") -> str:
    """Write what Select would: this round's batch after those of earlier rounds."""
    tables = service.tables
    old = (await tables.read_manifest(before, SELECTION)).parts if before else ()
    table = pa.table(
        {
            "item_id": list(item_ids),
            "rank": pa.array(range(len(item_ids)), pa.int32()),
            "score": [0.5] * len(item_ids),
            "reason": ["strategy"] * len(item_ids),
            "suggestion": ["cat"] * len(item_ids),
        },
        schema=SELECTION.arrow,
    )
    part = await tables.write_part(service.layout.round_table(number, "select", 1, "selection"), table, SELECTION)
    key = service.layout.round_manifest(number, "select", 1, 0)
    return await tables.write_manifest(key, TableManifest.of(SELECTION, (*old, part)))


async def write_scores(service: Service, logits: Mapping[str, Sequence[float]], name: str = "scores") -> str:
    """Write what Score would: logits of items."""
    count = len(logits)
    zeros = pa.array(np.zeros(count), pa.float32())
    table = pa.table(
        {
            "item_id": list(logits),
            "block": pa.array([0] * count, pa.int32()),
            "prediction": [CLASSES[int(np.argmax(row))] for row in logits.values()],
            "logits": from_matrix(np.array(list(logits.values()), dtype=np.float32)),
            "embedding": from_matrix(np.zeros((count, 2), dtype=np.float32)),
            "samples": pa.nulls(count, pa.list_(pa.float32())),
            "entropy": zeros,
            "margin": zeros,
            "least_confidence": zeros,
        },
        schema=SCORES.arrow,
    )
    layout = service.layout
    return await service.tables.write_table(
        table, SCORES, part_key=layout.round_table(0, "score", 1, name), manifest_key=f"rounds/0000/score/1/{name}.json"
    )


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
