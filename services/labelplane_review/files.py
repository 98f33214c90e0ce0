"""Votes from files: open tasks are written into a folder, and votes are read from the files that appear there."""

import asyncio
import csv
import io
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from labelplane_core.errors import ObjectNotFound, StoreError
from labelplane_core.storage import ObjectStore
from labelplane_review.file_votes import FileAnswer, bad_vote, new_votes
from labelplane_review.inbox_client import InboxClient, NewVote, OpenTask
from labelplane_review.passing import passes
from labelplane_review.vote_files import FORMULA, SUFFIXES, BadRow, VoteRow, is_complete, read_rows

__all__ = ["FilesConnector", "PollTimes"]

TASKS_CSV = "tasks.csv"
TASKS_JSONL = "tasks.jsonl"
STATE = "labelplane-state.json"
_OURS = frozenset({TASKS_CSV, TASKS_JSONL, STATE})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PollTimes:
    """How often the folder is read: `first_seconds` after something new, doubling to `longest_seconds`."""

    first_seconds: float = 30.0
    longest_seconds: float = 600.0

    def after(self, seconds: float, *, is_new: bool) -> float:
        """Return the next pause after one of `seconds`."""
        return self.first_seconds if is_new else min(2 * seconds, self.longest_seconds)


@dataclass(slots=True)
class _Memory:
    """What was sent already: the answer by file, annotator and item. Kept in the folder, so a restart knows it."""

    answers: dict[str, dict[str, FileAnswer]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def to_json(self) -> bytes:
        """Return the answers as they lie in the folder."""
        fields = {
            name: {voter: [answer.label, answer.changes] for voter, answer in answers.items()}
            for name, answers in self.answers.items()
        }
        return json.dumps(fields, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "_Memory":
        """Return what `to_json` gave; `ValueError` when it is something else."""
        fields: dict[str, dict[str, Any]] = json.loads(data)
        try:
            return cls(
                {
                    name: {voter: FileAnswer(*answer) for voter, answer in answers.items()}
                    for name, answers in fields.items()
                }
            )
        except (AttributeError, TypeError) as error:
            raise ValueError(f"not the state of votes: {error}") from error


class FilesConnector:
    """Brings tasks and votes through a folder or bucket.

    `tasks.csv` and `tasks.jsonl` list what is open, with the machine's suggestion. Every other `*.csv`, `*.jsonl` and
    `*.parquet` is votes: the columns item, label and, if it is not the file's name, annotator. A label that changes
    supersedes the one before; a row that disappears takes nothing back, since files are also written in pieces. A text
    whose last line has no line break is read once it has stood still for one look. A row that is no vote is logged
    with file and line, and all others count.

    In `tasks.csv` a cell that a spreadsheet would run as a formula begins with an apostrophe (OWASP, "CSV injection");
    votes are read with it or without.
    """

    def __init__(
        self,
        inbox: InboxClient,
        folder: ObjectStore,
        *,
        times: PollTimes,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._inbox = inbox
        self._folder = folder
        self._times = times
        self._sleep = sleep
        self._memory: _Memory | None = None
        self._read: dict[str, str] = {}
        self._growing: dict[str, str] = {}
        self._listed: bytes | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the folder until `stop` is set; a folder or inbox that is away is tried again.

        Raises:
            grpc.aio.AioRpcError: the inbox refuses the calls for good, such as for a wrong token.
            StoreError: the folder can never be read or written so, such as for missing rights.
        """
        pause = self._times.first_seconds
        while not stop.is_set():
            try:
                is_new = await self.poll_once()
            except (grpc.aio.AioRpcError, StoreError) as error:
                if not passes(error):
                    raise
                _log.warning("votes are read later: %s", error)
                is_new = False
            pause = self._times.after(pause, is_new=is_new)
            await self._sleep(pause)

    async def poll_once(self) -> bool:
        """Write the open tasks, send the votes of new and changed files, and return whether there was anything new."""
        await self._write_tasks([task async for task in self._inbox.open_tasks()])
        names = [
            info.key
            async for info in self._folder.list()
            if info.key not in _OURS and any(info.key.endswith(suffix) for suffix in SUFFIXES)
        ]
        news = [await self._read_file(name) for name in sorted(names)]
        return any(news)

    # -- tasks ----------------------------------------------------------------------------------------------------

    async def _write_tasks(self, tasks: Sequence[OpenTask]) -> None:
        data = _tasks_csv(tasks)
        if data == self._listed:
            return
        await self._folder.put(TASKS_CSV, data)
        await self._folder.put(TASKS_JSONL, _tasks_jsonl(tasks))
        self._listed = data

    # -- votes ----------------------------------------------------------------------------------------------------

    async def _read_file(self, name: str) -> bool:
        """Send what is new in a file, and return whether anything was."""
        try:
            stored = await self._folder.get(name)
        except ObjectNotFound:
            return False
        if self._read.get(name) == stored.etag:
            return False
        if not is_complete(name, stored.data) and self._growing.get(name) != stored.etag:
            self._growing[name] = stored.etag
            return True
        await self._send(name, list(read_rows(name, stored.data)))
        self._read[name] = stored.etag
        return True

    async def _send(self, name: str, rows: Sequence[VoteRow | BadRow]) -> None:
        memory = await self._remembered()
        known = memory.answers.get(name, {})
        new = new_votes(name, rows, known)
        bad = [row for row in rows if isinstance(row, BadRow)]
        await self._submit(name, [vote for _, vote in new.values()], bad, memory)
        if new:
            memory.answers[name] = known | {voter: answer for voter, (answer, _) in new.items()}
            await self._folder.put(STATE, memory.to_json())

    async def _submit(self, name: str, votes: Sequence[NewVote], bad: Sequence[BadRow], memory: _Memory) -> None:
        """Send votes, and rows that are none for the inbox to count; say of each once what is wrong with it."""
        for row in bad:
            self._tell_once(memory, f"{row.place}: {row.message}")
        if not (votes or bad):
            return
        places = {vote.vote_id: vote.origin for vote in votes}
        for each in await self._inbox.submit([*votes, *(bad_vote(name, row) for row in bad)], origin=name):
            if each.vote_id in places:
                place = places[each.vote_id]
                self._tell_once(memory, f"{place}: {each.message.removeprefix(f'{place}: ')}")

    def _tell_once(self, memory: _Memory, text: str) -> None:
        if text not in memory.told:
            memory.told.add(text)
            _log.warning("vote set aside: %s", text)

    async def _remembered(self) -> _Memory:
        if self._memory is None:
            try:
                self._memory = _Memory.from_json((await self._folder.get(STATE)).data)
            except (ObjectNotFound, ValueError):
                self._memory = _Memory()
        return self._memory


def _tasks_csv(tasks: Sequence[OpenTask]) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["item", "path", "text", "suggestion", "confidence", "label"])
    for task in tasks:
        confidence = f"{task.suggestion_confidence:.3f}" if task.suggestion else ""
        cells = map(_guarded, (task.item_id, task.uri, task.text, task.suggestion))
        writer.writerow([*cells, confidence, ""])
    return sink.getvalue().encode()


def _tasks_jsonl(tasks: Sequence[OpenTask]) -> bytes:
    lines = [
        json.dumps(
            {
                "item": task.item_id,
                "path": task.uri or None,
                "text": task.text or None,
                "suggestion": task.suggestion or None,
                "confidence": round(task.suggestion_confidence, 3) if task.suggestion else None,
                "votes_wanted": task.votes_wanted,
                "round": task.round_number,
            },
            ensure_ascii=False,
        )
        for task in tasks
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
