"""All services of many jobs as one real gRPC server that answers with figures made up from the round's number.

It keeps what a service must: an operation is one request id and one message, a Start of it again is the same operation,
and it tells what was started, so that a test can see that nothing ran twice. Jobs are told apart by their token.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from api_server import ApiError, ApiServer

from labelplane.aggregation.v1 import aggregation_pb2, aggregation_pb2_grpc, review_inbox_pb2, review_inbox_pb2_grpc
from labelplane.distillation.v1 import distillation_pb2, distillation_pb2_grpc
from labelplane.operation.v1 import operation_pb2, operation_pb2_grpc
from labelplane.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from labelplane_operator.builders import JOB_LABEL

SELECTED = 12
_POLL_SECONDS = 0.1
_RESULTS = {
    "Prepare": ("index",),
    "Vote": ("votes",),
    "Aggregate": ("posteriors", "reliabilities"),
    "Train": ("model", "teacher", "out_of_fold"),
    "Score": ("scores",),
    "Select": ("selection",),
    "Review": ("tasks",),
    "Finalize": ("labels", "report"),
}


@dataclass
class _Operation:
    stage: str
    message: bytes
    ends_at: float
    answer: operation_pb2.Operation


@dataclass
class _Job:
    votes: int = 0
    operations: dict[str, _Operation] = field(default_factory=dict)


@dataclass
class PlayedServices:
    """What the server knows.

    Attributes:
        seconds: how long an operation takes.
        mismatches: request ids that were started with two different messages.
        starts: how often each request id was started.
    """

    seconds: float
    jobs: dict[str, _Job] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)

    def start(self, stage: str, request: Any, context: Any) -> operation_pb2.Operation:
        """Start an operation, or find it."""
        job = self._job(context)
        request_id = request.invocation.request_id
        self.starts[request_id] = self.starts.get(request_id, 0) + 1
        message = _without_epoch(request)
        known = job.operations.get(request_id)
        if known is None:
            answer = self._played(stage, request, job)
            known = _Operation(stage, message, asyncio.get_running_loop().time() + self.seconds, answer)
            job.operations[request_id] = known
        elif known.message != message:
            self.mismatches.append(request_id)
        return _as_of_now(known)

    def get(self, request_id: str, context: Any) -> operation_pb2.Operation | None:
        """Return an operation."""
        known = self._job(context).operations.get(request_id)
        return None if known is None else _as_of_now(known)

    def votes(self, context: Any) -> int:
        """Return how many votes people have given: all that were asked for."""
        return self._job(context).votes

    def stages(self) -> int:
        """Return how many operations were run."""
        return sum(len(job.operations) for job in self.jobs.values())

    def _job(self, context: Any) -> _Job:
        token = dict(context.invocation_metadata()).get("authorization", "")
        return self.jobs.setdefault(token, _Job())

    def _played(self, stage: str, request: Any, job: _Job) -> operation_pb2.Operation:
        number = request.round.number if stage != "Prepare" else 0
        if stage == "Review":
            job.votes += SELECTED * request.votes_per_item
        return operation_pb2.Operation(
            request_id=request.invocation.request_id,
            stage=stage,
            state=operation_pb2.OPERATION_STATE_SUCCEEDED,
            results={name: f"{name}-{number}" for name in _RESULTS[stage]},
            figures=_figures(stage, number, job.votes),
        )


def _figures(stage: str, number: int, votes: int) -> Mapping[str, float]:
    made_up: dict[str, dict[str, float]] = {
        "Prepare": {"items": 1000, "gold_gate": 50, "gold_audit": 50, "last_round": -1},
        "Vote": {"people_votes": votes},
        "Aggregate": {"labelled": SELECTED * number, "min_class_count": 5 * number},
        "Train": {
            "student_accuracy": 0.8 + 0.01 * number,
            "standing_accuracy": 0.79 + 0.01 * number,
            "only_student_right": 2,
            "only_standing_right": 1,
        },
        "Score": {"items": 1000, "kappa": 0.5},
        "Select": {"selected": SELECTED},
    }
    return {"cpu_seconds": 1.0} | made_up.get(stage, {})


def _without_epoch(request: Any) -> bytes:
    copy = type(request)()
    copy.CopyFrom(request)
    copy.invocation.leader_epoch = 0
    message: bytes = copy.SerializeToString(deterministic=True)
    return message


def _as_of_now(known: _Operation) -> operation_pb2.Operation:
    if asyncio.get_running_loop().time() >= known.ends_at:
        return known.answer
    return operation_pb2.Operation(
        request_id=known.answer.request_id, stage=known.stage, state=operation_pb2.OPERATION_STATE_RUNNING
    )


class _Operations(operation_pb2_grpc.OperationServiceServicer):
    def __init__(self, played: PlayedServices) -> None:
        self._played = played

    async def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        found = self._played.get(request.request_id, context)
        if found is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
        return operation_pb2.GetOperationResponse(operation=found)

    async def WatchOperation(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        while True:
            found = self._played.get(request.request_id, context)
            if found is None:
                await context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
            yield operation_pb2.WatchOperationResponse(operation=found)
            if found.state != operation_pb2.OPERATION_STATE_RUNNING:
                return
            await asyncio.sleep(0.02)


class _Inbox(review_inbox_pb2_grpc.ReviewInboxServiceServicer):
    def __init__(self, played: PlayedServices) -> None:
        self._played = played

    async def GetProgress(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return review_inbox_pb2.GetProgressResponse(votes=self._played.votes(context))


def _starter(played: PlayedServices, base: type, messages: Any, *stages: str) -> Any:
    """Return a servicer whose Start<Stage> calls are played."""

    def method(stage: str) -> Any:
        response = getattr(messages, f"Start{stage}Response")

        async def start(self: Any, request: Any, context: Any) -> Any:
            return response(operation=played.start(stage, request, context))

        return start

    return type(f"Played{base.__name__}", (base,), {f"Start{stage}": method(stage) for stage in stages})()


async def _serve(
    played: PlayedServices, socket: Path, started: threading.Event, stop: list[Callable[[], object]]
) -> None:
    server = grpc.aio.server()
    aggregation = _starter(
        played,
        aggregation_pb2_grpc.AggregationServiceServicer,
        aggregation_pb2,
        *("Prepare", "Vote", "Aggregate", "Review", "Finalize"),
    )
    aggregation_pb2_grpc.add_AggregationServiceServicer_to_server(aggregation, server)
    scoring = _starter(played, scoring_pb2_grpc.ScoringServiceServicer, scoring_pb2, "Score", "Select")
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server)
    distillation = _starter(played, distillation_pb2_grpc.DistillationServiceServicer, distillation_pb2, "Train")
    distillation_pb2_grpc.add_DistillationServiceServicer_to_server(distillation, server)
    operation_pb2_grpc.add_OperationServiceServicer_to_server(_Operations(played), server)  # type: ignore[no-untyped-call]
    review_inbox_pb2_grpc.add_ReviewInboxServiceServicer_to_server(_Inbox(played), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    ended = asyncio.Event()
    stop.append(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
    started.set()
    await ended.wait()
    await server.stop(0.5)


class _Node:
    """Says of every Deployment of a namespace that its pods are ready, and links their sockets to the one server."""

    def __init__(self, server: ApiServer, namespace: str, folder: Path) -> None:
        self._server = server
        self._namespace = namespace
        self._folder = folder
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            try:
                self._sync()
            except (ApiError, OSError):
                continue

    def stop(self) -> None:
        self._stopping.set()

    def _sync(self) -> None:
        path = f"/apis/apps/v1/namespaces/{self._namespace}/deployments"
        for deployment in self._server.get(path, labelSelector=JOB_LABEL)["items"]:
            name, wanted = deployment["metadata"]["name"], deployment["spec"]["replicas"]
            if deployment.get("status", {}).get("readyReplicas", 0) == wanted:
                continue
            link = self._folder / f"{name}.sock"
            if not link.is_symlink():
                link.symlink_to(self._folder / "all")
            body = {"status": {"replicas": wanted, "readyReplicas": wanted}}
            content_type = "application/merge-patch+json"
            self._server.request("PATCH", f"{path}/{name}/status", body=body, content_type=content_type)


@contextmanager
def played_services(
    server: ApiServer, namespace: str, folder: Path, *, seconds: float = 0.1
) -> Iterator[tuple[PlayedServices, str]]:
    """Play the services of a namespace's jobs; yields what they know and the operator's LABELPLANE_SERVICE_ADDRESS."""
    folder.mkdir(parents=True, exist_ok=True)
    played = PlayedServices(seconds)
    started = threading.Event()
    stop: list[Callable[[], object]] = []
    own = ApiServer(port=server.port, token=server.token, certificate=server.certificate, folder=server.folder)
    node = _Node(own, namespace, folder)
    threads = [
        threading.Thread(target=lambda: asyncio.run(_serve(played, folder / "all", started, stop))),
        threading.Thread(target=node.run),
    ]
    for thread in threads:
        thread.start()
    assert started.wait(30)
    try:
        yield played, f"unix:{folder}/{{service}}.sock"
    finally:
        node.stop()
        stop[0]()
        for thread in threads:
            thread.join()
        own.close()
