"""Votes as they come in, which of them can count, and how they lie in journal and tables."""

import json
import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa

from labelplane_aggregation.requests import Task
from labelplane_core.errors import BadVote, UnknownClass
from labelplane_core.tables import BAD_VOTES, DECISIONS, PEOPLE, VOTES

__all__ = [
    "SOURCE",
    "IncomingVote",
    "SetAside",
    "aside_key",
    "bad_votes_table",
    "checked",
    "from_lines",
    "to_lines",
    "vote_key",
    "votes_table",
]

SOURCE = PEOPLE
"""The source of votes that come in through the inbox, decisions aside."""

_MAX_VOTE_ID = 128
_MAX_ANNOTATOR = 253
_MAX_WEIGHT = 1e9
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IncomingVote:
    """One answer of one annotator; `origin` says where it came from, for messages.

    A decision is an adjudicated vote: it wins over all others on its item.
    """

    vote_id: str
    item_id: str
    annotator: str
    answer: str
    weight: float
    time: datetime
    lead_time_seconds: float
    suggestion_shown: bool
    supersedes: str
    retracted: bool
    origin: str
    is_decision: bool = False

    @property
    def key(self) -> str:
        """What makes two votes the same one: the id."""
        return vote_key(self.vote_id)

    def to_record(self) -> dict[str, Any]:
        """Return the vote as JSON values."""
        return {**asdict(self), "time": self.time.isoformat()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Return the vote that `to_record` gave."""
        return cls(**{**record, "time": datetime.fromisoformat(record["time"])})


@dataclass(frozen=True, slots=True)
class SetAside:
    """A vote that cannot count, and why."""

    vote: IncomingVote
    reason: str
    message: str

    @property
    def key(self) -> str:
        """What makes two votes that were set aside the same one, as the table of them tells."""
        return aside_key(self.origin, self.vote.item_id, self.vote.annotator, self.vote.answer)

    @property
    def origin(self) -> str:
        """Where the vote came from, its id included."""
        return f"{self.vote.origin or SOURCE} (vote {self.vote.vote_id})"


def vote_key(vote_id: str) -> str:
    """Return the key of a vote, from its id."""
    return f"vote {vote_id}"


def aside_key(origin: str, item_id: str, annotator: str, answer: str) -> str:
    """Return the key of a vote that was set aside, from a row of `BAD_VOTES`."""
    return json.dumps(["set aside", origin, item_id, annotator, answer])


def checked(vote: IncomingVote, *, items: Container[str], task: Task) -> IncomingVote | SetAside:
    """Return the vote with its answer in the one spelling, or why it cannot count."""
    if problem := _problem(vote):
        return SetAside(vote, "BadVote", f"{_where(vote)}{problem}")
    if vote.item_id not in items:
        return SetAside(vote, "UnknownItem", f"{_where(vote)}item {vote.item_id!r} is not in the data set")
    if vote.retracted:
        return vote
    try:
        return replace(vote, answer=task.kind.parse_answer(vote.answer, task.classes))
    except UnknownClass as error:
        return SetAside(vote, "UnknownClass", f"{_where(vote)}item {vote.item_id!r}: {error}")
    except BadVote as error:
        return SetAside(vote, "BadVote", f"{_where(vote)}item {vote.item_id!r}: {error}")


def votes_table(votes: Sequence[IncomingVote]) -> pa.Table:
    """Return votes as `VOTES`."""
    columns: dict[str, Any] = {name: [getattr(vote, name) for vote in votes] for name in _PLAIN}
    columns["source"] = [DECISIONS if vote.is_decision else SOURCE for vote in votes]
    columns["lead_time_seconds"] = [vote.lead_time_seconds or None for vote in votes]
    columns["supersedes"] = [vote.supersedes or None for vote in votes]
    return pa.table({name: columns[name] for name in VOTES.columns.names}, schema=VOTES.arrow)


def bad_votes_table(asides: Sequence[SetAside]) -> pa.Table:
    """Return votes that were set aside as `BAD_VOTES`."""
    columns = {
        "source": [SOURCE] * len(asides),
        "origin": [aside.origin for aside in asides],
        "item_id": [aside.vote.item_id for aside in asides],
        "annotator": [aside.vote.annotator for aside in asides],
        "answer": [aside.vote.answer for aside in asides],
        "reason": [aside.reason for aside in asides],
        "message": [aside.message for aside in asides],
    }
    return pa.table(columns, schema=BAD_VOTES.arrow)


def to_lines(entries: Iterable[IncomingVote | SetAside]) -> bytes:
    """Return a batch of the journal: a line for each vote, those that were set aside with their cause."""
    lines = []
    for entry in entries:
        if isinstance(entry, SetAside):
            record = {"vote": entry.vote.to_record(), "reason": entry.reason, "message": entry.message}
        else:
            record = {"vote": entry.to_record()}
        lines.append(json.dumps(record, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()


def from_lines(data: bytes) -> list[IncomingVote | SetAside]:
    """Return the batch that `to_lines` gave."""
    entries: list[IncomingVote | SetAside] = []
    for line in data.splitlines():
        record = json.loads(line)
        vote = IncomingVote.from_record(record["vote"])
        entries.append(SetAside(vote, record["reason"], record["message"]) if "reason" in record else vote)
    return entries


_PLAIN = (
    "vote_id",
    "item_id",
    "annotator",
    "answer",
    "weight",
    "time",
    "suggestion_shown",
    "retracted",
)


def _where(vote: IncomingVote) -> str:
    return f"{vote.origin}: " if vote.origin else ""


def _problem(vote: IncomingVote) -> str:
    """Return what is wrong with a vote whatever the task is; empty when nothing is."""
    seconds = vote.lead_time_seconds
    rules = (
        (1 <= len(vote.vote_id) <= _MAX_VOTE_ID, f"vote_id must have 1 to {_MAX_VOTE_ID} characters"),
        (1 <= len(vote.annotator) <= _MAX_ANNOTATOR, f"annotator must have 1 to {_MAX_ANNOTATOR} characters"),
        (0 < vote.weight <= _MAX_WEIGHT, f"weight must be above 0 and at most {_MAX_WEIGHT:g}, got {vote.weight}"),
        (math.isfinite(seconds) and seconds >= 0, f"lead_time_seconds must be at least 0, got {seconds}"),
        (_EARLIEST <= vote.time <= _LATEST, f"time {vote.time.isoformat()} is out of bounds"),
        (vote.supersedes != vote.vote_id, "a vote cannot supersede itself"),
        (not vote.retracted or bool(vote.supersedes), "a retracted vote must say which vote it supersedes"),
    )
    return next((problem for holds, problem in rules if not holds), "")
