"""The gRPC side of aggregation: convert, start, convert."""

from collections.abc import AsyncIterator
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
from labelplane_aggregation.inbox import Desk, ReviewInbox
from labelplane_aggregation.inbox.adjudication_converters import (
    conflicts_to_proto,
    decision,
    deeds_to_proto,
    rules_to_proto,
    sending_back,
)
from labelplane_aggregation.inbox.converters import incoming_votes, progress_to_proto, receipt_to_proto, tasks_to_proto
from labelplane_aggregation.inbox.desk_converters import (
    checked_annotator,
    checked_text,
    comment_from_proto,
    comments_to_proto,
    content_to_proto,
    doubtful_to_proto,
    handed_out_to_proto,
    lease_wish,
    limit_of,
    person_to_proto,
    shown_to_proto,
)
from labelplane_aggregation.service import AggregationService
from labelplane_core.clock import Clock
from labelplane_core.operations import OperationRunner
from labelplane_core.operations.converters import invocation_from_proto, operation_to_proto
from labelplane_core.process import ServiceParts, service_name
from labelplane_core.rpc import Registration

__all__ = ["AggregationServicer", "ReviewInboxServicer", "register"]

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

    def __init__(self, inbox: ReviewInbox, desk: Desk, clock: Clock) -> None:
        self._inbox = inbox
        self._desk = desk
        self._clock = clock
        self._connector = ("", "")
        """Where people answer, and what keeps the connector from working, as it has said last."""

    async def ListTasks(self, request: inbox_pb.ListTasksRequest, context: "Context") -> inbox_pb.ListTasksResponse:  # noqa: N802
        """Return a page of open tasks."""
        limit = limit_of(request.limit, usual=200, most=1000)
        tasks, is_end = await self._inbox.open_tasks(after=request.after_number, limit=limit)
        return tasks_to_proto(tasks, is_end=is_end)

    async def SubmitVotes(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.SubmitVotesRequest, context: "Context"
    ) -> inbox_pb.SubmitVotesResponse:
        """Take votes in; they are durable when this returns."""
        votes = incoming_votes(request, now=self._clock.now())
        if request.leased:
            return receipt_to_proto(await self._desk.submit(votes, [vote.lease_id for vote in request.votes]))
        receipt = await self._desk.push(
            votes, pushed_by=request.pushed_by.strip(), origin=request.origin, replaces=request.replaces
        )
        return receipt_to_proto(receipt)

    async def GetProgress(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.GetProgressRequest, context: "Context"
    ) -> inbox_pb.GetProgressResponse:
        """Return the counts."""
        person = person_to_proto(await self._desk.person(request.annotator)) if request.annotator else None
        progress = await self._inbox.progress()
        if request.details:
            conflicts, origin = await self._desk.adjudication.waiting(), await self._desk.showing.origin()
            response = progress_to_proto(progress, person, conflicts=conflicts, content_origin=origin)
        else:
            response = progress_to_proto(progress, person)
        response.connector_address, response.connector_problem = self._connector
        return response

    async def ReportConnector(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.ReportConnectorRequest, context: "Context"
    ) -> inbox_pb.ReportConnectorResponse:
        """Keep how the connector fares, for who asks next."""
        address = checked_text(request.address, name="address", least=0, most=2048)
        self._connector = address, checked_text(request.problem, name="problem", least=0, most=1024)
        return inbox_pb.ReportConnectorResponse()

    async def LeaseTask(self, request: inbox_pb.LeaseTaskRequest, context: "Context") -> inbox_pb.LeaseTaskResponse:  # noqa: N802
        """Hand tasks out."""
        wish = lease_wish(request)
        return handed_out_to_proto(
            await self._desk.lease(
                wish.annotator,
                count=wish.count,
                seconds=wish.seconds,
                holding=wish.holding,
                assignment=wish.assignment,
            )
        )

    async def SkipTask(self, request: inbox_pb.SkipTaskRequest, context: "Context") -> inbox_pb.SkipTaskResponse:  # noqa: N802
        """Take a task back."""
        reason = checked_text(request.reason, name="reason", least=0, most=1000)
        annotator = checked_annotator(request.annotator)
        await self._desk.skip(annotator, request.lease_id, reason=reason, is_undone=request.undo)
        return inbox_pb.SkipTaskResponse()

    async def Comment(self, request: inbox_pb.CommentRequest, context: "Context") -> inbox_pb.CommentResponse:  # noqa: N802
        """Keep a remark."""
        await self._desk.comment(comment_from_proto(request, now=self._clock.now()))
        return inbox_pb.CommentResponse()

    async def ListComments(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.ListCommentsRequest, context: "Context"
    ) -> inbox_pb.ListCommentsResponse:
        """Return remarks."""
        limit = limit_of(request.limit, usual=50, most=1000)
        return comments_to_proto(await self._desk.comments(item_id=request.item_id, limit=limit))

    async def SignItem(self, request: inbox_pb.SignItemRequest, context: "Context") -> inbox_pb.SignItemResponse:  # noqa: N802
        """Return a text, or a ticket for content."""
        if not request.item_id and request.content_ticket:
            return shown_to_proto(await self._desk.showing.sign_again(request.content_ticket))
        return shown_to_proto(await self._desk.showing.sign(request.item_id))

    async def ReadItem(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.ReadItemRequest, context: "Context"
    ) -> AsyncIterator[inbox_pb.ReadItemResponse]:
        """Stream an item's content."""
        for piece in content_to_proto(await self._desk.showing.content(request.content_ticket)):
            yield piece

    async def ListPeople(self, request: inbox_pb.ListPeopleRequest, context: "Context") -> inbox_pb.ListPeopleResponse:  # noqa: N802
        """Return what everybody has done."""
        return inbox_pb.ListPeopleResponse(people=map(person_to_proto, await self._desk.people()))

    async def ListDoubtfulItems(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.ListDoubtfulItemsRequest, context: "Context"
    ) -> inbox_pb.ListDoubtfulItemsResponse:
        """Return the least certain answers."""
        limit = limit_of(request.limit, usual=20, most=200)
        return doubtful_to_proto(await self._desk.doubtful(request.posteriors_ref, limit=limit))

    async def ListConflicts(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.ListConflictsRequest, context: "Context"
    ) -> inbox_pb.ListConflictsResponse:
        """Return the items that wait for a decision."""
        limit = limit_of(request.limit, usual=20, most=200)
        return conflicts_to_proto(await self._desk.adjudication.conflicts(after=request.after_item_id, limit=limit))

    async def DecideItem(self, request: inbox_pb.DecideItemRequest, context: "Context") -> inbox_pb.DecideItemResponse:  # noqa: N802
        """Take a decision in; it is durable when this returns."""
        is_correction = await self._desk.adjudication.decide(decision(request, now=self._clock.now()))
        return inbox_pb.DecideItemResponse(is_correction=is_correction)

    async def SendBack(self, request: inbox_pb.SendBackRequest, context: "Context") -> inbox_pb.SendBackResponse:  # noqa: N802
        """Ask people about an item anew."""
        missing = await self._desk.adjudication.send_back(sending_back(request, now=self._clock.now()))
        return inbox_pb.SendBackResponse(votes_missing=missing)

    async def ListDeeds(self, request: inbox_pb.ListDeedsRequest, context: "Context") -> inbox_pb.ListDeedsResponse:  # noqa: N802
        """Return a page of the audit log."""
        limit = limit_of(request.limit, usual=50, most=500)
        return deeds_to_proto(await self._desk.deeds(before=request.before_number, limit=limit))

    async def ListRuleDiagnostics(  # noqa: N802 - the RPC's name
        self, request: inbox_pb.ListRuleDiagnosticsRequest, context: "Context"
    ) -> inbox_pb.ListRuleDiagnosticsResponse:
        """Return how rules do."""
        return rules_to_proto(await self._desk.rule_diagnostics(request.diagnostics_ref))


def register(parts: ServiceParts) -> list[Registration]:
    """Build the aggregation service and say what to serve."""
    service = AggregationService(parts)
    stages = AggregationServicer(service, parts.operations)
    inbox = ReviewInboxServicer(service.inbox, service.desk, parts.clock)
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
