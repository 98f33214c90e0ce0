"""10,000 tasks into Label Studio and 10,000 annotations back, against bare HTTP calls of the same server in one run.

A real Label Studio and a real aggregation service. The bare calls send the same tasks in the same batches and read the
same pages, and do nothing with them; the connector also asks the inbox for the tasks, writes each vote down, and has it
acknowledged, on the disk. Both take turns. Annotations, edits and deletions are written into the server's database, as
one call for each would take longer than all the rest; what comes back must be equal to what was written.

    python tests/bench/bench_label_studio.py [--json OUT] [--tasks 10000]
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from label_studio import ANN, TOKENS, LabelStudio, result, running_label_studio
from label_studio_world import CLASSES, Asked, asked

from labelplane_review.label_studio.client import BATCH, PAGE, open_http
from labelplane_review.label_studio.connector import MODEL_VERSION
from labelplane_review.label_studio.forms import label_config

TARGET_RATIO = 1.3
CHANGED_SHARE = 0.05


class BareCalls:
    """The same calls without a connector."""

    def __init__(self, url: str) -> None:
        self._http = open_http(url)
        self._http.headers["Authorization"] = f"Token {TOKENS[ANN]}"
        self.project = 0

    async def import_tasks(self, texts: list[str]) -> None:
        config = label_config(CLASSES, is_image=False)
        response = await self._http.post("/api/projects/", json={"title": "bare calls", "label_config": config})
        self.project = response.json()["id"]
        for start in range(0, len(texts), BATCH):
            tasks = [
                {
                    "data": {"text": text, "item": text},
                    "predictions": [{"model_version": MODEL_VERSION, "score": 0.5, "result": result("cat")}],
                }
                for text in texts[start : start + BATCH]
            ]
            path = f"/api/projects/{self.project}/import?return_task_ids=true"
            (await self._http.post(path, json=tasks)).raise_for_status()

    async def read_tasks(self) -> int:
        last = count = 0
        while True:
            after = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": last}
            query = {"filters": {"conjunction": "and", "items": [after]}, "ordering": ["tasks:id"]}
            parameters = {"project": self.project, "fields": "all", "page_size": PAGE, "query": json.dumps(query)}
            response = await self._http.get("/api/tasks", params={**parameters, "resolve_uri": "false"})
            tasks = response.json().get("tasks") or []
            count += len(tasks)
            if len(tasks) < PAGE:
                return count
            last = tasks[-1]["id"]

    async def close(self) -> None:
        await self._http.aclose()


class Database:
    """The server's own tables, where people's work is put at once."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=60)

    def annotate(self, project: int, truth: dict[str, str]) -> None:
        """Answer every task once."""
        now, user = _now(), self._user()
        rows = [
            (json.dumps(result(truth[json.loads(data)["item"]])), now, now, task, user, user, project, uuid.uuid4().hex)
            for task, data in self._database.execute("select id, data from task where project_id = ?", (project,))
        ]
        with self._database:
            self._database.executemany(
                "insert into task_completion (result, created_at, updated_at, task_id, completed_by_id, updated_by_id,"
                " project_id, unique_id, was_cancelled, result_count, ground_truth, lead_time, bulk_created)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, 0, 1, 0, 2.5, 0)",
                rows,
            )
            change = "update task set updated_at = ?, total_annotations = 1 where project_id = ?"
            self._database.execute(change, (now, project))

    def change(self, project: int, edits: dict[str, str], deletions: set[str]) -> None:
        """Let people answer some anew, and take some back."""
        now = _now()
        query = "select id, data from task where project_id = ?"
        tasks = {json.loads(data)["item"]: task for task, data in self._database.execute(query, (project,))}
        with self._database:
            self._database.executemany(
                "update task_completion set result = ?, updated_at = ? where task_id = ?",
                [(json.dumps(result(label)), now, tasks[item]) for item, label in edits.items()],
            )
            gone = [(tasks[item],) for item in deletions]
            self._database.executemany("delete from task_completion where task_id = ?", gone)
            self._database.executemany(
                "update task set updated_at = ? where id = ?", [(now, tasks[item]) for item in deletions | set(edits)]
            )

    def _user(self) -> int:
        query = "select id from htx_user where email = ?"
        return int(self._database.execute(query, (ANN,)).fetchone()[0])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


async def measure(folder: Path, server: LabelStudio, count: int) -> dict[str, Any]:
    """Both ways, in turns."""
    items = [f"text {number}" for number in range(count)]
    draw = random.Random(0)
    truth = {item: draw.choice(CLASSES) for item in items}
    database, bare = Database(folder / "server/data/label_studio.sqlite3"), BareCalls(server.url)
    (folder / "job").mkdir()
    async with asked(folder / "job", server.url, items, votes_per_item=1) as job:
        connector = job.connector()
        found: dict[str, Any] = {"tasks": count, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
        found["import_bare_seconds"] = await _seconds(bare.import_tasks(items))
        found["import_connector_seconds"] = await _seconds(connector.poll_once())
        project = await job.project()
        for each in (project, bare.project):
            database.annotate(each, truth)
        found["votes_bare_seconds"] = await _seconds(bare.read_tasks())
        found["votes_connector_seconds"] = await _seconds(connector.poll_once())
        await _check(job, truth)
        edits = {
            item: CLASSES[1 - CLASSES.index(truth[item])] for item in draw.sample(items, int(count * CHANGED_SHARE))
        }
        deletions = set(draw.sample([item for item in items if item not in edits], int(count * CHANGED_SHARE)))
        database.change(project, edits, deletions)
        found["changes_connector_seconds"] = await _seconds(connector.poll_once())
        await _check(job, {item: label for item, label in (truth | edits).items() if item not in deletions})
        found |= {"edits": len(edits), "deletions": len(deletions), "is_equal_to_the_truth": True}
        await bare.close()
    found["load_after"] = os.getloadavg()[0]
    return found


async def _seconds(work: Any) -> float:
    began = time.perf_counter()
    await work
    return round(time.perf_counter() - began, 2)


async def _check(job: Asked, truth: dict[str, str]) -> None:
    answers = await job.answers()
    if answers != {(item, ANN, label) for item, label in truth.items()}:
        raise SystemExit("what came back is not what people answered")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tasks", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_label_studio(Path(name) / "server") as server:
        found = asyncio.run(measure(Path(name), server, arguments.tasks))
    ours = found["import_connector_seconds"] + found["votes_connector_seconds"]
    bare = found["import_bare_seconds"] + found["votes_bare_seconds"]
    row = {"name": f"{arguments.tasks:,} tasks in and annotations back", "ours": ours, "peer": bare}
    found["rows"] = [row | {"ratio": ours / bare, "target": TARGET_RATIO, "reached": ours <= TARGET_RATIO * bare}]
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
