"""A small labelling job in folders, up to where Train begins: digits as PNG files, an index, noisy posteriors."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image
from prometheus_client import CollectorRegistry

from labelplane.distillation.v1 import distillation_pb2 as pb
from labelplane.distillation.v1 import distillation_pb2_grpc as pb_grpc
from labelplane.operation.v1 import operation_pb2 as operation_pb
from labelplane.operation.v1 import operation_pb2_grpc as operation_grpc
from labelplane_core.clock import SystemClock
from labelplane_core.operations import OperationRunner, RunnerSettings
from labelplane_core.process import ServiceParts, operation_registration
from labelplane_core.rpc import RpcServer, open_channel
from labelplane_core.storage import FolderStore, Layout
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, POSTERIORS, TableManifest, from_matrix
from labelplane_distillation.servicer import register

TOKEN = "token-of-the-test"
DIGITS = tuple(str(digit) for digit in range(10))


def noisy_posteriors(truth: npt.NDArray[np.int64], *, n_classes: int, seed: int) -> npt.NDArray[np.float64]:
    """Posteriors as three annotators of accuracy 0.75 give them: mostly sure and right, sometimes sure and wrong."""
    rng = np.random.default_rng(seed)
    wrong = (truth[:, None] + rng.integers(1, n_classes, (len(truth), 3))) % n_classes
    answers = np.where(rng.random((len(truth), 3)) < 0.75, truth[:, None], wrong)
    scores = np.log(0.75 / (0.25 / (n_classes - 1))) * np.eye(n_classes)[answers].sum(axis=1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def png(grey: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Job:
    """Where a job's objects lie, and what is true."""

    store: FolderStore
    data: FolderStore
    index_ref: str
    posteriors_ref: str
    truth: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    item_ids: tuple[str, ...]
    layout: Layout = field(default_factory=Layout)


