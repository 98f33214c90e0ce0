"""A file of votes, sent in batches: each is confirmed and noted before the next."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from labelplane_cli.pushing.client import ReviewClient, RunningJob, vote_body
from labelplane_cli.pushing.memory import PushMemory
from labelplane_review.file_votes import FileAnswer, bad_vote, new_votes, voter_of
from labelplane_review.inbox_client import NewVote
from labelplane_review.vote_files import BadRow, VoteRow

__all__ = ["Pushed", "batches", "push_rows"]

MOST_VOTES: Final = 1000
MOST_BYTES: Final = 600_000
"""Of a batch as JSON: the server takes 1 MB."""


@dataclass(slots=True)
class Pushed:
    """What became of a file's rows."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    before: int = 0
    set_aside: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    """A vote to send; `voter` is empty for a row that is none."""

    vote: NewVote
    voter: str = ""
    answer: FileAnswer = field(default_factory=lambda: FileAnswer(""))


def push_rows(
    client: ReviewClient,
    job: RunningJob,
    memory: PushMemory,
    *,
    name: str,
    rows: Sequence[VoteRow | BadRow],
    told: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> Pushed:
    """Send what is new in a file.

    Args:
        client: the front.
        job: the job.
        memory: what it has confirmed of this file.
        name: the file's name.
        rows: its rows.
        told: given one line for each row that cannot count, with its file and line.
        progress: given how many votes are confirmed, and of how many.
    """
    new = new_votes(name, rows, memory.read())
    bad = [row for row in rows if isinstance(row, BadRow)]
    to_send = [
        *(_Row(vote, voter, answer) for voter, (answer, vote) in new.items()),
        *(_Row(bad_vote(name, row)) for row in bad),
    ]
    voters = {voter_of(row) for row in rows if isinstance(row, VoteRow)}
    pushed = Pushed(rows=len(rows), before=len(voters) - len(new))
    for each in bad:
        told(f"{each.place}: {each.message}")
    done = 0
    progress(done, len(to_send))
    for batch in batches(to_send):
        sent = client.push(job, [row.vote for row in batch], origin=name)
        pushed.accepted += sent.accepted
        pushed.duplicates += sent.duplicates
        pushed.set_aside += len(sent.aside)
        for row in batch:
            if row.voter and row.vote.vote_id in sent.aside:
                place = f"{row.vote.origin}: "
                told(f"{place}{sent.aside[row.vote.vote_id].removeprefix(place)}")
        memory.add({row.voter: row.answer for row in batch if row.voter and row.vote.vote_id not in sent.aside})
        done += len(batch)
        progress(done, len(to_send))
    return pushed


def batches(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Yield the rows in batches that the server takes."""
    batch: list[_Row] = []
    size = 0
    for row in rows:
        weight = len(json.dumps(vote_body(row.vote)))  # as it is sent: ASCII
        if batch and (len(batch) == MOST_VOTES or size + weight > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += weight
    if batch:
        yield batch
