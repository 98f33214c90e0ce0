"""The audit log: who did what, in the order in which it became durable; nothing in it changes or goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from labelplane_aggregation.inbox.trail import Record

__all__ = ["Deed", "DeedKind", "Deeds"]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class DeedKind(StrEnum):
    """What can be done."""

    SKIP = "skip"
    UNSKIP = "unskip"
    ACCEPT = "accept"
    CORRECT = "correct"
    SEND_BACK = "send-back"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One entry of the log.

    Attributes:
        deed_id: what makes it known for good; empty for a skip, which may be done again.
        kind: what was done.
        annotator: who did it.
        time: when it came in.
        task: the number of the task, of a skip.
        item_id: the item, of all but a skip and a push.
        answer: what was decided.
        note: what the person said about it, or where pushed votes came from.
        votes: the ids of the votes that an item had when it was sent back.
        pushed: how many pushed votes were new.
    """

    kind: DeedKind
    annotator: str
    time: datetime
    deed_id: str = ""
    task: int | None = None
    item_id: str = ""
    answer: str = ""
    note: str = ""
    votes: tuple[str, ...] = ()
    pushed: int = 0

    def to_record(self) -> Record:
        """Return the deed as JSON values, what is empty left out."""
        record: Record = {"did": self.kind.value, "annotator": self.annotator, "time": self.time.isoformat()}
        rest = {
            "id": self.deed_id,
            "task": self.task,
            "item": self.item_id,
            "answer": self.answer,
            "reason": self.note,
            "votes": list(self.votes),
            "pushed": self.pushed,
        }
        return record | {
            name: value for name, value in rest.items() if value not in ("", None, [], 0) or name == "task"
        }

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Return the deed that `to_record` gave."""
        return cls(
            kind=DeedKind(record["did"]),
            annotator=record["annotator"],
            time=datetime.fromisoformat(record["time"]) if "time" in record else _LONG_AGO,
            deed_id=record.get("id", ""),
            task=record.get("task"),
            item_id=record.get("item", ""),
            answer=record.get("answer", ""),
            note=record.get("reason", ""),
            votes=tuple(record.get("votes", ())),
            pushed=record.get("pushed", 0),
        )


class Deeds:
    """The deeds that are durable. One that has an id stands there once, however often it was written."""

    def __init__(self) -> None:
        self._deeds: list[Deed] = []
        self._by_id: dict[str, Deed] = {}

    def __iter__(self) -> Iterator[Deed]:
        """Yield the deeds, the oldest first."""
        return iter(self._deeds)

    def find(self, deed_id: str) -> Deed | None:
        """Return the deed of this id, None when there is none."""
        return self._by_id.get(deed_id)

    def add(self, deed: Deed) -> bool:
        """Take a deed in; return whether it is new."""
        if deed.deed_id in self._by_id:
            return False
        self._deeds.append(deed)
        if deed.deed_id:
            self._by_id[deed.deed_id] = deed
        return True

    def page(self, *, before: int, limit: int) -> Sequence[tuple[int, Deed]]:
        """Return up to `limit` deeds with a lower number than `before` (0: from the newest), newest first.

        Numbers begin with 1 and stay what they are.
        """
        end = len(self._deeds) if before == 0 else min(before - 1, len(self._deeds))
        start = max(0, end - limit)
        return [(place + 1, self._deeds[place]) for place in range(end - 1, start - 1, -1)]
