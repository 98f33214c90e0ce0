"""The inbox as the pages see it: one person's tasks out, votes, skips and remarks in, items' content."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane.aggregation.v1 import review_inbox_pb2_grpc as pb_grpc
from labelplane_review.inbox_client import OpenTask, Rejected, task_from_proto

__all__ = [
    "Answer",
    "Counts",
    "DeskClient",
    "DoubtfulItem",
    "HandedOut",
    "LeasedTask",
    "Part",
    "PersonCounts",
    "Remark",
    "Shown",
    "Taken",
]

CALL_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LeasedTask:
    """A task in one person's hands; `content_ticket` is empty for a text."""

    task: OpenTask
    lease_id: str
    content_ticket: str


@dataclass(frozen=True, slots=True)
class Part:
    """A person's part of the work: no classes are all."""

    classes: tuple[str, ...] = ()
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What a person got; `renewed` gives leases that go on their new ids."""

    tasks: tuple[LeasedTask, ...]
    renewed: dict[str, str]
    lost: tuple[str, ...]
    waiting_for_others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A person's vote, under its lease."""

    vote_id: str
    item_id: str
    answer: str
    lease_id: str
    time: datetime
    lead_time_seconds: float
    suggestion_shown: bool
    supersedes: str
    retracted: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of votes."""

    accepted: int
    duplicates: int
    set_aside: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class PersonCounts:
    """What one person has done."""

    name: str
    votes: int
    skips: int
    gold_answered: int
    gold_right: int
    seconds_per_vote: float
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The people's side of a job, and one person's part in it; `conflicts` and `content_origin` are details."""

    tasks: int
    tasks_open: int
    votes: int
    votes_missing: int
    votes_set_aside: int
    person: PersonCounts | None
    conflicts: int = 0
    content_origin: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark on an item."""

    comment_id: str
    annotator: str
    item_id: str
    text: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """An item's text, or the ticket for its content; with an address where the bucket shows it itself."""

    text: str
    content_ticket: str
    until: datetime | None = None
    address: str = ""
    address_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DoubtfulItem:
    """An answered item that little is certain of."""

    item_id: str
    answer: str
    confidence: float
    votes: int
    agreement: float


