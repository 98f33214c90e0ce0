"""What the connector remembers, in the job's store: its project, and every vote before it is sent.

`review/label-studio/project.json` holds the marker of the job's project. It is written before the project is made, and
the project's description holds it too: so a project that was made and never noted is found again, and made once.

`review/label-studio/<n>.jsonl` are batches of votes, numbered without a gap, each written by a create-only put before
its votes are sent. What the last one holds may not have come to the inbox, which takes it once however often it comes;
all earlier ones have.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from labelplane_core.errors import DamagedRecord, ObjectNotFound
from labelplane_core.storage import Layout, ObjectStore
from labelplane_review.label_studio.standing import VoteRecord

__all__ = ["Mark", "Records"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What names the job's project for good: the server's address, and words in its description."""

    url: str
    marker: str


class Records:
    """Reads and writes them; one process does at a time, and a second is told by `AlreadyExists`."""

    def __init__(self, store: ObjectStore, layout: Layout) -> None:
        self._store = store
        self._layout = layout
        self._next = 0

    async def mark(self) -> Mark | None:
        """Return the mark of the job's project, None before there is one."""
        key = self._layout.review_label_studio
        try:
            fields = json.loads((await self._store.get(key)).data)
            return Mark(fields["url"], fields["marker"])
        except ObjectNotFound:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedRecord(
                f"{key} does not name a project ({error!r}): remove it, and a new one is made"
            ) from error

    async def set_mark(self, mark: Mark) -> None:
        """Keep the mark of the job's project."""
        data = json.dumps({"url": mark.url, "marker": mark.marker}).encode()
        await self._store.put(self._layout.review_label_studio, data)

    async def load(self) -> list[list[VoteRecord]]:
        """Return all batches, oldest first."""
        batches: list[list[VoteRecord]] = []
        self._next = 0
        while True:
            try:
                stored = await self._store.get(self._layout.review_label_studio_votes(self._next))
            except ObjectNotFound:
                return batches
            batches.append([VoteRecord.from_json(json.loads(line)) for line in stored.data.splitlines()])
            self._next += 1

    async def append(self, records: Sequence[VoteRecord]) -> None:
        """Write a batch.

        Raises:
            AlreadyExists: another process has written one since `load`: load again.
        """
        data = "".join(f"{json.dumps(record.to_json(), ensure_ascii=False)}\n" for record in records).encode()
        await self._store.create(self._layout.review_label_studio_votes(self._next), data)
        self._next += 1
