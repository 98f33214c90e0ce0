"""The inbox: it acknowledges a vote only when the store has it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from labelplane_aggregation.errors import NotPrepared
from labelplane_aggregation.inbox.deeds import Deed, DeedKind, Deeds
from labelplane_aggregation.inbox.journal import Entry, Journal
from labelplane_aggregation.inbox.ledger import Ledger, OpenTask
from labelplane_aggregation.inbox.tasks import Items, TaskBook
from labelplane_aggregation.inbox.trail import Record, Trail
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside, aside_key, checked, vote_key
from labelplane_aggregation.requests import Task
from labelplane_core.errors import AlreadyExists
from labelplane_core.process import ServiceParts
from labelplane_core.tables import DECISIONS, TablePart

__all__ = ["Guard", "Progress", "Receipt", "ReviewInbox"]

Guard = Callable[[IncomingVote, IncomingVote | None, Ledger], Entry]
"""Says of a vote whether it may count: the vote, perhaps mended, or the same set aside. Also given are the vote that it
supersedes, when that has come so lately that the ledger does not know it yet, and the ledger."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the votes of one call."""

    accepted: int
    duplicates: int
    set_aside: tuple[SetAside, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of the people's side."""

    tasks_open: int = 0
    votes_missing: int = 0
    votes_pending: int = 0
    votes: int = 0
    votes_set_aside: int = 0
    tasks: int = 0


@dataclass(slots=True, eq=False)
class _Group:
    """Entries that one put of the store makes durable together."""

    entries: list[Entry] = field(default_factory=list)
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ReviewInbox:
    """Tasks and votes of one job, over its store.

    State is memory that is rebuilt at the first use. Votes that come while a put is under way wait together for the
    next one (group commit), so the number of puts follows the store's speed and not the number of callers. Two
    processes may hold an inbox over one store for a while (one is about to be ended): batches are create-only, and
    each takes in what it finds where it wanted to write.
    """

    def __init__(self, parts: ServiceParts) -> None:
        self._journal = Journal(parts.store, parts.layout)
        self.book = TaskBook(parts.store, parts.layout)
        self._ledger = Ledger()
        self._next = 0
        self._drained = 0
        self._deeds = Deeds()
        self._audit = Trail(parts.store, parts.layout.review_audit, tell=self._take_in_deed)
        self._undrained: list[Entry] = []
        self._pending = 0
        self._waiting: _Group | None = None
        self._in_flight: dict[str, _Group] = {}
        self._lock = asyncio.Lock()
        self._loading: asyncio.Task[None] | None = None
        self._commits: set[asyncio.Task[None]] = set()

    # -- calls of connectors --------------------------------------------------------------------------------------

    async def submit(self, votes: Sequence[IncomingVote], *, guard: Guard | None = None) -> Receipt:
        """Take votes in and return when they are durable.

        Args:
            votes: as they came.
            guard: asked about every vote that is new and could count.

        Raises:
            NotPrepared: the data set is not indexed yet.
            StoreError: the votes may not be durable; send them again.
        """
        await self._ready()
        task = await self.book.task()
        if task is None:
            raise NotPrepared("the data set is not indexed yet: send the votes again when Prepare has finished")
        items = await self._items()
        entries = [checked(vote, items=items.ids, task=task) for vote in votes]
        receipt, groups = self._sort_in(entries if guard is None else self._guarded(entries, guard))
        for group in groups:
            await asyncio.shield(group.done)
        return receipt

    async def open_tasks(self, *, after: int, limit: int) -> tuple[Sequence[tuple[OpenTask, int]], bool]:
        """Return a page of open tasks with the votes each still wants, and whether no open task comes after it."""
        await self._ready()
        page = self._ledger.open_tasks(after=after, limit=limit + 1)
        return page[:limit], len(page) <= limit

    async def progress(self) -> Progress:
        """Return the counts."""
        await self._ready()
        ledger = self._ledger
        return Progress(
            tasks_open=ledger.tasks_open,
            votes_missing=ledger.votes_missing,
            votes_pending=self._pending,
            votes=ledger.votes,
            votes_set_aside=ledger.set_aside,
            tasks=ledger.tasks,
        )

    async def ledger(self) -> Ledger:
        """Return what is known now; another object may take its place at any later call."""
        await self._ready()
        return self._ledger

    async def note(self, deed: Deed) -> None:
        """Note durably who did what, and let it take effect; one that is known is noted once."""
        await self._ready()
        if self._deeds.find(deed.deed_id) is None:
            await self._audit.append(deed.to_record())

    async def noted(self, deed_id: str) -> Deed | None:
        """Return the deed of this id in the audit log, None when there is none."""
        await self._ready()
        return self._deeds.find(deed_id)

    async def deeds(self, *, before: int, limit: int) -> Sequence[tuple[int, Deed]]:
        """Return a page of the audit log, newest first; see `Deeds.page`."""
        await self._ready()
        return self._deeds.page(before=before, limit=limit)

    # -- calls of stages ------------------------------------------------------------------------------------------

    async def drain(self) -> tuple[list[str], int]:
        """Write the votes that have come since the last drain, and return the keys of all drained files and bad votes.

        Done again after a crash at any point, it neither loses nor repeats a vote.
        """
        await self._ready()
        async with self._lock:
            await self._catch_up()
            if self._drained != await self._journal.drained_until():
                await self._load()  # another process has drained since
            if self._pending:
                await self._journal.drain(self._next, self._undrained)
                self._undrained, self._pending, self._drained = [], 0, self._next
            return await self._journal.drained_keys(), self._ledger.set_aside

    async def describe(self, key: str) -> TablePart:
        """Return a drained file as a part of the table of votes."""
        return await self._journal.describe(key)

    async def open_round(self, task: Task, tasks: Sequence[OpenTask]) -> None:
        """Ask people about new tasks."""
        await self._ready()
        await self.book.set_task(task)
        self._ledger.add_tasks(tasks)

    async def prepared(self, task: Task) -> None:
        """Take in what the job asks, as soon as the data set is indexed."""
        await self.book.set_task(task)

    # -- durability -----------------------------------------------------------------------------------------------

    def _sort_in(self, entries: Sequence[Entry]) -> tuple[Receipt, list[_Group]]:
        """Put what is new into the waiting group, and return the groups on which the receipt waits.

        What is known needs no put; what is on its way by another call waits for that call's group.
        """
        accepted = duplicates = 0
        groups: dict[int, _Group] = {}
        for entry in entries:
            group = self._in_flight.get(entry.key)
            is_new = group is None and not self._ledger.has(entry)
            if isinstance(entry, IncomingVote):
                accepted, duplicates = accepted + is_new, duplicates + (not is_new)
            if is_new:
                group = self._in_flight[entry.key] = self._waiting_group()
                group.entries.append(entry)
            if group is not None:
                groups[id(group)] = group
        asides = tuple(entry for entry in entries if isinstance(entry, SetAside))
        return Receipt(accepted, duplicates, asides), list(groups.values())

    def _guarded(self, entries: Sequence[Entry], guard: Guard) -> list[Entry]:
        """Return the entries as the guard lets them; what is known already, or is on its way, has been let."""
        let: list[Entry] = []
        fresh: dict[str, IncomingVote] = {}
        for entry in entries:
            is_open = isinstance(entry, IncomingVote) and entry.key not in self._in_flight
            if isinstance(entry, IncomingVote) and is_open and not self._ledger.has(entry):
                before = fresh.get(entry.supersedes) or self._on_its_way(entry.supersedes)
                entry = guard(entry, before, self._ledger)  # noqa: PLW2901 - the entry as it is let
            if isinstance(entry, IncomingVote):
                fresh[entry.vote_id] = entry
            let.append(entry)
        return let

    def _on_its_way(self, vote_id: str) -> IncomingVote | None:
        group = self._in_flight.get(vote_key(vote_id))
        entries = group.entries if group is not None else ()
        return next((each for each in entries if isinstance(each, IncomingVote) and each.vote_id == vote_id), None)

    def _waiting_group(self) -> _Group:
        if self._waiting is None:
            self._waiting = _Group()
            # A task of its own: a caller that is cancelled takes no other caller's votes with it.
            commit = asyncio.create_task(self._commit(), name="inbox commit")
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)
        return self._waiting

    async def _commit(self) -> None:
        async with self._lock:
            group, self._waiting = self._waiting, None
            assert group is not None
            try:
                await self._write(group.entries)
                group.done.set_result(None)
            except Exception as error:  # noqa: BLE001 - every caller of the group raises it
                group.done.set_exception(error)
                group.done.exception()  # a caller that has gone away must not leave it unread
            finally:
                for entry in group.entries:
                    self._in_flight.pop(entry.key, None)

    async def _write(self, entries: Sequence[Entry]) -> None:
        while new := [entry for entry in entries if not self._ledger.has(entry)]:
            try:
                await self._journal.append(self._next, new)
            except AlreadyExists:
                await self._catch_up()
            else:
                self._take_in(new)

    async def _catch_up(self) -> None:
        """Take in batches that another process has written."""
        while (batch := await self._journal.batch(self._next)) is not None:
            self._take_in(batch)

    def _take_in(self, batch: Sequence[Entry]) -> None:
        new = [entry for entry in batch if self._ledger.add(entry)]
        self._undrained.extend(new)
        self._pending += sum(isinstance(entry, IncomingVote) for entry in new)
        self._next += 1

    def _take_in_deed(self, record: Record) -> None:
        deed = Deed.from_record(record)
        if self._deeds.add(deed):
            _apply(self._ledger, deed)

    async def _items(self) -> Items:
        items = await self.book.items()
        self._ledger.people.know(items.gold)
        return items

    # -- start ----------------------------------------------------------------------------------------------------

    async def _ready(self) -> None:
        """Return when the store's state is in memory; callers share one reading of it."""
        if self._loading is None or _has_failed(self._loading):
            self._loading = asyncio.create_task(self._load(), name="inbox load")
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        ledger = Ledger()
        if await self.book.task() is not None:
            ledger.people.know((await self.book.items()).gold)
        _add_drained(ledger, await self._journal.drained_votes())
        for row in _rows(await self._journal.drained_asides(), ("origin", "item_id", "annotator", "answer")):
            ledger.add_aside(aside_key(*row))
        ledger.add_tasks(await self.book.open_tasks())
        await self._audit.load()
        for deed in self._deeds:
            _apply(ledger, deed)
        self._ledger, self._undrained, self._pending = ledger, [], 0
        self._drained = self._next = await self._journal.drained_until()
        await self._catch_up()


def _add_drained(ledger: Ledger, votes: pa.Table) -> None:
    names = (
        "vote_id",
        "item_id",
        "annotator",
        "answer",
        "supersedes",
        "retracted",
        "time",
        "lead_time_seconds",
        "source",
    )
    for vote_id, item_id, annotator, answer, supersedes, is_retracted, time, seconds, source in _rows(votes, names):
        is_decision = source == DECISIONS
        is_new = ledger.add_vote(
            vote_id,
            item_id=item_id,
            annotator=annotator,
            answer=answer,
            time=time,
            supersedes=supersedes or "",
            is_retracted=is_retracted,
            is_decision=is_decision,
        )
        if is_new and not is_decision:
            ledger.people.seen(annotator, at=time, seconds=seconds or 0.0)


def _apply(ledger: Ledger, deed: Deed) -> None:
    """Let a deed take effect; decisions and pushed votes do so as votes."""
    if deed.kind is DeedKind.SEND_BACK:
        ledger.send_back(deed.item_id, deed.votes)
    elif deed.task is not None:
        ledger.add_skip(deed.task, deed.annotator, is_undone=deed.kind is DeedKind.UNSKIP)


def _rows(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def _has_failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
