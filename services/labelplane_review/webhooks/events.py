"""What a job's status is worth telling others: a pure function, so that no event dies with the process that saw it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from labelplane_api.conditions import ConditionStatus, ConditionType, find_condition
from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage

__all__ = ["Event", "EventType", "implied_events"]


class EventType(StrEnum):
    """What has happened."""

    BATCH_READY = "batch.ready"
    JOB_WAITING = "job.waiting"
    JOB_COMPLETE = "job.complete"


@dataclass(frozen=True, slots=True)
class Event:
    """One notice. The same happening has the same id, whoever tells of it and however often."""

    event_id: str
    type: EventType
    time: datetime
    data: dict[str, Any]

    def body(self) -> bytes:
        """Return what is sent."""
        fields = {"type": self.type.value, "timestamp": self.time.isoformat(), "data": self.data}
        return json.dumps(fields, ensure_ascii=False).encode()

    def to_record(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {**asdict(self), "time": self.time.isoformat()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Return the event that `to_record` gave."""
        time = datetime.fromisoformat(record["time"])
        return cls(str(record["event_id"]), EventType(record["type"]), time, dict(record["data"]))


def implied_events(job: LabelingJob, *, now: datetime) -> Iterator[Event]:
    """Yield what has happened by a job's status, the oldest first; those of rounds that it has forgotten are not told.

    - `batch.ready`: a round has made its tasks. Data: round.
    - `job.waiting`: the job waits for votes. Data: round, votes_missing, message. A job that waits again tells again.
    - `job.complete`: the job has ended well. Data: round, labelled, items, votes, message.
    """
    status = job.status
    for each in status.rounds:
        if Stage.REVIEW in each.stages:
            yield _event(job, EventType.BATCH_READY, str(each.round), time=now, data={"round": each.round})
    last = status.rounds[-1].round if status.rounds else None
    waiting = find_condition(status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS)
    if waiting is not None and waiting.status is ConditionStatus.TRUE:
        data = {"round": last, "votes_missing": status.progress.votes_wanted, "message": waiting.message}
        since = waiting.last_transition_time
        yield _event(job, EventType.JOB_WAITING, str(since), time=since or now, data=data)
    complete = find_condition(status.conditions, ConditionType.COMPLETE)
    if complete is not None and complete.status is ConditionStatus.TRUE:
        data = {
            "round": last,
            "items": status.progress.items,
            "labelled": status.progress.labelled,
            "votes": status.progress.votes,
            "message": complete.message,
        }
        since = complete.last_transition_time
        yield _event(job, EventType.JOB_COMPLETE, str(since), time=since or now, data=data)


def _event(job: LabelingJob, kind: EventType, which: str, *, time: datetime, data: dict[str, Any]) -> Event:
    parts = json.dumps([job.metadata.uid, job.metadata.name, kind.value, which])
    event_id = f"evt_{hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()}"
    return Event(event_id, kind, time.astimezone(UTC), {"job": job.metadata.name, "uid": job.metadata.uid, **data})
