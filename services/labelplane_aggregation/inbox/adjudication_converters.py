"""Between conflicts, verdicts and the audit log and their messages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_aggregation.inbox.adjudication import Verdict
from labelplane_aggregation.inbox.conflicts import Conflict, ConflictPage
from labelplane_aggregation.inbox.deeds import Deed
from labelplane_aggregation.inbox.desk_converters import checked_annotator, checked_text, comment_to_proto, timestamp
from labelplane_aggregation.inbox.ledger import GivenVote

__all__ = ["conflicts_to_proto", "decision", "deeds_to_proto", "rules_to_proto", "sending_back"]

_RULE_FIELDS = tuple(each.name for each in pb.RuleDiagnostics.DESCRIPTOR.fields)


def decision(message: pb.DecideItemRequest, *, now: datetime) -> Verdict:
    """Return a decision that came in `now`; `InvalidInput` when a part of it is missing or too long."""
    return Verdict(
        verdict_id=checked_text(message.decision_id, name="decision_id", least=1, most=128),
        annotator=checked_annotator(message.annotator),
        item_id=message.item_id,
        answer=checked_text(message.answer, name="answer", least=1, most=1024),
        note=checked_text(message.note, name="note", least=0, most=1000),
        time=now,
    )


def sending_back(message: pb.SendBackRequest, *, now: datetime) -> Verdict:
    """Return the wish to send an item back that came in `now`; `InvalidInput` as `decision`."""
    return Verdict(
        verdict_id=checked_text(message.deed_id, name="deed_id", least=1, most=128),
        annotator=checked_annotator(message.annotator),
        item_id=message.item_id,
        note=checked_text(message.note, name="note", least=0, most=1000),
        time=now,
    )


def conflicts_to_proto(page: ConflictPage) -> pb.ListConflictsResponse:
    """Return the message for a page of conflicts."""
    return pb.ListConflictsResponse(conflicts=map(_conflict, page.conflicts), end=page.is_end, total=page.total)


def deeds_to_proto(deeds: Sequence[tuple[int, Deed]]) -> pb.ListDeedsResponse:
    """Return the message for a page of the audit log; numbers begin with 1, so the oldest is known when it is there."""
    return pb.ListDeedsResponse(
        deeds=[_deed(number, deed) for number, deed in deeds], end=not deeds or deeds[-1][0] == 1
    )


def rules_to_proto(rows: Iterable[Mapping[str, Any]]) -> pb.ListRuleDiagnosticsResponse:
    """Return the message for rows of `RULE_DIAGNOSTICS`."""
    return pb.ListRuleDiagnosticsResponse(
        rules=[pb.RuleDiagnostics(**{name: row[name] for name in _RULE_FIELDS}) for row in rows]
    )


def _conflict(conflict: Conflict) -> pb.Conflict:
    return pb.Conflict(
        item_id=conflict.item_id,
        is_disputed=conflict.is_disputed,
        is_sent_back=conflict.is_sent_back,
        votes_missing=conflict.votes_missing,
        votes=map(_vote, conflict.votes),
        comments=map(comment_to_proto, conflict.comments),
        decision=None if conflict.decision is None else _vote(conflict.decision),
    )


def _vote(vote: GivenVote) -> pb.GivenVote:
    return pb.GivenVote(vote_id=vote.vote_id, annotator=vote.annotator, answer=vote.answer, time=timestamp(vote.time))


def _deed(number: int, deed: Deed) -> pb.Deed:
    return pb.Deed(
        number=number,
        did=deed.kind.value,
        annotator=deed.annotator,
        time=timestamp(deed.time),
        item_id=deed.item_id,
        answer=deed.answer,
        note=deed.note,
        votes=deed.pushed,
    )
