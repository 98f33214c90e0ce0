"""The inbox as adjudicators and tools see it: conflicts, decisions, the audit log, rules, and votes of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane.aggregation.v1 import review_inbox_pb2_grpc as pb_grpc
from labelplane_review.desk_client import CALL_SECONDS, Remark, Taken
from labelplane_review.inbox_client import NewVote, OpenTask, Rejected, task_from_proto, vote_to_proto

__all__ = ["Conflict", "ConflictPage", "Deed", "GivenVote", "JuryClient", "RuleFigures"]


@dataclass(frozen=True, slots=True)
class GivenVote:
    """A vote as it stands."""

    vote_id: str
    annotator: str
    answer: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item that waits for a decision."""

    item_id: str
    is_disputed: bool
    is_sent_back: bool
    votes_missing: int
    votes: tuple[GivenVote, ...]
    comments: tuple[Remark, ...]
    decision: GivenVote | None


@dataclass(frozen=True, slots=True)
class ConflictPage:
    """Some of them, in order of their items' ids."""

    conflicts: tuple[Conflict, ...]
    is_end: bool
    total: int


@dataclass(frozen=True, slots=True)
class Deed:
    """An entry of the audit log."""

    number: int
    did: str
    annotator: str
    time: datetime
    item_id: str
    answer: str
    note: str
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFigures:
    """How a rule or knowledge base does."""

    annotator: str
    source: str
    hits: int
    overlaps: int
    conflicts: int
    outvoted: int
    estimated_accuracy: float | None
    gold_hits: int
    gold_right: int


class JuryClient:
    """Calls over one channel. Errors are those of gRPC; every call may be made again."""

    def __init__(self, channel: Any) -> None:
        self._stub = pb_grpc.ReviewInboxServiceStub(channel)

    async def conflicts(self, *, after: str, limit: int) -> ConflictPage:
        """Return a page of the items that wait for a decision."""
        request = pb.ListConflictsRequest(after_item_id=after, limit=limit)
        answer = await self._stub.ListConflicts(request, timeout=CALL_SECONDS)
        return ConflictPage(tuple(map(_conflict, answer.conflicts)), answer.end, answer.total)

    async def decide(self, annotator: str, *, decision_id: str, item_id: str, answer: str, note: str) -> bool:
        """Decide an item and return whether nobody had given the answer."""
        request = pb.DecideItemRequest(
            decision_id=decision_id, annotator=annotator, item_id=item_id, answer=answer, note=note
        )
        return bool((await self._stub.DecideItem(request, timeout=CALL_SECONDS)).is_correction)

    async def send_back(self, annotator: str, *, deed_id: str, item_id: str, note: str) -> int:
        """Ask people about an item anew and return how many votes it wants."""
        request = pb.SendBackRequest(deed_id=deed_id, annotator=annotator, item_id=item_id, note=note)
        return int((await self._stub.SendBack(request, timeout=CALL_SECONDS)).votes_missing)

    async def deeds(self, *, before: int, limit: int) -> tuple[list[Deed], bool]:
        """Return a page of the audit log, newest first, and whether there is no older deed."""
        request = pb.ListDeedsRequest(before_number=before, limit=limit)
        answer = await self._stub.ListDeeds(request, timeout=CALL_SECONDS)
        return [_deed(each) for each in answer.deeds], answer.end

    async def rules(self, diagnostics_ref: str) -> list[RuleFigures]:
        """Return how the rules of a round do."""
        request = pb.ListRuleDiagnosticsRequest(diagnostics_ref=diagnostics_ref)
        answer = await self._stub.ListRuleDiagnostics(request, timeout=CALL_SECONDS)
        return [_rule(each) for each in answer.rules]

    async def tasks(self, *, after: int, limit: int) -> tuple[list[OpenTask], bool]:
        """Return a page of open tasks, and whether none has a higher number."""
        request = pb.ListTasksRequest(after_number=after, limit=limit)
        answer = await self._stub.ListTasks(request, timeout=CALL_SECONDS)
        return [task_from_proto(each) for each in answer.tasks], answer.end

    async def push(self, pushed_by: str, votes: Sequence[NewVote], *, origin: str) -> Taken:
        """Send votes of others; those not set aside are durable then."""
        request = pb.SubmitVotesRequest(
            votes=map(vote_to_proto, votes), origin=origin, replaces=True, pushed_by=pushed_by
        )
        answer = await self._stub.SubmitVotes(request, timeout=CALL_SECONDS)
        aside = tuple(Rejected(each.vote_id, each.reason, each.message) for each in answer.set_aside)
        return Taken(answer.accepted, answer.duplicates, aside)


def _conflict(message: pb.Conflict) -> Conflict:
    return Conflict(
        message.item_id,
        message.is_disputed,
        message.is_sent_back,
        message.votes_missing,
        tuple(map(_vote, message.votes)),
        tuple(
            Remark(each.comment_id, each.annotator, each.item_id, each.text, each.time.ToDatetime(UTC))
            for each in message.comments
        ),
        _vote(message.decision) if message.HasField("decision") else None,
    )


def _vote(message: pb.GivenVote) -> GivenVote:
    return GivenVote(message.vote_id, message.annotator, message.answer, message.time.ToDatetime(UTC))


def _deed(message: pb.Deed) -> Deed:
    return Deed(
        message.number,
        message.did,
        message.annotator,
        message.time.ToDatetime(UTC),
        message.item_id,
        message.answer,
        message.note,
        message.votes,
    )


def _rule(message: pb.RuleDiagnostics) -> RuleFigures:
    has_estimate = message.HasField("estimated_accuracy")
    return RuleFigures(
        annotator=message.annotator,
        source=message.source,
        hits=message.hits,
        overlaps=message.overlaps,
        conflicts=message.conflicts,
        outvoted=message.outvoted,
        estimated_accuracy=message.estimated_accuracy if has_estimate else None,
        gold_hits=message.gold_hits,
        gold_right=message.gold_right,
    )
