"""Which votes stand for which annotations, and what has to be sent when a task has changed. Pure."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self

from labelplane_review.inbox_client import NewVote
from labelplane_review.label_studio.answers import Answer, BadAnswer, TaskAnswers

__all__ = ["Standing", "VoteRecord", "bad_vote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRecord:
    """A vote as it was sent, with the annotation that it comes from.

    `project` names the project for good; `retracted` says that it takes `supersedes` back.
    """

    project: str
    task: int
    annotation: int
    version: str
    vote_id: str
    item: str
    annotator: str
    label: str
    time: str
    lead_time_seconds: float = 0.0
    suggestion_shown: bool = False
    supersedes: str = ""
    retracted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return the record that `to_json` gave."""
        return cls(**fields)

    def vote(self, *, origin: str) -> NewVote:
        """Return the vote to send."""
        return NewVote(
            vote_id=self.vote_id,
            item_id=self.item,
            annotator=self.annotator,
            answer=self.label,
            time=datetime.fromisoformat(self.time),
            lead_time_seconds=self.lead_time_seconds,
            suggestion_shown=self.suggestion_shown,
            supersedes=self.supersedes,
            retracted=self.retracted,
            origin=f"{origin}, task {self.task}, annotation {self.annotation}",
        )


class Standing:
    """The votes of one project that count now, by annotation.

    A person has one vote on an item, the one written last, however many annotations or tasks there are of it. Votes of
    a task that was removed stay: removing a task takes nobody's answer back, deleting an annotation does.
    """

    def __init__(self, project: str, records: Iterable[VoteRecord] = ()) -> None:
        self.project = project
        self._votes: dict[int, VoteRecord] = {}
        self._of_item: dict[str, set[int]] = defaultdict(set)
        self._sent: Counter[tuple[int, str]] = Counter()
        self.take(records)

    def __len__(self) -> int:
        return len(self._votes)

    def take(self, records: Iterable[VoteRecord]) -> None:
        """Note what is sent; records of other projects are passed over."""
        for record in records:
            if record.project != self.project:
                continue
            if record.retracted:
                self._votes.pop(record.annotation, None)
                self._of_item[record.item].discard(record.annotation)
            else:
                self._votes[record.annotation] = record
                self._of_item[record.item].add(record.annotation)
                self._sent[record.annotation, record.version] += 1

    def changes(self, task: TaskAnswers) -> list[VoteRecord]:
        """Return what has to be sent for the task's votes to be what its annotations say; nothing when they are."""
        if task.item is None:
            return []
        before = {number: self._votes[number] for number in self._of_item.get(task.item, ())}
        kept = _latest_of_each(task, before.values())
        moved = [record for answer in task.good if (record := self._elsewhere(answer, task.item)) is not None]
        ended = [record for number, record in before.items() if number not in kept]
        begun = [
            self._vote(task, answer, before.get(answer.annotation))
            for answer in task.good
            if answer.annotation in kept and not _says(before.get(answer.annotation), answer)
        ]
        return [*(self._retraction(record, task.changed) for record in (*moved, *ended)), *begun]

    def _elsewhere(self, answer: Answer, item: str) -> VoteRecord | None:
        """Return an annotation's vote on another item, which its task named before its data were changed by hand."""
        record = self._votes.get(answer.annotation)
        return record if record is not None and record.item != item else None

    def _vote(self, task: TaskAnswers, answer: Answer, before: VoteRecord | None) -> VoteRecord:
        assert task.item is not None
        # The same version again, after it was taken back, is another vote.
        turn = self._sent[answer.annotation, answer.version]
        return VoteRecord(
            project=self.project,
            task=task.task,
            annotation=answer.annotation,
            version=answer.version,
            vote_id=_hash(self.project, answer.annotation, answer.version, *([turn] if turn else [])),
            item=task.item,
            annotator=answer.annotator,
            label=answer.label,
            time=answer.time.isoformat(),
            lead_time_seconds=answer.lead_time_seconds,
            suggestion_shown=answer.suggestion_shown,
            supersedes="" if before is None else before.vote_id,
        )

    def _retraction(self, record: VoteRecord, at: datetime) -> VoteRecord:
        vote_id = _hash(self.project, record.annotation, "gone", record.vote_id)
        return replace(
            record,
            vote_id=vote_id,
            supersedes=record.vote_id,
            retracted=True,
            time=at.isoformat(),
            lead_time_seconds=0.0,
        )


def bad_vote(project: str, task: TaskAnswers, bad: BadAnswer, *, origin: str) -> NewVote:
    """Return an annotation that cannot count as a vote that the inbox sets aside and counts."""
    return NewVote(
        vote_id=_hash(project, bad.annotation, bad.version, "bad"),
        item_id=task.item or "",
        annotator=bad.annotator,
        answer=bad.label,
        origin=f"{origin}, task {task.task}, annotation {bad.annotation}: {bad.problem}",
    )


def _latest_of_each(task: TaskAnswers, before: Iterable[VoteRecord]) -> set[int]:
    """Return of each person the annotation of an item that was written last; votes of other tasks stand as they are."""
    written = [
        (each.annotator, datetime.fromisoformat(each.version), each.annotation)
        for each in before
        if each.task != task.task
    ]
    written += [(each.annotator, each.time, each.annotation) for each in task.good]
    latest: dict[str, tuple[datetime, int]] = {}
    for annotator, time, annotation in written:
        latest[annotator] = max(latest.get(annotator, (time, annotation)), (time, annotation))
    return {annotation for _, annotation in latest.values()}


def _says(record: VoteRecord | None, answer: Answer) -> bool:
    """Whether a vote says already what an annotation says; writing the same again is no edit."""
    return record is not None and (record.label, record.annotator) == (answer.label, answer.annotator)


def _hash(*parts: str | int) -> str:
    text = json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, person=b"labelplane-lstud").hexdigest()