class DeskClient:
    """Calls over one channel. Errors are those of gRPC; every call may be made again."""

    def __init__(self, channel: Any) -> None:
        self._stub = pb_grpc.ReviewInboxServiceStub(channel)

    async def lease(
        self, annotator: str, *, count: int, seconds: int, holding: Sequence[str], part: Part | None = None
    ) -> HandedOut:
        """Hold on to what a person has, and hand out up to `count` tasks more of their part."""
        request = pb.LeaseTaskRequest(annotator=annotator, count=count, lease_seconds=seconds, holding=holding)
        if part is not None:
            request.assignment.CopyFrom(pb.Assignment(classes=part.classes, share=part.share))
        answer = await self._stub.LeaseTask(request, timeout=CALL_SECONDS)
        return HandedOut(
            tuple(LeasedTask(task_from_proto(each.task), each.lease_id, each.content_ticket) for each in answer.tasks),
            {each.before: each.lease_id for each in answer.renewed},
            tuple(answer.lost),
            answer.waiting_for_others,
        )

    async def submit(self, annotator: str, answers: Sequence[Answer]) -> Taken:
        """Send a person's votes; those not set aside are durable then."""
        request = pb.SubmitVotesRequest(
            votes=[_vote(annotator, each) for each in answers], origin="review page", leased=True
        )
        answer = await self._stub.SubmitVotes(request, timeout=CALL_SECONDS)
        aside = tuple(Rejected(each.vote_id, each.reason, each.message) for each in answer.set_aside)
        return Taken(answer.accepted, answer.duplicates, aside)

    async def skip(self, annotator: str, lease_id: str, *, reason: str, is_undone: bool) -> None:
        """Give a task back, or take that back."""
        request = pb.SkipTaskRequest(annotator=annotator, lease_id=lease_id, reason=reason, undo=is_undone)
        await self._stub.SkipTask(request, timeout=CALL_SECONDS)

    async def comment(self, annotator: str, *, comment_id: str, item_id: str, text: str) -> None:
        """Send a remark."""
        request = pb.CommentRequest(comment_id=comment_id, annotator=annotator, item_id=item_id, text=text)
        await self._stub.Comment(request, timeout=CALL_SECONDS)

    async def remarks(self, *, item_id: str = "", limit: int = 0) -> list[Remark]:
        """Return the newest remarks, newest first."""
        request = pb.ListCommentsRequest(item_id=item_id, limit=limit)
        answer = await self._stub.ListComments(request, timeout=CALL_SECONDS)
        return [
            Remark(each.comment_id, each.annotator, each.item_id, each.text, each.time.ToDatetime(UTC))
            for each in answer.comments
        ]

    async def counts(self, annotator: str = "", *, has_details: bool = False) -> Counts:
        """Return the counts, those of one person with them when one is named; with details where they are wanted."""
        request = pb.GetProgressRequest(annotator=annotator, details=has_details)
        answer = await self._stub.GetProgress(request, timeout=CALL_SECONDS)
        return Counts(
            tasks=answer.tasks,
            tasks_open=answer.tasks_open,
            votes=answer.votes,
            votes_missing=answer.votes_missing,
            votes_set_aside=answer.votes_set_aside,
            person=_person(answer.person) if answer.HasField("person") else None,
            conflicts=answer.conflicts,
            content_origin=answer.content_origin,
        )

    async def people(self) -> list[PersonCounts]:
        """Return what everybody has done, those with most votes first."""
        answer = await self._stub.ListPeople(pb.ListPeopleRequest(), timeout=CALL_SECONDS)
        return [_person(each) for each in answer.people]

    async def doubtful(self, posteriors_ref: str, *, limit: int) -> list[DoubtfulItem]:
        """Return the least certain answers of a table of posteriors."""
        request = pb.ListDoubtfulItemsRequest(posteriors_ref=posteriors_ref, limit=limit)
        answer = await self._stub.ListDoubtfulItems(request, timeout=CALL_SECONDS)
        return [
            DoubtfulItem(each.item_id, each.answer, each.confidence, each.votes, each.agreement)
            for each in answer.items
        ]

    async def sign(self, item_id: str) -> Shown:
        """Return an item's text, or a ticket for its content."""
        answer = await self._stub.SignItem(pb.SignItemRequest(item_id=item_id), timeout=CALL_SECONDS)
        return _shown(answer)

    async def sign_again(self, content_ticket: str) -> Shown:
        """Do the same for the item of a ticket."""
        request = pb.SignItemRequest(content_ticket=content_ticket)
        return _shown(await self._stub.SignItem(request, timeout=CALL_SECONDS))

    async def content(self, content_ticket: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield an item's content in pieces; the first names its media type."""
        request = pb.ReadItemRequest(content_ticket=content_ticket)
        async for piece in self._stub.ReadItem(request, timeout=CALL_SECONDS):
            yield piece.media_type, piece.data


def _shown(answer: pb.SignItemResponse) -> Shown:
    has_address = answer.HasField("address_expires")
    return Shown(
        answer.text,
        answer.content_ticket,
        answer.expires.ToDatetime(UTC),
        answer.address,
        answer.address_expires.ToDatetime(UTC) if has_address else None,
    )


def _vote(annotator: str, answer: Answer) -> pb.Vote:
    message = pb.Vote(
        vote_id=answer.vote_id,
        item_id=answer.item_id,
        annotator=annotator,
        answer=answer.answer,
        lease_id=answer.lease_id,
        lead_time_seconds=answer.lead_time_seconds,
        suggestion_shown=answer.suggestion_shown,
        supersedes=answer.supersedes,
        retracted=answer.retracted,
    )
    message.time.FromDatetime(answer.time)
    return message


def _person(message: pb.Person) -> PersonCounts:
    return PersonCounts(
        name=message.annotator,
        votes=message.votes,
        skips=message.skips,
        gold_answered=message.gold_answered,
        gold_right=message.gold_right,
        seconds_per_vote=message.seconds_per_vote,
        last_seen=message.last_seen.ToDatetime(UTC) if message.HasField("last_seen") else None,
    )
