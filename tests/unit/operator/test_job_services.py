"""A job's services: only a ready pod of this very job is called, and a refused Start is remembered until it is seen."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from cluster_jobs import UID, in_bucket
from played_channel import PlayedChannel, rpc_error

from labelplane.aggregation.v1 import aggregation_pb2, review_inbox_pb2
from labelplane.operation.v1 import operation_pb2
from labelplane_api import LabelingJob
from labelplane_api.status import OperationStatus, Stage
from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT
from labelplane_operator.observed import OperationState
from labelplane_operator.service_calls import PodsNotReady, ServiceCalls, ServiceUnavailable

KEY = ("team-a", "digits")
ID = "digits/1/Vote/1"
REQUEST: Any = SimpleNamespace(stage=Stage.VOTE, request_id=ID, message=aggregation_pb2.StartVoteRequest())


def _operation(state: "operation_pb2.OperationState") -> operation_pb2.Operation:
    return operation_pb2.Operation(request_id=ID, state=state)


RUNNING = _operation(operation_pb2.OPERATION_STATE_RUNNING)
DONE = _operation(operation_pb2.OPERATION_STATE_SUCCEEDED)


@dataclass
class World:
    """The services of one job, and who was woken."""

    channel: PlayedChannel = field(default_factory=PlayedChannel)
    cache: ObjectCache = field(default_factory=ObjectCache)
    woken: list[JobKey] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    asked_for: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = JobServices(self.cache, self, token_of=lambda uid: f"token of {uid}", wake=self.woken.append)  # type: ignore[arg-type]

    def calls(self, uid: str, *, namespace: str, service: str, token: str) -> ServiceCalls:
        self.asked_for.append((uid, namespace, service, token))
        return ServiceCalls(self.channel)

    async def close(self, uid: str) -> None:
        self.closed.append(uid)

    def see_deployment(self, *, owner: str = UID, version: int = 1, **status: int) -> None:
        """Have the watch show the Deployment of profile Small."""
        metadata = {
            "name": "digits",
            "namespace": "team-a",
            "uid": f"deployment-of-{owner}",
            "resourceVersion": str(version),
            "labels": {JOB_LABEL: "digits"},
            "ownerReferences": [{"uid": owner, "controller": True}],
        }
        self.cache.put(
            DEPLOYMENT, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "status": status}
        )

    async def settled(self) -> None:
        """Let what runs beside come to its end."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


@pytest.fixture
def world() -> World:
    """A job whose pod is ready."""
    made = World()
    made.see_deployment(readyReplicas=1)
    return made


def _job(*, names: str = "") -> LabelingJob:
    job = in_bucket().build()
    operation = OperationStatus(request_id=names, stage=Stage.VOTE, round=1, attempt=1) if names else None
    return job.with_status(job.status.model_copy(update={"operation": operation}))


@pytest.mark.parametrize(
    ("owner", "status"),
    [
        pytest.param(UID, {}, id="no pod is there"),
        pytest.param(UID, {"readyReplicas": 0}, id="no pod is ready"),
        pytest.param("before", {"readyReplicas": 1}, id="the ready pod is of a job of the same name before"),
    ],
)
async def test_a_service_without_a_ready_pod_of_this_job_is_not_called(owner: str, status: dict[str, int]) -> None:
    world = World()
    world.see_deployment(owner=owner, **status)
    with pytest.raises(PodsNotReady, match="no pod of Deployment digits is ready yet"):
        await world.services.inbox(_job())
    with pytest.raises(PodsNotReady):
        await world.services.operation(_job(names=ID))
    await world.services.start(_job(), REQUEST)

    assert world.channel.asked == []


async def test_a_job_that_names_no_operation_asks_nobody(world: World) -> None:
    assert await world.services.operation(_job()) is None
    assert world.channel.asked == []


async def test_calls_go_to_the_jobs_own_service_with_its_own_token(world: World) -> None:
    world.channel.answers["GetProgress"] = review_inbox_pb2.GetProgressResponse(votes=3)

    assert (await world.services.inbox(_job())).votes == 3
    assert world.asked_for == [(UID, "team-a", "digits", f"token of {UID}")]


async def test_the_job_is_woken_when_the_operation_that_was_started_ends(world: World) -> None:
    world.channel.answers["StartVote"] = aggregation_pb2.StartVoteResponse(operation=RUNNING)
    world.channel.answers["WatchOperation"] = [operation_pb2.WatchOperationResponse(operation=DONE)]
    await world.services.start(_job(), REQUEST)
    assert world.woken == []
    await world.settled()

    assert world.woken == [KEY]


async def test_an_operation_that_is_started_again_is_watched_once(world: World) -> None:
    world.channel.answers["StartVote"] = aggregation_pb2.StartVoteResponse(operation=RUNNING)
    world.channel.answers["WatchOperation"] = [operation_pb2.WatchOperationResponse(operation=DONE)]
    await world.services.start(_job(), REQUEST)
    await world.services.start(_job(), REQUEST)
    await world.settled()

    assert world.channel.asked.count("WatchOperation") == 1


async def test_a_start_tells_when_there_is_nothing_to_wait_for(world: World) -> None:
    world.channel.answers["StartVote"] = aggregation_pb2.StartVoteResponse(operation=DONE)

    assert await world.services.start(_job(), REQUEST)
    assert world.woken == []


async def test_a_refused_start_is_what_the_job_sees_next(world: World) -> None:
    world.channel.answers["StartVote"] = rpc_error(grpc.StatusCode.INVALID_ARGUMENT, reason="BadKey")
    assert await world.services.start(_job(), REQUEST)

    seen = await world.services.operation(_job(names=ID))

    assert seen is not None
    assert seen.state is OperationState.FAILED
    assert world.channel.asked == ["StartVote"]


async def test_a_start_while_the_service_is_away_leaves_nothing(world: World) -> None:
    world.channel.answers["StartVote"] = rpc_error(grpc.StatusCode.UNAVAILABLE)
    world.channel.answers["GetOperation"] = rpc_error(grpc.StatusCode.UNAVAILABLE)
    await world.services.start(_job(), REQUEST)
    with pytest.raises(ServiceUnavailable):
        await world.services.operation(_job(names=ID))

    assert world.woken == []


async def test_what_is_forgotten_is_closed_and_wakes_nobody(world: World) -> None:
    world.channel.answers["StartVote"] = aggregation_pb2.StartVoteResponse(operation=RUNNING)
    world.channel.answers["WatchOperation"] = [operation_pb2.WatchOperationResponse(operation=DONE)]
    await world.services.start(_job(), REQUEST)
    await world.services.forget(UID)
    await world.settled()

    assert world.closed == [UID]
    assert world.woken == []
