"""The calls to a job's services: start a stage, look at it, count votes. The only place that speaks their protocols."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC
from typing import Any

import grpc

from labelplane.aggregation.v1 import aggregation_pb2_grpc, review_inbox_pb2, review_inbox_pb2_grpc
from labelplane.distillation.v1 import distillation_pb2_grpc
from labelplane.operation.v1 import operation_pb2, operation_pb2_grpc
from labelplane.scoring.v1 import scoring_pb2_grpc
from labelplane_api.status import Stage
from labelplane_operator.observed import InboxView, OperationError, OperationState, OperationView
from labelplane_operator.requests import StageRequest

__all__ = ["PodsNotReady", "ServiceCalls", "ServiceUnavailable", "operation_view"]

CALL_SECONDS = 30.0
_SETTLE_SECONDS = 0.1
_REASON_KEY = "labelplane-reason"
_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # The pod of a job of the same name before, which is about to end.
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
# What the connection itself says when a pod ends in the middle of a call; with a reason it is a service's own answer.
_BROKEN = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})
_STATES = {
    operation_pb2.OPERATION_STATE_RUNNING: OperationState.RUNNING,
    operation_pb2.OPERATION_STATE_SUCCEEDED: OperationState.SUCCEEDED,
    operation_pb2.OPERATION_STATE_FAILED: OperationState.FAILED,
    operation_pb2.OPERATION_STATE_CANCELLED: OperationState.CANCELLED,
}
# Errors of a call that a new attempt, under a new id, can get past.
_RETRYABLE_REASONS = frozenset({"RequestMismatch"})

Starter = Callable[..., Awaitable[Any]]


class ServiceUnavailable(Exception):
    """A service cannot be reached now; looking again later is all there is to do."""


class PodsNotReady(ServiceUnavailable):
    """No pod of a service is ready; the watches will tell when one is."""


class ServiceCalls:
    """Calls over one channel that reaches all services of a job."""

    def __init__(self, channel: Any) -> None:
        aggregation = aggregation_pb2_grpc.AggregationServiceStub(channel)
        scoring = scoring_pb2_grpc.ScoringServiceStub(channel)
        distillation = distillation_pb2_grpc.DistillationServiceStub(channel)
        self._operations = operation_pb2_grpc.OperationServiceStub(channel)
        self._inbox = review_inbox_pb2_grpc.ReviewInboxServiceStub(channel)
        self._starters: dict[Stage, Starter] = {
            Stage.PREPARE: aggregation.StartPrepare,
            Stage.VOTE: aggregation.StartVote,
            Stage.AGGREGATE: aggregation.StartAggregate,
            Stage.TRAIN: distillation.StartTrain,
            Stage.SCORE: scoring.StartScore,
            Stage.SELECT: scoring.StartSelect,
            Stage.REVIEW: aggregation.StartReview,
            Stage.FINALIZE: aggregation.StartFinalize,
        }

    async def start(self, request: StageRequest) -> OperationView:
        """Start a stage, or resume it, and return its operation; a refusal is an operation that has failed.

        Raises:
            ServiceUnavailable: the service is away.
        """
        try:
            response = await self._starters[request.stage](request.message, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return _refusal(request.request_id, error)
        return operation_view(response.operation)

    async def get(self, request_id: str) -> OperationView | None:
        """Return an operation, None when nothing was started under that id.

        Raises:
            ServiceUnavailable: the service is away.
        """
        message = operation_pb2.GetOperationRequest(request_id=request_id)
        try:
            response = await self._operations.GetOperation(message, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise _unavailable(error) from error
        return operation_view(response.operation)

    async def wait_for_end(self, request_id: str, *, seconds: float) -> None:
        """Return when the operation has finished, or after `seconds`, whichever is first."""
        message = operation_pb2.WatchOperationRequest(request_id=request_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                try:
                    async for response in self._operations.WatchOperation(message):
                        if operation_view(response.operation).state is not OperationState.RUNNING:
                            return
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(_SETTLE_SECONDS)  # away or unknown: whoever looks next will see why

    async def inbox(self) -> InboxView:
        """Return the counts of the people's side.

        Raises:
            ServiceUnavailable: the service is away.
        """
        try:
            counts = await self._inbox.GetProgress(review_inbox_pb2.GetProgressRequest(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _unavailable(error) from error
        return InboxView(
            votes=counts.votes,
            votes_pending=counts.votes_pending,
            votes_missing=counts.votes_missing,
            votes_set_aside=counts.votes_set_aside,
            connector_address=counts.connector_address,
            connector_problem=counts.connector_problem,
        )


def operation_view(message: operation_pb2.Operation) -> OperationView:
    """Return an operation's message as a plain value."""
    error = None
    if message.HasField("error"):
        error = OperationError(message.error.reason, message.error.message, message.error.retryable)
    return OperationView(
        request_id=message.request_id,
        state=_STATES[message.state],
        done=message.progress.done,
        total=message.progress.total,
        unit=message.progress.unit,
        started=message.started.ToDatetime(UTC),
        updated=message.updated.ToDatetime(UTC),
        results=dict(message.results),
        figures=dict(message.figures),
        error=error,
    )


def _refusal(request_id: str, error: grpc.aio.AioRpcError) -> OperationView:
    reason = _reason(error)
    if error.code() in _AWAY or (not reason and error.code() in _BROKEN):
        raise _unavailable(error) from error
    reason = reason or "".join(word.capitalize() for word in error.code().name.split("_"))
    failure = OperationError(reason, error.details() or reason, is_retryable=reason in _RETRYABLE_REASONS)
    return OperationView(request_id=request_id, state=OperationState.FAILED, error=failure)


def _unavailable(error: grpc.aio.AioRpcError) -> ServiceUnavailable:
    return ServiceUnavailable(f"{error.code().name}: {error.details()}")


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Return the reason that a service of ours has given, empty when none has."""
    metadata: Any = error.trailing_metadata() or ()  # pairs, which the stubs do not know
    for key, value in metadata:
        if key == _REASON_KEY:
            return str(value)
    return ""
