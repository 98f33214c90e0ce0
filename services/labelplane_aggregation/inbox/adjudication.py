"""Decisions on items that people disagree on, and items that are sent back to them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from labelplane_aggregation.errors import BadDecision, NobodyAsked, NotPrepared, UnknownItem
from labelplane_aggregation.inbox.comments import Comments
from labelplane_aggregation.inbox.conflicts import ConflictPage, waiting_conflicts
from labelplane_aggregation.inbox.deeds import Deed, DeedKind
from labelplane_aggregation.inbox.inbox import ReviewInbox
from labelplane_aggregation.inbox.ledger import Ledger
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside, checked

__all__ = ["Adjudication", "Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an adjudicator says of an item; `answer` is empty where it is sent back."""

    verdict_id: str
    annotator: str
    item_id: str
    time: datetime
    note: str
    answer: str = ""


class Adjudication:
    """Takes verdicts in, over the inbox that counts them as votes.

    A verdict is two writes: first what it does to votes, then its line in the audit log. Its sender sends it again
    until both are durable, and each counts once.
    """

    def __init__(self, inbox: ReviewInbox, comments: Comments) -> None:
        self._inbox = inbox
        self._comments = comments

    async def conflicts(self, *, after: str, limit: int) -> ConflictPage:
        """Return a page of the items that wait for a decision."""
        await self._comments.load()
        return waiting_conflicts(await self._inbox.ledger(), self._comments, after=after, limit=limit)

    async def waiting(self) -> int:
        """Return how many items wait for a decision."""
        return (await self.conflicts(after="", limit=0)).total

    async def decide(self, verdict: Verdict) -> bool:
        """Take a decision in and return, when it is durable, whether nobody had given its answer.

        Raises:
            NotPrepared: the data set is not indexed yet.
            UnknownItem: there is no such item.
            BadDecision: the answer is none of the task's, or the id is that of another vote.
        """
        vote = await self._checked(verdict)
        ledger = await self._inbox.ledger()
        _check_id(verdict, ledger)
        is_correction = all(each.answer != vote.answer for each in ledger.live_votes(vote.item_id))
        await self._inbox.submit([vote], guard=_over_the_last)
        kind = DeedKind.CORRECT if is_correction else DeedKind.ACCEPT
        await self._inbox.note(_deed(verdict, kind, answer=vote.answer))
        return is_correction

    async def send_back(self, verdict: Verdict) -> int:
        """Ask people about an item anew and return, when that is durable, how many votes it wants now.

        Raises:
            NotPrepared: the data set is not indexed yet.
            UnknownItem: there is no such item.
            NobodyAsked: no round has asked people about it.
            BadDecision: the id is that of another deed.
        """
        await self._check_item(verdict.item_id)
        ledger = await self._inbox.ledger()
        noted = await self._inbox.noted(verdict.verdict_id)
        if noted is not None:
            _check_same(verdict, noted)
            return ledger.votes_missing_of(verdict.item_id)
        if not ledger.has_task(verdict.item_id):
            raise NobodyAsked(f"item {verdict.item_id!r}: no round has asked people about it: decide it, or leave it")
        await self._take_decision_back(verdict, ledger)
        votes = tuple(each.vote_id for each in ledger.live_votes(verdict.item_id))
        await self._inbox.note(_deed(verdict, DeedKind.SEND_BACK, votes=votes))
        return (await self._inbox.ledger()).votes_missing_of(verdict.item_id)

    async def _take_decision_back(self, verdict: Verdict, ledger: Ledger) -> None:
        decision = ledger.decision(verdict.item_id)
        if decision is not None:
            back = hashlib.blake2b(f"back {verdict.verdict_id}".encode("utf-8", "surrogatepass"), digest_size=16)
            vote = _vote(verdict, vote_id=back.hexdigest())
            await self._inbox.submit([replace(vote, supersedes=decision.vote_id, retracted=True)])

    async def _checked(self, verdict: Verdict) -> IncomingVote:
        task = await self._inbox.book.task()
        await self._check_item(verdict.item_id)
        assert task is not None
        vote = checked(_vote(verdict), items=(await self._inbox.book.items()).ids, task=task)
        if isinstance(vote, SetAside):
            raise BadDecision(vote.message)
        return vote

    async def _check_item(self, item_id: str) -> None:
        if await self._inbox.book.task() is None:
            raise NotPrepared("the data set is not indexed yet: decide when Prepare has finished")
        if item_id not in (await self._inbox.book.items()).ids:
            raise UnknownItem(f"item {item_id!r} is not in the data set")


def _check_id(verdict: Verdict, ledger: Ledger) -> None:
    known = ledger.vote(verdict.verdict_id)
    if known is None:
        return
    if not known.is_decision or (known.item_id, known.annotator) != (verdict.item_id, verdict.annotator):
        raise BadDecision(f"decision_id {verdict.verdict_id!r} is that of another vote: draw another")


def _check_same(verdict: Verdict, noted: Deed) -> None:
    if (noted.kind, noted.item_id) != (DeedKind.SEND_BACK, verdict.item_id):
        raise BadDecision(f"deed_id {verdict.verdict_id!r} is that of another deed: draw another")


def _over_the_last(vote: IncomingVote, before: IncomingVote | None, ledger: Ledger) -> IncomingVote:
    """Let a decision take the place of the one that stands, whoever took it."""
    del before
    standing = ledger.decision(vote.item_id)
    return vote if standing is None else replace(vote, supersedes=standing.vote_id)


def _vote(verdict: Verdict, *, vote_id: str = "") -> IncomingVote:
    return IncomingVote(
        vote_id=vote_id or verdict.verdict_id,
        item_id=verdict.item_id,
        annotator=verdict.annotator,
        answer=verdict.answer,
        weight=1.0,
        time=verdict.time,
        lead_time_seconds=0.0,
        suggestion_shown=True,
        supersedes="",
        retracted=False,
        origin="conflicts",
        is_decision=True,
    )


def _deed(verdict: Verdict, kind: DeedKind, *, answer: str = "", votes: Sequence[str] = ()) -> Deed:
    return Deed(
        kind=kind,
        annotator=verdict.annotator,
        time=verdict.time,
        deed_id=verdict.verdict_id,
        item_id=verdict.item_id,
        answer=answer,
        note=verdict.note,
        votes=tuple(votes),
    )
