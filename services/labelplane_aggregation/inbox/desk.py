"""Where people come: tasks are handed out, taken back, answered, remarked on and shown."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa

from labelplane_aggregation.errors import BadTicket, ItemGone, NotLeased, NotPrepared, TicketExpired, UnknownItem
from labelplane_aggregation.inbox.comments import Comment, Comments
from labelplane_aggregation.inbox.doubtful import DoubtfulItem, doubtful_items
from labelplane_aggregation.inbox.inbox import Receipt, ReviewInbox
from labelplane_aggregation.inbox.leases import Leases, choose_tasks, under_lease
from labelplane_aggregation.inbox.ledger import Ledger, OpenTask
from labelplane_aggregation.inbox.people import Person
from labelplane_aggregation.inbox.signing import Lease, Signer, Ticket, read_signer
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside
from labelplane_core.errors import BadItem, ObjectNotFound
from labelplane_core.process import ServiceParts
from labelplane_core.table_store import TableStore
from labelplane_core.tables import POSTERIORS
from labelplane_core.tasks import Presentation

__all__ = ["Desk", "HandedOut", "LeasedTask", "Renewed", "ShownItem"]

TICKET_SECONDS: Final = 3600.0


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


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item's text, or the ticket for its content."""

    text: str
    content_ticket: str
    until: datetime


class Desk:
    """Serves people one by one, over the inbox that counts their votes.

    Leases are in memory and signed: after a restart, whoever brings one back holds its task again.
    """

    def __init__(self, parts: ServiceParts, inbox: ReviewInbox) -> None:
        self._parts = parts
        self._inbox = inbox
        self._book = inbox.book
        self._leases = Leases()
        self._comments = Comments(parts.store, parts.layout)
        self._signing: Signer | None = None
        self._posteriors: tuple[str, pa.Table] | None = None

    # -- tasks ----------------------------------------------------------------------------------------------------

    async def lease(self, annotator: str, *, count: int, seconds: float, holding: Sequence[str]) -> HandedOut:
        """Renew what a person holds, take back what they do not name, and hand out up to `count` tasks more."""
        ledger, signer, now = await self._inbox.ledger(), await self._signer(), self._parts.clock.now()
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
        chosen, passed_over = choose_tasks(ledger, self._leases, annotator, count=count, in_hand=items, now=now)
        tasks = [
            self._hand_out(Lease(task.number, annotator, until), task, signer, missing=ledger.missing(task.number))
            for task in chosen
        ]
        waiting = passed_over if len(tasks) < count else 0
        return HandedOut(tuple(tasks), tuple(renewed), tuple(lost), waiting)

    async def submit(self, votes: Sequence[IncomingVote], lease_ids: Sequence[str]) -> Receipt:
        """Take votes in, each under its lease, and return when they are durable; errors as the inbox's own."""
        signer = await self._signer()
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
        ledger, signer, now = await self._inbox.ledger(), await self._signer(), self._parts.clock.now()
        lease = signer.lease(lease_id)
        if lease is None or lease.annotator != annotator or ledger.find_task(lease.number) is None:
            raise NotLeased(f"the task is not leased to {annotator!r}: lease it, then skip it")
        await self._inbox.skip(lease.number, annotator, reason=reason, is_undone=is_undone, at=now)
        if is_undone and lease.until > now:
            self._leases.hold(lease)
        else:
            self._leases.release(lease.number, annotator)

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
        await self._place(comment.item_id)
        await self._comments.add(comment)

    async def comments(self, *, item_id: str, limit: int) -> Sequence[Comment]:
        """Return the newest remarks, of one item or of all, newest first."""
        return await self._comments.newest(item_id=item_id, limit=limit)

    # -- items ----------------------------------------------------------------------------------------------------

    async def sign(self, item_id: str) -> ShownItem:
        """Return an item's text, or a ticket for its content.

        Raises:
            UnknownItem: there is no such item.
        """
        _, text = await self._place(item_id)
        until = self._parts.clock.now() + timedelta(seconds=TICKET_SECONDS)
        ticket = "" if text else (await self._signer()).content_ticket(Ticket(item_id, until))
        return ShownItem(text, ticket, until)

    async def content(self, content_ticket: str) -> Presentation:
        """Return the content that a ticket stands for.

        Raises:
            BadTicket: the ticket was not signed here.
            TicketExpired: it has run out.
            ItemGone: the item's file is not there any more.
            BadItem: the file is not what it was; the message names the item.
        """
        ticket = (await self._signer()).ticket(content_ticket)
        if ticket is None:
            raise BadTicket("the ticket for the item's content is none of this job: ask for another with SignItem")
        if ticket.until <= self._parts.clock.now():
            raise TicketExpired(f"the ticket for item {ticket.item_id!r} has run out: ask for another with SignItem")
        uri, text = await self._place(ticket.item_id)
        task = await self._book.task()
        assert task is not None
        try:
            raw = (await self._parts.data.get(uri)).data if uri else text
        except ObjectNotFound as error:
            raise ItemGone(f"item {ticket.item_id!r}: its file {uri} is not there any more: skip it") from error
        try:
            return await asyncio.to_thread(task.kind.present, raw)
        except BadItem as error:
            raise type(error)(f"item {ticket.item_id!r} cannot be shown: {error}") from error

    async def doubtful(self, posteriors_ref: str, *, limit: int) -> Sequence[DoubtfulItem]:
        """Return the least certain answers of a table of posteriors; a round's table never changes, so it is kept."""
        if self._posteriors is None or self._posteriors[0] != posteriors_ref:
            table = await TableStore(self._parts.store).read(posteriors_ref, POSTERIORS)
            self._posteriors = (posteriors_ref, table)
        return doubtful_items(self._posteriors[1], limit=limit)

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

    async def _place(self, item_id: str) -> tuple[str, str]:
        if await self._book.task() is None:
            raise NotPrepared("the data set is not indexed yet: ask again when Prepare has finished")
        place = (await self._book.items()).place(item_id)
        if place is None:
            raise UnknownItem(f"item {item_id!r} is not in the data set")
        return place

    async def _signer(self) -> Signer:
        if self._signing is None:
            self._signing = await read_signer(self._parts.store, self._parts.layout, draw=secrets.token_bytes)
        return self._signing
