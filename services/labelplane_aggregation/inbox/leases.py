"""Who holds which task, and who gets which next: plain memory, and pure decisions about it."""

import hashlib
from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from labelplane_aggregation.inbox.ledger import Ledger, OpenTask
from labelplane_aggregation.inbox.signing import Lease
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside

__all__ = ["ANYTHING", "Assignment", "Leases", "choose_tasks", "under_lease"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A person's part of the work: tasks that the machine takes for one of `classes`, and a `share` of all items.

    No classes are all classes, and a task of which the machine says nothing is everybody's.
    """

    classes: frozenset[str] = frozenset()
    share: float = 1.0

    def covers(self, task: OpenTask, annotator: str) -> bool:
        """Whether a person may be asked about a task. Which items are in the share, ids and name decide alone."""
        is_of_class = not self.classes or not task.likely_class or task.likely_class in self.classes
        return is_of_class and (self.share >= 1 or _place(task.item_id, annotator) < self.share)


ANYTHING: Final = Assignment()
"""No bounds."""


class Leases:
    """The leases that hold. They are not stored: whoever holds one brings it back after a restart."""

    def __init__(self) -> None:
        self._until: dict[int, dict[str, datetime]] = defaultdict(dict)
        self._held: dict[str, set[int]] = defaultdict(set)

    def hold(self, lease: Lease) -> None:
        """Let a lease hold, in place of one of the same person and task."""
        self._until[lease.number][lease.annotator] = lease.until
        self._held[lease.annotator].add(lease.number)

    def release(self, number: int, annotator: str) -> None:
        """Let a lease hold no more."""
        if number in self._until:
            self._until[number].pop(annotator, None)
            if not self._until[number]:
                del self._until[number]
        self._held[annotator].discard(number)
        if not self._held[annotator]:
            del self._held[annotator]

    def keep(self, numbers: Container[int], annotator: str) -> None:
        """Let a person hold these tasks alone."""
        for number in [number for number in self._held.get(annotator, ()) if number not in numbers]:
            self.release(number, annotator)

    def others(self, number: int, annotator: str, *, now: datetime) -> int:
        """Return how many other people hold a task, and forget the leases on it that have run out."""
        holders = self._until.get(number)
        if not holders:
            return 0
        for name in [name for name, until in holders.items() if until <= now]:
            self.release(number, name)
        return len(holders) - (annotator in holders)


def choose_tasks(
    ledger: Ledger,
    leases: Leases,
    annotator: str,
    *,
    count: int,
    in_hand: Container[str],
    now: datetime,
    assignment: Assignment = ANYTHING,
) -> tuple[Sequence[OpenTask], int]:
    """Return up to `count` tasks for a person, in their order, and how many open tasks were passed over.

    A person gets no item that they have answered, skipped or have `in_hand`, no task that enough others hold, and none
    outside their `assignment`. One
    that they were given and have not `in_hand` they get again: their page has forgotten it.
    """
    chosen: list[OpenTask] = []
    passed_over = 0
    for task, missing in ledger.each_open():
        if len(chosen) == count:
            break
        is_free = missing > leases.others(task.number, annotator, now=now)
        is_new = task.item_id not in in_hand and all(each.item_id != task.item_id for each in chosen)
        if is_free and is_new and ledger.may_answer(task, annotator) and assignment.covers(task, annotator):
            chosen.append(task)
        else:
            passed_over += 1
    return chosen, passed_over


def under_lease(
    vote: IncomingVote, lease: Lease | None, ledger: Ledger, *, before: IncomingVote | None, now: datetime
) -> SetAside | None:
    """Return why a vote of a person who was handed the task cannot count, None when it can.

    Args:
        vote: one that is new and names an item and an answer that there are.
        lease: what the vote's lease_id stands for; None when nothing of ours.
        ledger: what is known.
        before: the vote that it supersedes, when that came in the same breath and is not in the ledger yet.
        now: the present.
    """
    if vote.supersedes:
        return _not_yours(vote, ledger, before)
    task = None if lease is None else ledger.find_task(lease.number)
    if lease is None or task is None or (lease.annotator, task.item_id) != (vote.annotator, vote.item_id):
        message = f"item {vote.item_id!r} is not leased to {vote.annotator!r}: lease the task, then answer it"
        return SetAside(vote, "NotLeased", message)
    if lease.until <= now and not ledger.wants_votes(task.number):
        message = (
            f"item {vote.item_id!r}: the lease ended at {lease.until:%H:%M:%S} UTC, and others have answered it since"
        )
        return SetAside(vote, "LeaseExpired", message)
    return None


def _not_yours(vote: IncomingVote, ledger: Ledger, before: IncomingVote | None) -> SetAside | None:
    of = ledger.author_of(vote.supersedes) if before is None else (before.item_id, before.annotator)
    if of == (vote.item_id, vote.annotator):
        return None
    message = f"item {vote.item_id!r}: vote {vote.supersedes!r} is none of {vote.annotator!r} on this item"
    return SetAside(vote, "NotYours", message)


def _place(item_id: str, annotator: str) -> float:
    """Return a number in [0, 1) that an item has for a person, evenly spread."""
    word = f"{annotator}\x1f{item_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(word, digest_size=8).digest()) / 2**64
