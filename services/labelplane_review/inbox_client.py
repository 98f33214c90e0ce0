"""The inbox as connectors see it: open tasks out, votes in."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane.aggregation.v1 import review_inbox_pb2_grpc as pb_grpc

__all__ = ["InboxClient", "NewVote", "OpenTask", "Rejected", "task_from_proto", "vote_to_proto"]

CALL_SECONDS = 30.0
PAGE = 500
VOTES_A_CALL = 5_000
_MAX_ADDRESS = 2048
_MAX_PROBLEM = 1024


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A question to people about one item; exactly one of `uri` and `text` is not empty."""

    number: int
    item_id: str
    round_number: int
    votes_wanted: int
    uri: str
    text: str
    suggestion: str
    suggestion_confidence: float


@dataclass(frozen=True, slots=True)
class NewVote:
    """A vote to send; `time` is when the annotator answered, None when not known; `origin` its file and line.

    `retracted` says that it takes back the vote that it supersedes.
    """

    vote_id: str
    item_id: str
    annotator: str
    answer: str
    time: datetime | None = None
    lead_time_seconds: float = 0.0
    suggestion_shown: bool = False
    supersedes: str = ""
    retracted: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A vote that the inbox has set aside."""

    vote_id: str
    reason: str
    message: str


class InboxClient:
    """Calls of the inbox over one channel. Errors are those of gRPC; a call may always be made again."""

    def __init__(self, channel: Any) -> None:
        self._stub = pb_grpc.ReviewInboxServiceStub(channel)

    async def open_tasks(self) -> AsyncIterator[OpenTask]:
        """Yield every task that wants votes, in the order of their numbers."""
        after = -1
        while True:
            request = pb.ListTasksRequest(after_number=after, limit=PAGE)
            page = await self._stub.ListTasks(request, timeout=CALL_SECONDS)
            for task in page.tasks:
                yield task_from_proto(task)
                after = task.number
            if page.end or not page.tasks:
                return

    async def submit(self, votes: Sequence[NewVote], *, origin: str) -> list[Rejected]:
        """Send votes and return those that cannot count; all others are durable then."""
        rejected: list[Rejected] = []
        for start in range(0, len(votes), VOTES_A_CALL):
            chunk = [vote_to_proto(vote) for vote in votes[start : start + VOTES_A_CALL]]
            request = pb.SubmitVotesRequest(votes=chunk, origin=origin)
            answer = await self._stub.SubmitVotes(request, timeout=CALL_SECONDS)
            rejected += [Rejected(each.vote_id, each.reason, each.message) for each in answer.set_aside]
        return rejected

    async def report(self, address: str, *, problem: str) -> None:
        """Say where people answer and what keeps the connector from working; empty when nothing does."""
        request = pb.ReportConnectorRequest(address=address[:_MAX_ADDRESS], problem=problem[:_MAX_PROBLEM])
        await self._stub.ReportConnector(request, timeout=CALL_SECONDS)


def task_from_proto(message: pb.ReviewTask) -> OpenTask:
    """Return a task as it came."""
    return OpenTask(
        number=message.number,
        item_id=message.item_id,
        round_number=message.round,
        votes_wanted=message.votes_wanted,
        uri=message.uri,
        text=message.text,
        suggestion=message.suggestion,
        suggestion_confidence=message.suggestion_confidence,
    )


def vote_to_proto(vote: NewVote) -> pb.Vote:
    """Return the message for a vote."""
    message = pb.Vote(
        vote_id=vote.vote_id,
        item_id=vote.item_id,
        annotator=vote.annotator,
        answer=vote.answer,
        lead_time_seconds=vote.lead_time_seconds,
        suggestion_shown=vote.suggestion_shown,
        supersedes=vote.supersedes,
        retracted=vote.retracted,
        origin=vote.origin,
    )
    if vote.time is not None:
        message.time.FromDatetime(vote.time)
    return message
