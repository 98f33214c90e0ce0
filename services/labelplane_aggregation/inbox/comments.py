"""People's remarks on items."""

import asyncio
from collections import defaultdict
from collections.abc import KeysView, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from labelplane_aggregation.inbox.trail import Record, Trail
from labelplane_core.storage import Layout, ObjectStore

__all__ = ["Comment", "Comments"]


@dataclass(frozen=True, slots=True)
class Comment:
    """One remark of one person on one item."""

    comment_id: str
    annotator: str
    item_id: str
    text: str
    time: datetime

    def to_record(self) -> Record:
        """Return the remark as JSON values."""
        return {**asdict(self), "time": self.time.isoformat()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Comment":
        """Return the remark that `to_record` gave."""
        return cls(**{**record, "time": datetime.fromisoformat(record["time"])})


class Comments:
    """The remarks of one job, over its store; read at the first use."""

    def __init__(self, store: ObjectStore, layout: Layout) -> None:
        self._by_id: dict[str, Comment] = {}
        self._by_item: dict[str, list[Comment]] = defaultdict(list)
        self._trail = Trail(store, layout.review_comments, tell=self._take_in)
        self._is_loaded = False
        self._loading = asyncio.Lock()

    async def add(self, comment: Comment) -> None:
        """Keep a remark and return when it is durable; one that is known is kept as it is."""
        await self.load()
        if comment.comment_id not in self._by_id:
            await self._trail.append(comment.to_record())

    async def newest(self, *, item_id: str, limit: int) -> Sequence[Comment]:
        """Return the newest remarks, of one item or (empty) of all, newest first."""
        await self.load()
        wanted = (each for each in reversed(self._by_id.values()) if item_id in ("", each.item_id))
        return list(islice(wanted, limit))

    @property
    def items(self) -> KeysView[str]:
        """The items that are commented on; none before `load`."""
        return self._by_item.keys()

    def of(self, item_id: str) -> Sequence[Comment]:
        """Return the remarks on one item, oldest first; none before `load`."""
        return self._by_item.get(item_id, ())

    async def load(self) -> None:
        """Read what the store has; once."""
        async with self._loading:
            if not self._is_loaded:
                await self._trail.load()
                self._is_loaded = True

    def _take_in(self, record: Record) -> None:
        if record["comment_id"] not in self._by_id:
            comment = self._by_id[record["comment_id"]] = Comment.from_record(record)
            self._by_item[comment.item_id].append(comment)
