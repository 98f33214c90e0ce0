"""Notices that are not confirmed yet: kept in a file, so that a restart sends them, each at least once."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labelplane_review.webhooks.events import Event

__all__ = ["Outbox"]

_MOST_KNOWN: Final = 1000


@dataclass(slots=True)
class Outbox:
    """The notices of one job, in order, and to which addresses each is still to go.

    Attributes:
        path: the file.
        known: ids of events that were taken in, the oldest first.
        waiting: events and the addresses that have not confirmed them.
    """

    path: Path
    known: list[str] = field(default_factory=list)
    waiting: list[tuple[Event, set[str]]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Outbox":
        """Return what the file holds; a new one when there is none or it is damaged."""
        try:
            fields = json.loads(path.read_bytes())
            waiting = [(Event.from_record(each["event"]), set(each["urls"])) for each in fields["waiting"]]
            return cls(path, [str(each) for each in fields["known"]], waiting)
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path)

    def add(self, events: Iterable[Event], urls: Iterable[str]) -> bool:
        """Take new events in, durably; return whether there was any."""
        new = [each for each in events if each.event_id not in self.known]
        if new:
            self.known = [*self.known, *(each.event_id for each in new)][-_MOST_KNOWN:]
            self.waiting += [(each, set(urls)) for each in new]
            self._write()
        return bool(new)

    def next_for(self, url: str) -> Event | None:
        """Return the oldest event that an address has not confirmed."""
        return next((event for event, urls in self.waiting if url in urls), None)

    def done(self, event: Event, url: str) -> None:
        """Note durably that an address needs an event no more."""
        for each, urls in self.waiting:
            if each.event_id == event.event_id:
                urls.discard(url)
        self.waiting = [each for each in self.waiting if each[1]]
        self._write()

    def _write(self) -> None:
        fields = {
            "known": self.known,
            "waiting": [{"event": event.to_record(), "urls": sorted(urls)} for event, urls in self.waiting],
        }
        part = self.path.with_name(f".{self.path.name}")
        with part.open("w", encoding="utf-8") as file:
            json.dump(fields, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
