"""The gRPC side of aggregation: convert, start, convert."""

from functools import partial
from typing import Any

import grpc

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane.aggregation.v1 import aggregation_pb2_grpc as pb_grpc
from labelplane.aggregation.v1 import review_inbox_pb2 as inbox_pb
from labelplane.aggregation.v1 import review_inbox_pb2_grpc as inbox_grpc
from labelplane_aggregation.converters import (
    aggregate_request,
    finalize_request,
    prepare_request,
    review_request,
    vote_request,
)
from labelplane_aggregation.inbox import ReviewInbox
from labelplane_aggregation.inbox.converters import incoming_votes, progress_to_proto, receipt_to_proto, tasks_to_proto
from labelplane_aggregation.service import AggregationService
from labelplane_core.clock import Clock
from labelplane_core.errors import InvalidInput
from labelplane_core.operations import OperationRunner
from labelplane_core.operations.converters import invocation_from_proto, operation_to_proto
from labelplane_core.process import ServiceParts, service_name
from labelplane_core.rpc import Registration

__all__ = ["AggregationServicer", "ReviewInboxServicer", "register"]

_MAX_PAGE = 1000
_USUAL_PAGE = 200

Context = grpc.aio.ServicerContext[Any, Any]


class AggregationServicer(pb_grpc.AggregationServiceServicer):
    """Serves the stages Prepare, Vote, Aggregate, Review and Finalize."""

    def __init__(self, service: AggregationService, operations: OperationRunner) -> None:
        self._service = service
        self._operations = operations

    async def StartPrepare(self, request: pb.StartPrepareRequest, context: "Context") -> pb.StartPrepareResponse:  # noqa: N802
        """Start indexing the data set."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Prepare",
            request=request,
            body=partial(self._service.prepare, prepare_request(request)),
        )
        return pb.StartPrepareResponse(operation=operation_to_proto(record))

    async def StartVote(self, request: pb.StartVoteRequest, context: "Context") -> pb.StartVoteResponse:  # noqa: N802
        """Start collecting votes."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Vote",
            request=request,
            body=partial(self._service.vote, vote_request(request)),
        )
        return pb.StartVoteResponse(operation=operation_to_proto(record))

    async def StartAggregate(self, request: pb.StartAggregateRequest, context: "Context") -> pb.StartAggregateResponse:  # noqa: N802
        """Start truth inference."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Aggregate",
            request=request,
            body=partial(self._service.aggregate, aggregate_request(request)),
        )
        return pb.StartAggregateResponse(operation=operation_to_proto(record))

    async def StartReview(self, request: pb.StartReviewRequest, context: "Context") -> pb.StartReviewResponse:  # noqa: N802
        """Start asking people."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Review",
            request=request,
            body=partial(self._service.review, review_request(request)),
        )
        return pb.StartReviewResponse(operation=operation_to_proto(record))

    async def StartFinalize(self, request: pb.StartFinalizeRequest, context: "Context") -> pb.StartFinalizeResponse:  # noqa: N802
        """Start concluding the job."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Finalize",
            request=request,
            body=partial(self._service.finalize, finalize_request(request)),
        )
        return pb.StartFinalizeResponse(operation=operation_to_proto(record))


class ReviewInboxServicer(inbox_grpc.ReviewInboxServiceServicer):
    """Serves the people's side: tasks out, votes in."""

    def __init__(self, inbox: ReviewInbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock

    async def ListTasks(self, request: inbox_pb.ListTasksRequest, context: "Context") -> inbox_pb.ListTasksResponse:  # noqa: N802
        """Return a page of open tasks."""
        if request.limit > _MAX_PAGE:
            raise InvalidInput(f"limit must be at most {_MAX_PAGE}, got {request.limit}")
        tasks, is_end = await self._inbox.open_tasks(after=request.after_number, limit=request.limit or _USUAL_PAGE)
        return tasks_to_proto(tasks, is_end=is_end)

    async def SubmitVotes(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.SubmitVotesRequest, context: "Context"
    ) -> inbox_pb.SubmitVotesResponse:
        """Take votes in; they are durable when this returns."""
        return receipt_to_proto(await self._inbox.submit(incoming_votes(request, now=self._clock.now())))

    async def GetProgress(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.GetProgressRequest, context: "Context"
    ) -> inbox_pb.GetProgressResponse:
        """Return the counts."""
        return progress_to_proto(await self._inbox.progress())


def register(parts: ServiceParts) -> list[Registration]:
    """Build the aggregation service and say what to serve."""
    service = AggregationService(parts)
    stages = AggregationServicer(service, parts.operations)
    inbox = ReviewInboxServicer(service.inbox, parts.clock)
    return [
        Registration(
            name=service_name(pb, "AggregationService"),
            add=partial(pb_grpc.add_AggregationServiceServicer_to_server, stages),
        ),
        Registration(
            name=service_name(inbox_pb, "ReviewInboxService"),
            add=partial(inbox_grpc.add_ReviewInboxServiceServicer_to_server, inbox),
        ),
    ]
