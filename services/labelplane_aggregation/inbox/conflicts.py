"""Which items wait for a decision: a pure function of votes, comments and items that were sent back."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labelplane_aggregation.inbox.comments import Comment, Comments
from labelplane_aggregation.inbox.ledger import GivenVote, Ledger

__all__ = ["Conflict", "ConflictPage", "waiting_conflicts"]

_MOST_COMMENTS = 20


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item that waits for a decision; see the message."""

    item_id: str
    is_disputed: bool
    is_sent_back: bool
    votes_missing: int
    votes: tuple[GivenVote, ...]
    comments: tuple[Comment, ...]
    decision: GivenVote | None


@dataclass(frozen=True, slots=True)
class ConflictPage:
    """Some conflicts, in order of their items' ids, and how many there are altogether."""

    conflicts: Sequence[Conflict]
    is_end: bool
    total: int


def waiting_conflicts(ledger: Ledger, comments: Comments, *, after: str, limit: int) -> ConflictPage:
    """Return up to `limit` items with a greater id than `after` that wait for a decision."""
    waiting = _waiting(ledger, comments)
    ids = heapq.nsmallest(limit + 1, (item_id for item_id in waiting if item_id > after))
    return ConflictPage([_conflict(each, ledger, comments) for each in ids[:limit]], len(ids) <= limit, len(waiting))


def _waiting(ledger: Ledger, comments: Comments) -> set[str]:
    candidates: Iterable[str] = ledger.disputed | ledger.sent_back | comments.items
    return {item_id for item_id in candidates if _waits(item_id, ledger, comments)}


def _waits(item_id: str, ledger: Ledger, comments: Comments) -> bool:
    """Whether nothing is decided, or somebody has commented on the item since."""
    decision = ledger.decision(item_id)
    if decision is None:
        return True
    remarks = comments.of(item_id)
    return bool(remarks) and remarks[-1].time > decision.time


def _conflict(item_id: str, ledger: Ledger, comments: Comments) -> Conflict:
    return Conflict(
        item_id=item_id,
        is_disputed=item_id in ledger.disputed,
        is_sent_back=item_id in ledger.sent_back,
        votes_missing=ledger.votes_missing_of(item_id),
        votes=tuple(ledger.live_votes(item_id)),
        comments=tuple(comments.of(item_id)[: -_MOST_COMMENTS - 1 : -1]),
        decision=ledger.decision(item_id),
    )
