"""What people are asked, as it lies in the store: the task, the items, and every round's tasks."""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.inbox.ledger import OpenTask
from labelplane_aggregation.requests import Task
from labelplane_core.errors import DamagedRecord, ObjectNotFound
from labelplane_core.storage import Layout, ObjectStore
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, TASKS, TablePart
from labelplane_core.tasks import task_kind

__all__ = ["Items", "TaskBook", "latest_task_keys", "open_tasks_of"]

_FORM = 1


@dataclass(frozen=True, slots=True)
class Items:
    """All items of a data set: their ids, where their content is, and the classes that are known."""

    ids: Container[str]
    gold: Mapping[str, str]
    places: pa.Table

    @classmethod
    def of(cls, index: pa.Table) -> Self:
        """Return the items of rows of `INDEX`."""
        known = index.filter(pc.is_valid(index.column("gold"))).select(["item_id", "gold"]).to_pydict()
        gold = dict(zip(known["item_id"], known["gold"], strict=True))
        ids = frozenset(index.column("item_id").to_pylist())
        return cls(ids, gold, index.select(["item_id", "uri", "text"]))

    def place(self, item_id: str) -> tuple[str, str] | None:
        """Return an item's key in the data set and its text, one of them empty; None when there is no such item."""
        row = pc.index(self.places.column("item_id"), item_id).as_py()
        if row < 0:
            return None
        return self.places.column("uri")[row].as_py() or "", self.places.column("text")[row].as_py() or ""


class TaskBook:
    """The people's questions of one job, over its store; what was read once is kept."""

    def __init__(self, store: ObjectStore, layout: Layout) -> None:
        self._store = store
        self._layout = layout
        self._tables = TableStore(store)
        self._task: Task | None = None
        self._items: Items | None = None

    async def task(self) -> Task | None:
        """Return what is asked of every item, None before Prepare has finished."""
        if self._task is None:
            self._task = await self._read_task()
        return self._task

    async def set_task(self, task: Task) -> None:
        """Keep what is asked, for the next start too; classes may have grown."""
        if task == await self.task():
            return
        state = {"form": _FORM, "task": {"type": task.kind.type_name, "classes": list(task.classes)}}
        await self._store.put(self._layout.review_state, json.dumps(state, ensure_ascii=False).encode())
        self._task = task

    async def items(self) -> Items:
        """Return all items."""
        if self._items is None:
            self._items = Items.of(await self._tables.read(self._layout.index_manifest, INDEX))
        return self._items

    async def open_tasks(self) -> list[OpenTask]:
        """Return all tasks of all rounds, answered or not."""
        keys = await latest_task_keys(self._store, self._layout)
        parts = [TablePart(key, 0, "0") for key in keys.values()]
        if not parts:
            return []
        rows = await self._tables.read_parts(parts, TASKS)
        return open_tasks_of(rows, await self._tables.read(self._layout.index_manifest, INDEX))

    async def _read_task(self) -> Task | None:
        key = self._layout.review_state
        try:
            stored = await self._store.get(key)
        except ObjectNotFound:
            return None
        try:
            fields = json.loads(stored.data)["task"]
            return Task(kind=task_kind(fields["type"]), classes=tuple(fields["classes"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedRecord(f"{key} is not the state of a review ({error!r}): remove it and run Prepare") from error


async def latest_task_keys(store: ObjectStore, layout: Layout) -> dict[int, str]:
    """Return for every round the key of its tasks, those of its last attempt."""
    found: dict[int, tuple[int, str]] = {}
    async for info in store.list(layout.review_tasks_folder):
        number, _, attempt = info.key.rsplit("/", 1)[-1].removesuffix(".parquet").partition("-")
        if number.isdigit() and attempt.isdigit():
            found[int(number)] = max(found.get(int(number), (0, "")), (int(attempt), info.key))
    return {number: found[number][1] for number in sorted(found)}


def open_tasks_of(tasks: pa.Table, index: pa.Table) -> list[OpenTask]:
    """Return rows of `TASKS` with what shows their items, from rows of `INDEX`."""
    places = {item_id: row for row, item_id in enumerate(index.column("item_id").to_pylist())}
    rows = [places[item_id] for item_id in tasks.column("item_id").to_pylist()]
    shown = index.select(["uri", "text"]).take(pa.array(rows, pa.int64())).to_pylist()
    return [
        OpenTask(
            number=int(task["task_id"]),
            item_id=task["item_id"],
            round_number=task["round"],
            votes_wanted=task["votes_wanted"],
            uri=item["uri"] or "",
            text=item["text"] or "",
            suggestion="" if task["suggestion_hidden"] else task["suggestion"] or "",
            suggestion_confidence=0.0,
            likely_class=task["suggestion"] or "",
        )
        for task, item in zip(tasks.to_pylist(), shown, strict=True)
    ]
