"""What the rows of a file say that was not sent before: pure, so that every reader of files gives a row the same id."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelplane_review.inbox_client import NewVote
from labelplane_review.vote_files import BadRow, VoteRow

__all__ = ["FileAnswer", "bad_vote", "new_votes", "voter_of"]


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What a file said last of an item; `changes` counts how often it said something else before."""

    label: str
    changes: int = 0


def new_votes(
    name: str, rows: Iterable[VoteRow | BadRow], known: Mapping[str, FileAnswer]
) -> dict[str, tuple[FileAnswer, NewVote]]:
    """Return the votes of a file that are not sent yet, by voter; of several rows of one voter the last counts.

    Args:
        name: the file's name, which is part of every vote's id.
        rows: the file's rows.
        known: what was sent, by voter. A label that has changed since supersedes the vote before.
    """
    new: dict[str, tuple[FileAnswer, NewVote]] = {}
    for row in rows:
        if isinstance(row, VoteRow):
            voter, before = voter_of(row), known.get(voter_of(row))
            new.pop(voter, None)
            if before is None or before.label != row.label:
                answer = FileAnswer(row.label, 0 if before is None else before.changes + 1)
                new[voter] = (answer, _vote(name, row, answer, before=before))
    return new


def bad_vote(name: str, row: BadRow) -> NewVote:
    """Return a vote of nobody about nothing, which the inbox sets aside and counts."""
    return NewVote(vote_id=_hash(name, row.place, row.message), item_id="", annotator=name, answer="", origin=row.place)


def voter_of(row: VoteRow) -> str:
    """Return what tells whose answer to what a row is."""
    return json.dumps([row.annotator, row.item], ensure_ascii=False)


def _vote(name: str, row: VoteRow, answer: FileAnswer, *, before: FileAnswer | None) -> NewVote:
    """Return the vote of a row; the same row in the same file is the same vote."""
    return NewVote(
        vote_id=_vote_id(name, row, answer),
        item_id=row.item,
        annotator=row.annotator,
        answer=row.label,
        suggestion_shown=True,
        supersedes="" if before is None else _vote_id(name, row, before),
        origin=row.place,
    )


def _vote_id(name: str, row: VoteRow, answer: FileAnswer) -> str:
    """Return the hash of file, annotator, item and label, and from the second change on of their number too.

    So an answer that is changed and changed back is no vote that was sent before.
    """
    parts: list[str | int] = [name, row.annotator, row.item, answer.label]
    return _hash(*parts, *([answer.changes] if answer.changes > 1 else []))


def _hash(*parts: str | int) -> str:
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=b"labelplane-file").hexdigest()
