"""Between the inbox and its messages."""

from collections.abc import Sequence
from datetime import UTC, datetime

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_aggregation.inbox.inbox import Progress, Receipt
from labelplane_aggregation.inbox.ledger import OpenTask
from labelplane_aggregation.inbox.votes import IncomingVote
from labelplane_core.errors import InvalidInput

__all__ = ["incoming_votes", "progress_to_proto", "receipt_to_proto", "task_to_proto", "tasks_to_proto"]

_MAX_VOTES = 10_000
_MAX_ORIGIN = 1024


def incoming_votes(message: pb.SubmitVotesRequest, *, now: datetime) -> list[IncomingVote]:
    """Return the votes, each with its origin and time; `InvalidInput` when they are too many for one call."""
    if len(message.votes) > _MAX_VOTES:
        raise InvalidInput(f"votes must be at most {_MAX_VOTES} in a call, got {len(message.votes)}: send parts")
    return [_incoming(vote, message.origin, now) for vote in message.votes]


def tasks_to_proto(tasks: Sequence[tuple[OpenTask, int]], *, is_end: bool) -> pb.ListTasksResponse:
    """Return the message for a page of tasks, each with the votes it still wants."""
    return pb.ListTasksResponse(tasks=[task_to_proto(task, missing) for task, missing in tasks], end=is_end)


def receipt_to_proto(receipt: Receipt) -> pb.SubmitVotesResponse:
    """Return the message for a receipt."""
    return pb.SubmitVotesResponse(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        set_aside=[
            pb.VoteSetAside(vote_id=aside.vote.vote_id, reason=aside.reason, message=aside.message)
            for aside in receipt.set_aside
        ],
    )


def progress_to_proto(
    progress: Progress, person: pb.Person | None = None, *, conflicts: int = 0, content_origin: str = ""
) -> pb.GetProgressResponse:
    """Return the message for the counts, those of one person with them."""
    return pb.GetProgressResponse(
        person=person,
        conflicts=conflicts,
        content_origin=content_origin,
        tasks=progress.tasks,
        tasks_open=progress.tasks_open,
        votes_missing=progress.votes_missing,
        votes_pending=progress.votes_pending,
        votes=progress.votes,
        votes_set_aside=progress.votes_set_aside,
    )


def task_to_proto(task: OpenTask, missing: int) -> pb.ReviewTask:
    """Return the message for a task that wants `missing` votes more."""
    return pb.ReviewTask(
        number=task.number,
        item_id=task.item_id,
        round=task.round_number,
        votes_wanted=missing,
        uri=task.uri,
        text=task.text,
        suggestion=task.suggestion,
        suggestion_confidence=task.suggestion_confidence,
    )


def _incoming(vote: pb.Vote, origin: str, now: datetime) -> IncomingVote:
    return IncomingVote(
        vote_id=vote.vote_id,
        item_id=vote.item_id,
        annotator=vote.annotator.strip(),
        answer=vote.answer,
        weight=vote.weight or 1.0,
        time=vote.time.ToDatetime(UTC) if vote.HasField("time") else now,
        lead_time_seconds=vote.lead_time_seconds,
        suggestion_shown=vote.suggestion_shown,
        supersedes=vote.supersedes,
        retracted=vote.retracted,
        origin=(vote.origin or origin)[:_MAX_ORIGIN],
    )