async def write_job(
    folder: Path,
    *,
    images: npt.NDArray[np.uint8] | None = None,
    texts: list[str] | None = None,
    truth: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    labelled: npt.NDArray[np.int64],
    gate: npt.NDArray[np.int64],
    audit: npt.NDArray[np.int64],
) -> Job:
    for name in ("store", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    store, data = FolderStore(folder / "store"), FolderStore(folder / "data")
    layout, tables = Layout(), TableStore(store)
    n_items = len(truth)
    item_ids = tuple(f"item-{number:04d}" for number in range(n_items))
    if images is not None:
        await asyncio.gather(*(data.put(f"{item_ids[row]}.png", png(images[row])) for row in range(n_items)))
    role = np.full(n_items, "", dtype=object)
    role[gate], role[audit] = "gate", "audit"
    index = pa.table(
        {
            "block": pa.array(np.zeros(n_items), pa.int32()),
            "item_id": pa.array(item_ids),
            "uri": pa.array([f"{each}.png" if images is not None else None for each in item_ids], pa.string()),
            "text": pa.array(texts or [None] * n_items, pa.string()),
            "digest": pa.array([""] * n_items),
            "gold": pa.array([classes[truth[row]] if role[row] else None for row in range(n_items)], pa.string()),
            "gold_role": pa.array(role.tolist(), pa.string()),
            "meta": pa.array(["{}"] * n_items),
        }
    )
    part = await tables.write_part(layout.index_part(0), index, INDEX, block=0)
    manifest = TableManifest.of(INDEX, [part], classes=classes, block_size=4096)
    index_ref = await tables.write_manifest(layout.index_manifest, manifest)
    probabilities = noisy_posteriors(truth[labelled], n_classes=len(classes), seed=1)
    posteriors = pa.table(
        {
            "item_id": pa.array([item_ids[row] for row in labelled]),
            "answer": pa.array([classes[best] for best in probabilities.argmax(axis=1)]),
            "confidence": pa.array(probabilities.max(axis=1)),
            "probabilities": from_matrix(probabilities),
            "n_votes": pa.array(np.full(len(labelled), 3), pa.int32()),
            "agreement": pa.array(np.ones(len(labelled))),
        }
    )
    posteriors_ref = await tables.write_table(
        posteriors,
        POSTERIORS,
        part_key=layout.round_table(0, "aggregate", 1, "posteriors"),
        manifest_key=layout.round_manifest(0, "aggregate", 1, 0),
    )
    return Job(store, data, index_ref, posteriors_ref, truth, classes, item_ids)


async def write_digits(folder: Path, *, n_labelled: int = 300, n_items: int = 1000) -> Job:
    """The first digits of scikit-learn: 100 gate gold, 100 audit gold, `n_labelled` with votes, the rest without."""
    from sklearn.datasets import load_digits

    pixels, truth = load_digits(return_X_y=True)
    images = (pixels[:n_items].reshape(-1, 8, 8) / 16 * 255).round().astype(np.uint8)
    order = np.random.default_rng(0).permutation(n_items)
    return await write_job(
        folder,
        images=images,
        truth=truth[:n_items].astype(np.int64),
        classes=DIGITS,
        gate=order[:100],
        audit=order[100:200],
        labelled=np.sort(order[150 : 150 + n_labelled]),  # 50 of audit gold have votes too, and must not be trained on
    )


@dataclass(frozen=True)
class TrainMessage:
    """Builds StartTrain requests."""

    job: Job
    fields: dict[str, Any] = field(default_factory=dict)
    teacher: dict[str, Any] = field(default_factory=dict)
    student: dict[str, Any] = field(default_factory=dict)
    distillation: dict[str, Any] = field(default_factory=dict)
    task_type: str = "ImageClassification"
    request_id: str = "job/0/train/1"
    epoch: int = 1

    def with_(self, **fields: Any) -> Self:
        return replace(self, fields={**self.fields, **fields})

    def named(self, request_id: str, *, round_number: int = 0) -> Self:
        return replace(
            self, request_id=request_id, fields={**self.fields, "round": {"number": round_number, "attempt": 1}}
        )

    def encoders(self, teacher: str, student: str, **both: Any) -> Self:
        return replace(
            self,
            teacher={**self.teacher, "encoder": teacher, **both},
            student={**self.student, "encoder": student, **both},
        )

    def build(self) -> pb.StartTrainRequest:
        network = {
            "encoder": "Linear",
            "members": 3,
            "hidden_size": 32,
            "epochs": 20,
            "learning_rate": 4e-3,
            "weight_decay": 1e-2,
            "batch_size": 64,
            "dropout": 0.1,
        }
        values: dict[str, Any] = {
            "invocation": {"request_id": self.request_id, "leader_epoch": self.epoch},
            "round": {"number": 0, "attempt": 1},
            "task": {"type": self.task_type, "classes": self.job.classes},
            "index_ref": self.job.index_ref,
            "posteriors_ref": self.job.posteriors_ref,
            "teacher": {**network, **self.teacher},
            "student": {**network, **self.student},
            "distillation": {"temperature": 2.0, "lambda": 0.7, "unlabelled": True, **self.distillation},
            "validation_share": 0.1,
            "seed": 3,
            "deterministic": True,
            **self.fields,
        }
        return pb.StartTrainRequest(**values)


@dataclass(frozen=True)
class Caller:
    """The stubs of a running server."""

    train: Callable[..., Awaitable[pb.StartTrainResponse]]
    operations: Any

    async def finish(self, request: pb.StartTrainRequest) -> operation_pb.Operation:
        """Start, and return the operation once it is final."""
        await self.train(request)
        watched = self.operations.WatchOperation(
            operation_pb.WatchOperationRequest(request_id=request.invocation.request_id)
        )
        async for response in watched:
            last = response.operation
        return last


@asynccontextmanager
async def serving(job: Job, folder: Path, *, owner: str = "test", token: str = TOKEN) -> AsyncIterator[Caller]:
    """Serve distillation over a socket file, as its process does."""
    clock = SystemClock()
    settings = RunnerSettings(heartbeat_seconds=0.2, stale_after_seconds=0.5, watch_poll_seconds=0.05)
    runner = OperationRunner(job.store, job.layout, clock=clock, owner=owner, settings=settings)
    parts = ServiceParts(store=job.store, layout=job.layout, data=job.data, operations=runner, clock=clock)
    registrations = [*register(parts), operation_registration(parts)]
    server = RpcServer(registrations, token=TOKEN, clock=clock, registry=CollectorRegistry())
    address = f"unix:{folder / (owner + '.sock')}"
    await server.start(address)
    channel = open_channel(address, token=token)
    try:
        yield Caller(pb_grpc.DistillationServiceStub(channel).StartTrain, operation_grpc.OperationServiceStub(channel))
    finally:
        await channel.close()
        await runner.close(grace_seconds=5.0)
        await server.stop(grace_seconds=0.5)
