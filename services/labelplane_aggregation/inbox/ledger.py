"""What is known of tasks and votes at one moment: plain memory, rebuilt from the store at every start."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, KeysView, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from labelplane_aggregation.inbox.people import People
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside

__all__ = ["GivenVote", "Ledger", "OpenTask"]


@dataclass(frozen=True, slots=True)
class OpenTask:
    """One question to people.

    `suggestion` is empty when there is none or it is hidden, `likely_class` when there is none.
    """

    number: int
    item_id: str
    round_number: int
    votes_wanted: int
    uri: str
    text: str
    suggestion: str
    suggestion_confidence: float
    likely_class: str = ""


class GivenVote(NamedTuple):
    """What is remembered of a vote."""

    vote_id: str
    item_id: str
    annotator: str
    answer: str
    time: datetime
    is_retraction: bool
    is_decision: bool


class Ledger:
    """Counts votes and open tasks.

    A task is open until as many different annotators have answered as it wants; one who has skipped it counts as one
    who has answered. A decision closes it. An item that is sent back wants its answers anew: those that were there
    then close nothing, and count until their authors answer again.
    """

    def __init__(self) -> None:
        self.people = People()
        self._known: dict[str, GivenVote] = {}
        self._superseded: set[str] = set()
        self._live: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self._decisions: dict[str, list[str]] = {}
        self._sent_back: dict[str, set[str]] = {}
        self._disputed: set[str] = set()
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

    def vote(self, vote_id: str) -> GivenVote | None:
        """Return a vote, whether it counts or not; None when no such vote has come in."""
        return self._known.get(vote_id)

    def author_of(self, vote_id: str) -> tuple[str, str] | None:
        """Return a vote's item and annotator, None when no such vote has come in."""
        known = self._known.get(vote_id)
        return None if known is None else (known.item_id, known.annotator)

    def live_vote(self, item_id: str, annotator: str) -> str:
        """Return the id of an annotator's vote on an item that counts, empty when there is none."""
        votes = self._live[item_id].get(annotator) if item_id in self._live else None
        return votes[-1] if votes else ""

    def live_votes(self, item_id: str) -> list[GivenVote]:
        """Return the votes on an item that count, one of each annotator, the oldest first; decisions aside."""
        votes = self._live[item_id].values() if item_id in self._live else ()
        return sorted((self._known[each[-1]] for each in votes), key=lambda vote: (vote.time, vote.vote_id))

    def decision(self, item_id: str) -> GivenVote | None:
        """Return the decision on an item that stands, None when there is none."""
        votes = self._decisions.get(item_id)
        return self._known[votes[-1]] if votes else None

    @property
    def disputed(self) -> set[str]:
        """The items on which people's answers differ, decided or not."""
        return self._disputed

    @property
    def sent_back(self) -> KeysView[str]:
        """The items that were sent back, decided since or not."""
        return self._sent_back.keys()

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
            time=entry.time,
            supersedes=entry.supersedes,
            is_retracted=entry.retracted,
            is_decision=entry.is_decision,
        )
        if is_new and not entry.is_decision:
            self.people.seen(entry.annotator, at=entry.time, seconds=entry.lead_time_seconds)
        return is_new

    def add_vote(
        self,
        vote_id: str,
        *,
        item_id: str,
        annotator: str,
        answer: str,
        time: datetime,
        supersedes: str = "",
        is_retracted: bool = False,
        is_decision: bool = False,
    ) -> bool:
        """Note a vote; return whether it is new. Votes may come in any order, an edit before what it edits."""
        if vote_id in self._known:
            return False
        self._known[vote_id] = GivenVote(vote_id, item_id, annotator, answer, time, is_retracted, is_decision)
        if supersedes and supersedes not in self._superseded:
            self._superseded.add(supersedes)
            self._end_vote(supersedes)
        if is_decision and not is_retracted and vote_id not in self._superseded:
            self._decisions.setdefault(item_id, []).append(vote_id)
        elif not is_retracted and vote_id not in self._superseded:
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

    def send_back(self, item_id: str, votes: Iterable[str]) -> None:
        """Want answers to an item's tasks anew; `votes` are the ids of those that were there then."""
        self._sent_back.setdefault(item_id, set()).update(votes)
        for number in self._numbers_of.get(item_id, ()):
            for annotator in self._skips.pop(number, ()):
                self.people.skipped(annotator, by=-1)
        self._recount(item_id)

    def votes_missing_of(self, item_id: str) -> int:
        """Return how many votes an item's tasks want still."""
        return sum(self.missing(number) for number in self._numbers_of.get(item_id, ()))

    def has_task(self, item_id: str) -> bool:
        """Whether people have ever been asked about an item."""
        return item_id in self._numbers_of

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
        """Whether a person has neither answered a task's item, since it was sent back, nor skipped the task."""
        has_answered = annotator in self._answered(task.item_id)
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
        if known.is_decision:
            self._decisions[known.item_id].remove(vote_id)
            self._recount(known.item_id)
            return
        votes = self._live[known.item_id][known.annotator]
        votes.remove(vote_id)
        if not votes:
            del self._live[known.item_id][known.annotator]
        self.people.end(known.annotator, known.item_id, known.answer)
        self._recount(known.item_id)

    def _answered(self, item_id: str) -> KeysView[str] | set[str]:
        """Return who has answered an item; of one that was sent back, who has since."""
        votes = self._live.get(item_id, {})
        before = self._sent_back.get(item_id)
        if before is None:
            return votes.keys()
        return {annotator for annotator, ids in votes.items() if not before.issuperset(ids)}

    def _recount(self, item_id: str) -> None:
        answered, is_decided = self._answered(item_id), bool(self._decisions.get(item_id))
        for number in self._numbers_of.get(item_id, ()):
            settled = len(answered | self._skips[number]) if number in self._skips else len(answered)
            missing = 0 if is_decided else max(0, self._tasks[number].votes_wanted - settled)
            self._set_missing(number, missing)
        answers = {self._known[ids[-1]].answer for ids in self._live.get(item_id, {}).values()}
        (self._disputed.add if len(answers) > 1 else self._disputed.discard)(item_id)

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
