"""Items as people are shown them: a text as it is, anything else by a ticket, or by an address of the bucket."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from labelplane_aggregation.errors import BadTicket, ItemGone, NotPrepared, TicketExpired, UnknownItem
from labelplane_aggregation.inbox.signing import Signer, Ticket, read_signer
from labelplane_aggregation.inbox.tasks import TaskBook
from labelplane_core.errors import BadItem, ObjectNotFound
from labelplane_core.process import ServiceParts
from labelplane_core.tasks import Presentation

__all__ = ["ADDRESS_SECONDS", "TICKET_SECONDS", "Showing", "ShownItem"]

TICKET_SECONDS: Final = 3600.0
ADDRESS_SECONDS: Final = 300.0
"""Long enough to fetch a large picture over a slow line; whoever copies the address has it no longer."""


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item's text, or the ticket for its content; with an address where the bucket shows it itself."""

    text: str
    content_ticket: str
    until: datetime
    address: str = ""
    address_until: datetime | None = None


class Showing:
    """Shows the items of one job. What it hands out is signed, so nothing of it is remembered."""

    def __init__(self, parts: ServiceParts, book: TaskBook) -> None:
        self._parts = parts
        self._book = book
        self._signing: Signer | None = None

    async def signer(self) -> Signer:
        """Return what signs the job's leases and tickets."""
        if self._signing is None:
            self._signing = await read_signer(self._parts.store, self._parts.layout, draw=secrets.token_bytes)
        return self._signing

    async def check(self, item_id: str) -> None:
        """Raise `UnknownItem` when there is no such item, `NotPrepared` when none is known yet."""
        await self._place(item_id)

    async def origin(self) -> str:
        """Return where all addresses lie, as `https://host:port`; empty when none is given."""
        if self._parts.item_addresses is None:
            return ""
        parts = urlsplit(await self._parts.item_addresses.address("any", seconds=1))
        return f"{parts.scheme}://{parts.netloc}"

    async def sign(self, item_id: str) -> ShownItem:
        """Return an item's text, or a ticket for its content and, where there is one, its address.

        Raises:
            UnknownItem: there is no such item.
        """
        uri, text = await self._place(item_id)
        now = self._parts.clock.now()
        until = now + timedelta(seconds=TICKET_SECONDS)
        if text:
            return ShownItem(text, "", until)
        ticket = (await self.signer()).content_ticket(Ticket(item_id, until))
        address = await self._address(uri)
        return ShownItem("", ticket, until, address, now + timedelta(seconds=ADDRESS_SECONDS) if address else None)

    async def sign_again(self, content_ticket: str) -> ShownItem:
        """Do the same for the item of a ticket; errors as `content`."""
        return await self.sign((await self._ticket(content_ticket)).item_id)

    async def content(self, content_ticket: str) -> Presentation:
        """Return the content that a ticket stands for.

        Raises:
            BadTicket: the ticket was not signed here.
            TicketExpired: it has run out.
            ItemGone: the item's file is not there any more.
            BadItem: the file is not what it was; the message names the item.
        """
        ticket = await self._ticket(content_ticket)
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

    async def _ticket(self, content_ticket: str) -> Ticket:
        ticket = (await self.signer()).ticket(content_ticket)
        if ticket is None:
            raise BadTicket("the ticket for the item's content is none of this job: ask for another with SignItem")
        if ticket.until <= self._parts.clock.now():
            raise TicketExpired(f"the ticket for item {ticket.item_id!r} has run out: ask for another with SignItem")
        return ticket

    async def _address(self, uri: str) -> str:
        """Return the address of an item's file, empty when browsers do not know its format or nothing signs."""
        task, signs = await self._book.task(), self._parts.item_addresses
        if signs is None or task is None or PurePosixPath(uri).suffix.lower() not in task.kind.browser_suffixes:
            return ""
        return await signs.address(uri, seconds=ADDRESS_SECONDS)

    async def _place(self, item_id: str) -> tuple[str, str]:
        if await self._book.task() is None:
            raise NotPrepared("the data set is not indexed yet: ask again when Prepare has finished")
        place = (await self._book.items()).place(item_id)
        if place is None:
            raise UnknownItem(f"item {item_id!r} is not in the data set")
        return place
