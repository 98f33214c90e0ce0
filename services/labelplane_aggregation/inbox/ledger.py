"""What is known of tasks and votes at one moment: plain memory, rebuilt from the store at every start."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


class Ledger:
    """Counts votes and open tasks. A task is open until as many different annotators have answered as it wants."""

    def __init__(self) -> None:
        self._item_of: dict[str, tuple[str, str]] = {}
        self._superseded: set[str] = set()
        self._live: dict[str, Counter[str]] = defaultdict(Counter)
        self._asides: set[str] = set()
        self._tasks: dict[int, OpenTask] = {}
        self._numbers_of: dict[str, list[int]] = defaultdict(list)
        self._missing: dict[int, int] = {}
        self._open: list[int] | None = None

    @property
    def votes(self) -> int:
        """How many votes have come in, each id once."""
        return len(self._item_of)

    @property
    def set_aside(self) -> int:
        """How many votes could not count."""
        return len(self._asides)

    @property
    def votes_missing(self) -> int:
        """How many votes the open tasks want."""
        return sum(self._missing.values())

    @property
    def tasks_open(self) -> int:
        """How many tasks want votes."""
        return len(self._missing)

    def has(self, entry: IncomingVote | SetAside) -> bool:
        """Whether this vote has come in, or was set aside, before."""
        return entry.key in self._asides if isinstance(entry, SetAside) else entry.vote_id in self._item_of

    def add_aside(self, key: str) -> bool:
        """Note a vote that was set aside; return whether it is new."""
        is_new = key not in self._asides
        self._asides.add(key)
        return is_new

    def add(self, entry: IncomingVote | SetAside) -> bool:
        """Note one entry of the journal; return whether it is new."""
        if isinstance(entry, SetAside):
            return self.add_aside(entry.key)
        return self.add_vote(
            entry.vote_id,
            item_id=entry.item_id,
            annotator=entry.annotator,
            supersedes=entry.supersedes,
            is_retracted=entry.retracted,
        )

    def add_vote(self, vote_id: str, *, item_id: str, annotator: str, supersedes: str, is_retracted: bool) -> bool:
        """Note a vote; return whether it is new. Votes may come in any order, an edit before what it edits."""
        if vote_id in self._item_of:
            return False
        self._item_of[vote_id] = (item_id, "" if is_retracted else annotator)
        if supersedes and supersedes not in self._superseded:
            self._superseded.add(supersedes)
            self._end_vote(supersedes)
        if not is_retracted and vote_id not in self._superseded:
            self._live[item_id][annotator] += 1
        self._recount(item_id)
        return True

    def add_tasks(self, tasks: Iterable[OpenTask]) -> None:
        """Note tasks; one of a number that is known takes its place."""
        for task in tasks:
            if task.number not in self._tasks:
                self._numbers_of[task.item_id].append(task.number)
            self._tasks[task.number] = task
            self._recount(task.item_id)

    def open_tasks(self, *, after: int, limit: int) -> Sequence[tuple[OpenTask, int]]:
        """Return up to `limit` open tasks with a higher number than `after`, each with the votes it still wants."""
        if self._open is None:
            self._open = sorted(self._missing)
        start = bisect_right(self._open, after)
        return [(self._tasks[number], self._missing[number]) for number in self._open[start : start + limit]]

    def _end_vote(self, vote_id: str) -> None:
        """Let a vote count no more that another has taken the place of."""
        item_id, annotator = self._item_of.get(vote_id, ("", ""))
        if annotator:
            self._live[item_id][annotator] -= 1
            self._live[item_id] += Counter()  # drops annotators without a vote
            self._recount(item_id)

    def _recount(self, item_id: str) -> None:
        answered = len(self._live[item_id]) if item_id in self._live else 0
        for number in self._numbers_of.get(item_id, ()):
            missing = self._tasks[number].votes_wanted - answered
            if missing > 0:
                self._open = self._open if number in self._missing else None
                self._missing[number] = missing
            elif self._missing.pop(number, None) is not None:
                self._open = None
