"""Where people come: tasks are handed out, taken back, answered, remarked on and shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from labelplane_aggregation.errors import NotLeased
from labelplane_aggregation.inbox.adjudication import Adjudication
from labelplane_aggregation.inbox.comments import Comment, Comments
from labelplane_aggregation.inbox.deeds import Deed, DeedKind
from labelplane_aggregation.inbox.doubtful import DoubtfulItem, doubtful_items
from labelplane_aggregation.inbox.inbox import Receipt, ReviewInbox
from labelplane_aggregation.inbox.leases import ANYTHING, Assignment, Leases, choose_tasks, under_lease
from labelplane_aggregation.inbox.ledger import Ledger, OpenTask
from labelplane_aggregation.inbox.people import Person
from labelplane_aggregation.inbox.showing import TICKET_SECONDS, Showing
from labelplane_aggregation.inbox.signing import Lease, Signer, Ticket
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside
from labelplane_core.process import ServiceParts
from labelplane_core.table_store import TableStore
from labelplane_core.tables import POSTERIORS, RULE_DIAGNOSTICS

__all__ = ["Desk", "HandedOut", "LeasedTask", "Renewed"]


@dataclass(frozen=True, slots=True)
class LeasedTask:
    """A task in one person's hands; `content_ticket` is empty for a text."""

    task: OpenTask
    missing: int
    lease_id: str
    until: datetime
    content_ticket: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """A lease that goes on under another id."""

    before: str
    lease_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What a person got; see the message."""

    tasks: tuple[LeasedTask, ...]
    renewed: tuple[Renewed, ...]
    lost: tuple[str, ...]
    waiting_for_others: int


class Desk:
    """Serves people one by one, over the inbox that counts their votes.

    Leases are in memory and signed: after a restart, whoever brings one back holds its task again.
    """

    def __init__(self, parts: ServiceParts, inbox: ReviewInbox) -> None:
        self._parts = parts
        self._inbox = inbox
        self._leases = Leases()
        self._comments = Comments(parts.store, parts.layout)
        self.adjudication = Adjudication(inbox, self._comments)
        self.showing = Showing(parts, inbox.book)
        self._posteriors: tuple[str, pa.Table] | None = None

    # -- tasks ----------------------------------------------------------------------------------------------------

    async def lease(
        self,
        annotator: str,
        *,
        count: int,
        seconds: float,
        holding: Sequence[str],
        assignment: Assignment = ANYTHING,
    ) -> HandedOut:
        """Renew what a person holds, take back what they do not name, and hand out up to `count` tasks more."""
        ledger, signer, now = await self._inbox.ledger(), await self.showing.signer(), self._parts.clock.now()
        until = now + timedelta(seconds=seconds)
        renewed: list[Renewed] = []
        lost: list[str] = []
        in_hand: dict[int, str] = {}
        for lease_id in holding:
            lease = signer.lease(lease_id)
            if lease is None or not self._can_hold(lease, annotator, ledger, now=now):
                lost.append(lease_id)
                continue
            lease = replace(lease, until=until)
            self._leases.hold(lease)
            in_hand[lease.number] = ledger.task(lease.number).item_id
            renewed.append(Renewed(lease_id, signer.lease_id(lease), until))
        self._leases.keep(in_hand, annotator)
        items = set(in_hand.values())
        chosen, passed_over = choose_tasks(
            ledger, self._leases, annotator, count=count, in_hand=items, now=now, assignment=assignment
        )
        tasks = [
            self._hand_out(Lease(task.number, annotator, until), task, signer, missing=ledger.missing(task.number))
            for task in chosen
        ]
        waiting = passed_over if len(tasks) < count else 0
        return HandedOut(tuple(tasks), tuple(renewed), tuple(lost), waiting)

    async def submit(self, votes: Sequence[IncomingVote], lease_ids: Sequence[str]) -> Receipt:
        """Take votes in, each under its lease, and return when they are durable; errors as the inbox's own."""
        signer = await self.showing.signer()
        leases = {vote.vote_id: signer.lease(lease_id) for vote, lease_id in zip(votes, lease_ids, strict=True)}
        now = self._parts.clock.now()

        def guard(vote: IncomingVote, before: IncomingVote | None, ledger: Ledger) -> IncomingVote | SetAside:
            aside = under_lease(vote, leases[vote.vote_id], ledger, before=before, now=now)
            if aside is not None:
                return aside
            # A second answer, as from another tab, is an edit of the first.
            return vote if vote.supersedes else replace(vote, supersedes=ledger.live_vote(vote.item_id, vote.annotator))

        receipt = await self._inbox.submit(votes, guard=guard)
        for vote in votes:
            lease = leases[vote.vote_id]
            if lease is not None and lease.annotator == vote.annotator and not vote.retracted:
                self._leases.release(lease.number, lease.annotator)
        return receipt

    async def skip(self, annotator: str, lease_id: str, *, reason: str, is_undone: bool) -> None:
        """Give a task back durably, or take that back.

        Raises:
            NotLeased: the lease is none of this person's; it may have run out.
        """
        ledger, signer, now = await self._inbox.ledger(), await self.showing.signer(), self._parts.clock.now()
        lease = signer.lease(lease_id)
        if lease is None or lease.annotator != annotator or ledger.find_task(lease.number) is None:
            raise NotLeased(f"the task is not leased to {annotator!r}: lease it, then skip it")
        kind = DeedKind.UNSKIP if is_undone else DeedKind.SKIP
        await self._inbox.note(Deed(kind=kind, annotator=annotator, time=now, task=lease.number, note=reason))
        if is_undone and lease.until > now:
            self._leases.hold(lease)
        else:
            self._leases.release(lease.number, annotator)

    async def push(self, votes: Sequence[IncomingVote], *, pushed_by: str, origin: str, replaces: bool) -> Receipt:
        """Take in votes that somebody else brings than who gave them, and note who brought them.

        With `replaces`, a vote that names none takes the place of the vote that its annotator has on the item.
        """
        receipt = await self._inbox.submit(votes, guard=_in_place_of_the_last if replaces else None)
        if pushed_by and receipt.accepted:
            now = self._parts.clock.now()
            await self._inbox.note(
                Deed(kind=DeedKind.PUSH, annotator=pushed_by, time=now, note=origin, pushed=receipt.accepted)
            )
        return receipt

    async def deeds(self, *, before: int, limit: int) -> Sequence[tuple[int, Deed]]:
        """Return a page of the audit log, newest first, the item of a skipped task filled in."""
        ledger = await self._inbox.ledger()
        return [
            (number, _with_item(deed, ledger)) for number, deed in await self._inbox.deeds(before=before, limit=limit)
        ]

    async def person(self, annotator: str) -> Person:
        """Return what one person has done."""
        return (await self._inbox.ledger()).people.person(annotator)

    async def people(self) -> Sequence[Person]:
        """Return what everybody has done."""
        return (await self._inbox.ledger()).people.all()

    # -- remarks --------------------------------------------------------------------------------------------------

    async def comment(self, comment: Comment) -> None:
        """Keep a remark durably, once.

        Raises:
            UnknownItem: there is no such item.
        """
        await self.showing.check(comment.item_id)
        await self._comments.add(comment)

    async def comments(self, *, item_id: str, limit: int) -> Sequence[Comment]:
        """Return the newest remarks, of one item or of all, newest first."""
        return await self._comments.newest(item_id=item_id, limit=limit)

    # -- items ----------------------------------------------------------------------------------------------------

    async def doubtful(self, posteriors_ref: str, *, limit: int) -> Sequence[DoubtfulItem]:
        """Return the least certain answers of a table of posteriors; a round's table never changes, so it is kept."""
        if self._posteriors is None or self._posteriors[0] != posteriors_ref:
            table = await TableStore(self._parts.store).read(posteriors_ref, POSTERIORS)
            self._posteriors = (posteriors_ref, table)
        return doubtful_items(self._posteriors[1], limit=limit)

    async def rule_diagnostics(self, diagnostics_ref: str) -> Sequence[dict[str, Any]]:
        """Return the rows of a round's `RULE_DIAGNOSTICS`."""
        table = await TableStore(self._parts.store).read(diagnostics_ref, RULE_DIAGNOSTICS)
        rows: Sequence[dict[str, Any]] = table.to_pylist()
        return rows

    # -- parts ----------------------------------------------------------------------------------------------------

    def _can_hold(self, lease: Lease, annotator: str, ledger: Ledger, *, now: datetime) -> bool:
        """Whether a person may hold a lease on: it is theirs, and the task still has a place for them."""
        task = ledger.find_task(lease.number)
        if task is None or lease.annotator != annotator or not ledger.may_answer(task, annotator):
            return False
        return lease.until > now or ledger.missing(lease.number) > self._leases.others(lease.number, annotator, now=now)

    def _hand_out(self, lease: Lease, task: OpenTask, signer: Signer, *, missing: int) -> LeasedTask:
        self._leases.hold(lease)
        ticket_until = lease.until + timedelta(seconds=TICKET_SECONDS)
        ticket = "" if task.text else signer.content_ticket(Ticket(task.item_id, ticket_until))
        return LeasedTask(task, missing, signer.lease_id(lease), lease.until, ticket)


def _in_place_of_the_last(vote: IncomingVote, before: IncomingVote | None, ledger: Ledger) -> IncomingVote:
    del before
    return vote if vote.supersedes else replace(vote, supersedes=ledger.live_vote(vote.item_id, vote.annotator))


def _with_item(deed: Deed, ledger: Ledger) -> Deed:
    task = None if deed.task is None else ledger.find_task(deed.task)
    return deed if task is None else replace(deed, item_id=task.item_id)
