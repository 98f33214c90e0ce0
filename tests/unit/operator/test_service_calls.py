"""Calls to a job's services: answers as plain values, and what a call that fails says about the operation."""

from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from played_channel import PlayedChannel, rpc_error

from labelplane.aggregation.v1 import aggregation_pb2, review_inbox_pb2
from labelplane.operation.v1 import operation_pb2
from labelplane_api.status import Stage
from labelplane_operator.observed import InboxView, OperationState
from labelplane_operator.service_calls import ServiceCalls, ServiceUnavailable

ID = "digits/1/Vote/1"
REQUEST: Any = SimpleNamespace(stage=Stage.VOTE, request_id=ID, message=aggregation_pb2.StartVoteRequest())
RUNNING = operation_pb2.Operation(request_id=ID, state=operation_pb2.OPERATION_STATE_RUNNING)
DONE = operation_pb2.Operation(request_id=ID, state=operation_pb2.OPERATION_STATE_SUCCEEDED, results={"votes": "v"})
FAILED = operation_pb2.Operation(
    request_id=ID,
    state=operation_pb2.OPERATION_STATE_FAILED,
    error=operation_pb2.OperationError(reason="StoreFull", message="full", retryable=True),
)


def watched(message: operation_pb2.Operation) -> Any:
    return operation_pb2.WatchOperationResponse(operation=message)


async def test_a_start_returns_the_operation() -> None:
    channel = PlayedChannel({"StartVote": aggregation_pb2.StartVoteResponse(operation=RUNNING)})

    view = await ServiceCalls(channel).start(REQUEST)

    assert (view.request_id, view.state, view.error) == (ID, OperationState.RUNNING, None)


AWAY = [
    pytest.param(rpc_error(grpc.StatusCode.UNAVAILABLE), id="nobody listens"),
    pytest.param(rpc_error(grpc.StatusCode.UNAVAILABLE, reason="StoreUnavailable"), id="its store is away"),
    pytest.param(rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED), id="too slow"),
    pytest.param(rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED), id="too busy"),
    pytest.param(
        rpc_error(grpc.StatusCode.UNAUTHENTICATED, reason="BadToken"), id="the pod of a job of the same name before"
    ),
    pytest.param(rpc_error(grpc.StatusCode.CANCELLED), id="the pod ends in the middle of the call"),
    pytest.param(rpc_error(grpc.StatusCode.UNKNOWN, "Stream removed"), id="the connection is lost"),
    pytest.param(rpc_error(grpc.StatusCode.INTERNAL, "RST_STREAM"), id="the connection is reset"),
]


@pytest.mark.parametrize("error", AWAY)
async def test_a_start_that_did_not_reach_the_service_decides_nothing(error: Exception) -> None:
    with pytest.raises(ServiceUnavailable, match=r"why|removed|RST"):
        await ServiceCalls(PlayedChannel({"StartVote": error})).start(REQUEST)


@pytest.mark.parametrize(
    ("error", "want"),
    [
        pytest.param(
            rpc_error(grpc.StatusCode.INVALID_ARGUMENT, reason="BadInputSpec"),
            ("BadInputSpec", False),
            id="wrong input",
        ),
        pytest.param(
            rpc_error(grpc.StatusCode.ALREADY_EXISTS, reason="RequestMismatch"),
            ("RequestMismatch", True),
            id="another message under the same id",
        ),
        pytest.param(rpc_error(grpc.StatusCode.INTERNAL, reason="Unexpected"), ("Unexpected", False), id="a defect"),
        pytest.param(rpc_error(grpc.StatusCode.UNIMPLEMENTED), ("Unimplemented", False), id="another image"),
    ],
)
async def test_a_start_that_is_refused_is_an_operation_that_has_failed(
    error: Exception, want: tuple[str, bool]
) -> None:
    view = await ServiceCalls(PlayedChannel({"StartVote": error})).start(REQUEST)

    assert view.state is OperationState.FAILED
    assert view.error is not None
    assert (view.error.reason, view.error.is_retryable) == want
    assert view.error.message == "why"


async def test_an_operation_that_nobody_started_is_none() -> None:
    assert await ServiceCalls(PlayedChannel({"GetOperation": rpc_error(grpc.StatusCode.NOT_FOUND)})).get(ID) is None


async def test_an_operation_brings_its_results_or_its_error() -> None:
    done = PlayedChannel({"GetOperation": operation_pb2.GetOperationResponse(operation=DONE)})
    failed = PlayedChannel({"GetOperation": operation_pb2.GetOperationResponse(operation=FAILED)})

    view = await ServiceCalls(done).get(ID)
    broken = await ServiceCalls(failed).get(ID)

    assert view is not None
    assert view.results == {"votes": "v"}
    assert broken is not None
    assert broken.error is not None
    assert (broken.error.reason, broken.error.is_retryable) == ("StoreFull", True)


@pytest.mark.parametrize("error", AWAY)
async def test_what_cannot_be_read_now_is_unavailable(error: Exception) -> None:
    calls = ServiceCalls(PlayedChannel({"GetOperation": error, "GetProgress": error}))
    with pytest.raises(ServiceUnavailable):
        await calls.get(ID)
    with pytest.raises(ServiceUnavailable):
        await calls.inbox()


async def test_the_inbox_is_counted() -> None:
    counts = review_inbox_pb2.GetProgressResponse(
        votes=5, votes_pending=1, votes_missing=7, votes_set_aside=2, connector_address="a"
    )

    inbox = await ServiceCalls(PlayedChannel({"GetProgress": counts})).inbox()

    assert inbox == InboxView(5, 1, 7, 2, connector_address="a")


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([watched(RUNNING), watched(DONE), RuntimeError("read on after the end")], id="it ends"),
        pytest.param([watched(RUNNING), rpc_error(grpc.StatusCode.UNAVAILABLE)], id="its pod ends"),
        pytest.param([], id="the stream ends"),
    ],
)
async def test_waiting_for_an_end_is_over_when_there_is_something_to_see(answers: list[Any]) -> None:
    await ServiceCalls(PlayedChannel({"WatchOperation": answers})).wait_for_end(ID, seconds=60)
