"""People's remarks on items."""

import asyncio
from collections.abc import Sequence
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
        self._trail = Trail(store, layout.review_comments, tell=self._take_in)
        self._is_loaded = False
        self._loading = asyncio.Lock()

    async def add(self, comment: Comment) -> None:
        """Keep a remark and return when it is durable; one that is known is kept as it is."""
        await self._load()
        if comment.comment_id not in self._by_id:
            await self._trail.append(comment.to_record())

    async def newest(self, *, item_id: str, limit: int) -> Sequence[Comment]:
        """Return the newest remarks, of one item or (empty) of all, newest first."""
        await self._load()
        wanted = (each for each in reversed(self._by_id.values()) if item_id in ("", each.item_id))
        return list(islice(wanted, limit))

    async def _load(self) -> None:
        async with self._loading:
            if not self._is_loaded:
                await self._trail.load()
                self._is_loaded = True

    def _take_in(self, record: Record) -> None:
        self._by_id.setdefault(record["comment_id"], Comment.from_record(record))
