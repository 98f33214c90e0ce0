"""What every annotator has done: plain memory beside the ledger."""

import statistics
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

__all__ = ["People", "Person"]

_LAST_ANSWERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What one annotator has done; see the message of that name."""

    annotator: str
    votes: int = 0
    skips: int = 0
    gold_answered: int = 0
    gold_right: int = 0
    seconds_per_vote: float = 0.0
    last_seen: datetime | None = None


@dataclass(slots=True)
class _Tally:
    """`answers` are those that count, by item; the last of several is the one that is compared with gold."""

    answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    skips: int = 0
    gold_answered: int = 0
    gold_right: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LAST_ANSWERS))
    last_seen: datetime | None = None


class People:
    """Counts by annotator. `gold` gives items their known class."""

    def __init__(self) -> None:
        self._gold: Mapping[str, str] = {}
        self._tallies: dict[str, _Tally] = defaultdict(_Tally)

    def know(self, gold: Mapping[str, str]) -> None:
        """Take in the known classes; before the first vote, since they are not looked up again."""
        self._gold = gold

    def begin(self, annotator: str, item_id: str, answer: str) -> None:
        """Count an answer."""
        tally = self._tallies[annotator]
        self._compare(tally, item_id, by=-1)
        tally.answers[item_id].append(answer)
        self._compare(tally, item_id, by=1)

    def end(self, annotator: str, item_id: str, answer: str) -> None:
        """Count an answer no more."""
        tally = self._tallies[annotator]
        self._compare(tally, item_id, by=-1)
        tally.answers[item_id].remove(answer)
        if not tally.answers[item_id]:
            del tally.answers[item_id]
        self._compare(tally, item_id, by=1)

    def seen(self, annotator: str, *, at: datetime, seconds: float) -> None:
        """Note when an answer was given and how long it took; 0 when not known."""
        tally = self._tallies[annotator]
        tally.last_seen = at if tally.last_seen is None else max(at, tally.last_seen)
        if seconds > 0:
            tally.seconds.append(seconds)

    def skipped(self, annotator: str, *, by: int) -> None:
        """Count a skip (1), or one that is taken back (-1)."""
        self._tallies[annotator].skips += by

    def person(self, annotator: str) -> Person:
        """Return one annotator's counts; zeros for one who is not known."""
        tally = self._tallies.get(annotator, _Tally())
        return Person(
            annotator=annotator,
            votes=len(tally.answers),
            skips=tally.skips,
            gold_answered=tally.gold_answered,
            gold_right=tally.gold_right,
            seconds_per_vote=statistics.median(tally.seconds) if tally.seconds else 0.0,
            last_seen=tally.last_seen,
        )

    def all(self) -> list[Person]:
        """Return everybody, those with most votes first."""
        return sorted(map(self.person, self._tallies), key=lambda each: (-each.votes, each.annotator))

    def _compare(self, tally: _Tally, item_id: str, *, by: int) -> None:
        answers, known = tally.answers.get(item_id), self._gold.get(item_id)
        if answers and known is not None:
            tally.gold_answered += by
            tally.gold_right += by * (answers[-1] == known)
