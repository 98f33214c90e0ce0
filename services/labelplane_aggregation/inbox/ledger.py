"""What is known of tasks and votes at one moment: plain memory, rebuilt from the store at every start."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from labelplane_aggregation.inbox.people import People
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside

__all__ = ["Ledger", "OpenTask"]


@dataclass(frozen=True, slots=True)
class OpenTask:
    """One question to people; `suggestion` is empty when there is none or it is hidden."""

    number: int
    item_id: str
    round_number: int
    votes_wanted: int
    uri: str
    text: str
    suggestion: str
    suggestion_confidence: float


class _Known(NamedTuple):
    """What is remembered of a vote."""

    item_id: str
    annotator: str
    answer: str
    is_retraction: bool


class Ledger:
    """Counts votes and open tasks.

    A task is open until as many different annotators have answered as it wants; one who has skipped it counts as one
    who has answered.
    """

    def __init__(self) -> None:
        self.people = People()
        self._known: dict[str, _Known] = {}
        self._superseded: set[str] = set()
        self._live: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self._skips: dict[int, set[str]] = {}
        self._asides: set[str] = set()
        self._tasks: dict[int, OpenTask] = {}
        self._numbers_of: dict[str, list[int]] = defaultdict(list)
        self._missing: dict[int, int] = {}
        self._votes_missing = 0
        self._open: list[int] = []

    @property
    def votes(self) -> int:
        """How many votes have come in, each id once."""
        return len(self._known)

    @property
    def set_aside(self) -> int:
        """How many votes could not count."""
        return len(self._asides)

    @property
    def votes_missing(self) -> int:
        """How many votes the open tasks want."""
        return self._votes_missing

    @property
    def tasks_open(self) -> int:
        """How many tasks want votes."""
        return len(self._missing)

    @property
    def tasks(self) -> int:
        """How many tasks there have been."""
        return len(self._tasks)

    # -- votes ----------------------------------------------------------------------------------------------------

    def has(self, entry: IncomingVote | SetAside) -> bool:
        """Whether this vote has come in, or was set aside, before."""
        return entry.key in self._asides if isinstance(entry, SetAside) else entry.vote_id in self._known

    def author_of(self, vote_id: str) -> tuple[str, str] | None:
        """Return a vote's item and annotator, None when no such vote has come in."""
        known = self._known.get(vote_id)
        return None if known is None else (known.item_id, known.annotator)

    def live_vote(self, item_id: str, annotator: str) -> str:
        """Return the id of an annotator's vote on an item that counts, empty when there is none."""
        votes = self._live[item_id].get(annotator) if item_id in self._live else None
        return votes[-1] if votes else ""

    def add_aside(self, key: str) -> bool:
        """Note a vote that was set aside; return whether it is new."""
        is_new = key not in self._asides
        self._asides.add(key)
        return is_new

    def add(self, entry: IncomingVote | SetAside) -> bool:
        """Note one entry of the journal; return whether it is new."""
        if isinstance(entry, SetAside):
            return self.add_aside(entry.key)
        is_new = self.add_vote(
            entry.vote_id,
            item_id=entry.item_id,
            annotator=entry.annotator,
            answer=entry.answer,
            supersedes=entry.supersedes,
            is_retracted=entry.retracted,
        )
        if is_new:
            self.people.seen(entry.annotator, at=entry.time, seconds=entry.lead_time_seconds)
        return is_new

    def add_vote(
        self, vote_id: str, *, item_id: str, annotator: str, answer: str, supersedes: str, is_retracted: bool
    ) -> bool:
        """Note a vote; return whether it is new. Votes may come in any order, an edit before what it edits."""
        if vote_id in self._known:
            return False
        self._known[vote_id] = _Known(item_id, annotator, answer, is_retracted)
        if supersedes and supersedes not in self._superseded:
            self._superseded.add(supersedes)
            self._end_vote(supersedes)
        if not is_retracted and vote_id not in self._superseded:
            self._live[item_id].setdefault(annotator, []).append(vote_id)
            self.people.begin(annotator, item_id, answer)
        self._recount(item_id)
        return True

    # -- tasks ----------------------------------------------------------------------------------------------------

    def add_tasks(self, tasks: Iterable[OpenTask]) -> None:
        """Note tasks; one of a number that is known takes its place."""
        for task in tasks:
            if task.number not in self._tasks:
                self._numbers_of[task.item_id].append(task.number)
            self._tasks[task.number] = task
            self._recount(task.item_id)

    def add_skip(self, number: int, annotator: str, *, is_undone: bool = False) -> None:
        """Note that a person has skipped a task, or has taken that back."""
        skippers = self._skips.setdefault(number, set())
        if (annotator in skippers) is not is_undone:
            return
        (skippers.remove if is_undone else skippers.add)(annotator)
        self.people.skipped(annotator, by=-1 if is_undone else 1)
        if number in self._tasks:
            self._recount(self._tasks[number].item_id)

    def task(self, number: int) -> OpenTask:
        """Return a task that there is, open or not."""
        return self._tasks[number]

    def find_task(self, number: int) -> OpenTask | None:
        """Return a task, open or not; None when there is none of that number."""
        return self._tasks.get(number)

    def wants_votes(self, number: int) -> bool:
        """Whether a task is open."""
        return number in self._missing

    def missing(self, number: int) -> int:
        """Return how many votes a task wants still."""
        return self._missing.get(number, 0)

    def may_answer(self, task: OpenTask, annotator: str) -> bool:
        """Whether a person has neither answered a task's item nor skipped the task."""
        has_answered = annotator in self._live.get(task.item_id, ())
        return not has_answered and annotator not in self._skips.get(task.number, ())

    def each_open(self, *, after: int = -1) -> Iterator[tuple[OpenTask, int]]:
        """Yield the open tasks with a higher number than `after`, each with the votes it still wants."""
        for place in range(bisect_right(self._open, after), len(self._open)):
            number = self._open[place]
            yield self._tasks[number], self._missing[number]

    def open_tasks(self, *, after: int, limit: int) -> Sequence[tuple[OpenTask, int]]:
        """Return up to `limit` open tasks with a higher number than `after`, each with the votes it still wants."""
        return list(islice(self.each_open(after=after), limit))

    def _end_vote(self, vote_id: str) -> None:
        """Let a vote count no more that another has taken the place of."""
        known = self._known.get(vote_id)
        if known is None or known.is_retraction:
            return
        votes = self._live[known.item_id][known.annotator]
        votes.remove(vote_id)
        if not votes:
            del self._live[known.item_id][known.annotator]
        self.people.end(known.annotator, known.item_id, known.answer)
        self._recount(known.item_id)

    def _recount(self, item_id: str) -> None:
        answered = self._live[item_id].keys() if item_id in self._live else set()
        for number in self._numbers_of.get(item_id, ()):
            settled = len(answered | self._skips[number]) if number in self._skips else len(answered)
            self._set_missing(number, max(0, self._tasks[number].votes_wanted - settled))

    def _set_missing(self, number: int, missing: int) -> None:
        """Keep the numbers of the open tasks in order, and how many votes they want together."""
        before = self._missing.get(number, 0)
        self._votes_missing += missing - before
        if missing:
            self._missing[number] = missing
            if not before:
                insort(self._open, number)
        elif before:
            del self._missing[number]
            del self._open[bisect_left(self._open, number)]
