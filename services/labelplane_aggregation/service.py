"""The stages Prepare, Vote, Aggregate, Review and Finalize, and the inbox that people's votes come in by."""

from labelplane_aggregation.aggregating import Aggregate
from labelplane_aggregation.finalizing import Finalize
from labelplane_aggregation.inbox import Desk, ReviewInbox
from labelplane_aggregation.preparing import Prepare
from labelplane_aggregation.requests import (
    AggregateRequest,
    FinalizeRequest,
    PrepareRequest,
    ReviewRequest,
    VoteRequest,
)
from labelplane_aggregation.reviewing import Review
from labelplane_aggregation.voting import Vote
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts

__all__ = ["AggregationService"]


class AggregationService:
    """Everything that is done with a job's votes. All stages share one inbox."""

    def __init__(self, parts: ServiceParts) -> None:
        self.inbox = ReviewInbox(parts)
        self.desk = Desk(parts, self.inbox)
        self._prepare = Prepare(parts)
        self._vote = Vote(parts, self.inbox)
        self._aggregate = Aggregate(parts)
        self._review = Review(parts, self.inbox)
        self._finalize = Finalize(parts)

    async def prepare(self, request: PrepareRequest, context: OperationContext) -> Outcome:
        """Index the data set, and let votes come in from then on."""
        outcome = await self._prepare.run(request, context)
        await self.inbox.prepared(request.task)
        return outcome

    async def vote(self, request: VoteRequest, context: OperationContext) -> Outcome:
        """Collect the votes that have come."""
        return await self._vote.run(request, context)

    async def aggregate(self, request: AggregateRequest, context: OperationContext) -> Outcome:
        """Infer posteriors and reliabilities."""
        return await self._aggregate.run(request, context)

    async def review(self, request: ReviewRequest, context: OperationContext) -> Outcome:
        """Ask people about a batch and close the round."""
        return await self._review.run(request, context)

    async def finalize(self, request: FinalizeRequest, context: OperationContext) -> Outcome:
        """Label every item, export and report."""
        return await self._finalize.run(request, context)
