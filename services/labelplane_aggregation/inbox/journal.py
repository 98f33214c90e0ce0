"""Where the inbox lives in the store: batches of votes as they came, and the drained files of votes.

`review/inbox/<n>.jsonl` are batches, numbered without a gap, each written by a create-only put before its votes are
acknowledged. `votes/humans/<n>.parquet` holds the votes of all batches below n that no earlier file holds, and
`votes/set-aside/<n>.parquet` those that could not count. So a file's name says where the next drain begins, a drain
that is cut short and done again can count nothing twice, and nothing else has to be remembered.
"""

from collections.abc import Sequence

import pyarrow as pa

from labelplane_aggregation.inbox.votes import (
    SOURCE,
    IncomingVote,
    SetAside,
    bad_votes_table,
    from_lines,
    to_lines,
    votes_table,
)
from labelplane_core.errors import ObjectNotFound
from labelplane_core.storage import Layout, ObjectStore
from labelplane_core.table_store import TableStore
from labelplane_core.tables import BAD_VOTES, VOTES, TablePart

__all__ = ["Entry", "Journal"]

Entry = IncomingVote | SetAside

_SET_ASIDE = "set-aside"


class Journal:
    """Reads and writes the inbox of one job."""

    def __init__(self, store: ObjectStore, layout: Layout) -> None:
        self._store = store
        self._layout = layout
        self._tables = TableStore(store)

    async def append(self, sequence: int, entries: Sequence[Entry]) -> None:
        """Write a batch; `AlreadyExists` when another process has written one of that number."""
        await self._store.create(self._layout.review_inbox(sequence), to_lines(entries))

    async def batch(self, sequence: int) -> list[Entry] | None:
        """Return a batch, None when there is none of that number yet."""
        try:
            stored = await self._store.get(self._layout.review_inbox(sequence))
        except ObjectNotFound:
            return None
        return from_lines(stored.data)

    async def drained_keys(self) -> list[str]:
        """Return the keys of the drained files, oldest first."""
        return sorted([info.key async for info in self._store.list(self._layout.votes_folder(SOURCE))])

    async def drained_until(self) -> int:
        """Return the number of the first batch that is not drained."""
        keys = await self.drained_keys()
        return _sequence(keys[-1]) if keys else 0

    async def drained_votes(self) -> pa.Table:
        """Return all votes that are drained."""
        parts = [TablePart(key, 0, "0") for key in await self.drained_keys()]
        return await self._tables.read_parts(parts, VOTES)

    async def drained_asides(self) -> pa.Table:
        """Return all votes that were set aside and are drained."""
        keys = sorted([info.key async for info in self._store.list(self._layout.votes_folder(_SET_ASIDE))])
        return await self._tables.read_parts([TablePart(key, 0, "0") for key in keys], BAD_VOTES)

    async def drain(self, until: int, entries: Sequence[Entry]) -> None:
        """Write the entries of the batches below `until`, create-only; the file of votes, which commits, comes last."""
        asides = [entry for entry in entries if isinstance(entry, SetAside)]
        votes = [entry for entry in entries if isinstance(entry, IncomingVote)]
        if asides:
            await self._tables.write_part(self._layout.votes(_SET_ASIDE, until), bad_votes_table(asides), BAD_VOTES)
        await self._tables.write_part(self._layout.votes(SOURCE, until), votes_table(votes), VOTES)

    async def describe(self, key: str) -> TablePart:
        """Return a drained file as a part of the table of votes."""
        return await self._tables.describe_part(key, VOTES)


def _sequence(key: str) -> int:
    return int(key.rsplit("/", 1)[-1].removesuffix(".parquet"))
