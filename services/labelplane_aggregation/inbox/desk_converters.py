"""Between the desk and its messages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_aggregation.inbox.comments import Comment
from labelplane_aggregation.inbox.converters import task_to_proto
from labelplane_aggregation.inbox.desk import HandedOut, LeasedTask
from labelplane_aggregation.inbox.doubtful import DoubtfulItem
from labelplane_aggregation.inbox.leases import Assignment
from labelplane_aggregation.inbox.people import Person
from labelplane_aggregation.inbox.showing import ShownItem
from labelplane_core.errors import InvalidInput
from labelplane_core.tasks import Presentation

__all__ = [
    "LeaseWish",
    "checked_annotator",
    "checked_text",
    "comment_from_proto",
    "comment_to_proto",
    "comments_to_proto",
    "content_to_proto",
    "doubtful_to_proto",
    "handed_out_to_proto",
    "lease_wish",
    "limit_of",
    "person_to_proto",
    "shown_to_proto",
    "timestamp",
]

_MOST_LEASES: Final = 100
_USUAL_SECONDS: Final = 600
_PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class LeaseWish:
    """What LeaseTask is asked, checked."""

    annotator: str
    count: int
    seconds: float
    holding: tuple[str, ...]
    assignment: Assignment


def lease_wish(message: pb.LeaseTaskRequest) -> LeaseWish:
    """Return what is asked; `InvalidInput` names what is out of its bounds."""
    seconds = message.lease_seconds or _USUAL_SECONDS
    if not 10 <= seconds <= 86_400:
        raise InvalidInput(f"lease_seconds must be 10 to 86400, got {seconds}")
    for name, value in (("count", message.count), ("holding", len(message.holding))):
        if value > _MOST_LEASES:
            raise InvalidInput(f"{name} must be at most {_MOST_LEASES}, got {value}")
    annotator = checked_annotator(message.annotator)
    assignment = _assignment(message.assignment)
    return LeaseWish(annotator, message.count, float(seconds), tuple(message.holding), assignment)


def limit_of(limit: int, *, usual: int, most: int) -> int:
    """Return the bound on a list, `usual` for 0; `InvalidInput` above `most`."""
    if limit > most:
        raise InvalidInput(f"limit must be at most {most}, got {limit}")
    return limit or usual


def checked_text(text: str, *, name: str, least: int, most: int) -> str:
    """Return a text without outer space; `InvalidInput` when it is too short or too long."""
    text = text.strip()
    if not least <= len(text) <= most:
        raise InvalidInput(f"{name} must have {least:,} to {most:,} characters, got {len(text):,}")
    return text


def checked_annotator(annotator: str) -> str:
    """Return a person's name, as votes spell it; `InvalidInput` when it is none."""
    return checked_text(annotator, name="annotator", least=1, most=253)


def comment_from_proto(message: pb.CommentRequest, *, now: datetime) -> Comment:
    """Return a remark that came in `now`; `InvalidInput` when a part of it is missing or too long."""
    return Comment(
        comment_id=checked_text(message.comment_id, name="comment_id", least=1, most=128),
        annotator=checked_annotator(message.annotator),
        item_id=message.item_id,
        text=checked_text(message.text, name="text", least=1, most=4000),
        time=now,
    )


def handed_out_to_proto(handed_out: HandedOut) -> pb.LeaseTaskResponse:
    """Return the message for what a person got."""
    return pb.LeaseTaskResponse(
        tasks=map(_leased, handed_out.tasks),
        renewed=[
            pb.RenewedLease(before=each.before, lease_id=each.lease_id, expires=timestamp(each.until))
            for each in handed_out.renewed
        ],
        lost=handed_out.lost,
        waiting_for_others=handed_out.waiting_for_others,
    )


def person_to_proto(person: Person) -> pb.Person:
    """Return the message for one person's counts."""
    return pb.Person(
        annotator=person.annotator,
        votes=person.votes,
        skips=person.skips,
        gold_answered=person.gold_answered,
        gold_right=person.gold_right,
        seconds_per_vote=person.seconds_per_vote,
        last_seen=None if person.last_seen is None else timestamp(person.last_seen),
    )


def comments_to_proto(comments: Sequence[Comment]) -> pb.ListCommentsResponse:
    """Return the message for remarks."""
    return pb.ListCommentsResponse(comments=map(comment_to_proto, comments))


def comment_to_proto(comment: Comment) -> pb.ItemComment:
    """Return the message for one remark."""
    return pb.ItemComment(
        comment_id=comment.comment_id,
        annotator=comment.annotator,
        item_id=comment.item_id,
        text=comment.text,
        time=timestamp(comment.time),
    )


def shown_to_proto(shown: ShownItem) -> pb.SignItemResponse:
    """Return the message for how an item is shown."""
    return pb.SignItemResponse(
        text=shown.text,
        content_ticket=shown.content_ticket,
        expires=timestamp(shown.until),
        address=shown.address,
        address_expires=None if shown.address_until is None else timestamp(shown.address_until),
    )


def content_to_proto(content: Presentation) -> Iterator[pb.ReadItemResponse]:
    """Yield the messages for content, each of a bounded size; at least one."""
    yield pb.ReadItemResponse(media_type=content.media_type, data=content.data[:_PIECE_BYTES])
    for start in range(_PIECE_BYTES, len(content.data), _PIECE_BYTES):
        yield pb.ReadItemResponse(data=content.data[start : start + _PIECE_BYTES])


def doubtful_to_proto(items: Sequence[DoubtfulItem]) -> pb.ListDoubtfulItemsResponse:
    """Return the message for uncertain answers."""
    return pb.ListDoubtfulItemsResponse(
        items=[
            pb.DoubtfulItem(
                item_id=each.item_id,
                answer=each.answer,
                confidence=each.confidence,
                votes=each.votes,
                agreement=each.agreement,
            )
            for each in items
        ]
    )


def _assignment(message: pb.Assignment) -> Assignment:
    share = message.share or 1.0
    if not 0 < share <= 1:
        raise InvalidInput(f"assignment.share must be above 0 and at most 1, got {share:g}")
    return Assignment(frozenset(message.classes), share)


def _leased(leased: LeasedTask) -> pb.LeasedTask:
    return pb.LeasedTask(
        task=task_to_proto(leased.task, leased.missing),
        lease_id=leased.lease_id,
        expires=timestamp(leased.until),
        content_ticket=leased.content_ticket,
    )


def timestamp(time: datetime) -> Timestamp:
    """Return the message for a time."""
    made = Timestamp()
    made.FromDatetime(time)
    return made
