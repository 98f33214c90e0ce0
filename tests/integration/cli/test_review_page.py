"""`labelplane run --review` from its first line to its last."""

import asyncio
import csv
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession, ClientTimeout, CookieJar, web
from aiohttp.test_utils import TestServer
from point_job import write_point_job
from review_load import LoadPerson
from review_run import ReviewRun, review_run, write_text_job

CLASSES = ["even", "odd"]
ITEMS = 24


def truth(item: str) -> str:
    return CLASSES[int(item[1:]) % 2]


def write_job(folder: Path) -> Path:
    return write_text_job(folder, [f"{CLASSES[n % 2]} text {n}" for n in range(30)], classes=CLASSES, batch=ITEMS)


async def views_until_the_end(run: ReviewRun) -> list[dict[str, Any]]:
    """Every view that the job's page is told of, until the server ends the stream."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=None)) as session:
        await (await session.get(run.link)).read()
        async with session.get(f"{run.address}/api/jobs/texts/events") as response:
            assert response.status == 200
            return [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: ")]


@pytest.fixture
async def told(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[dict[str, Any]]]:
    """What the webhooks of runs tell a system on this machine."""
    got: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        assert request.headers["webhook-signature"].startswith("v1,")
        got.append(await request.json())
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", take)])
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    monkeypatch.setenv("LABELPLANE_WEBHOOK_URLS", str(server.make_url("/")))
    monkeypatch.setenv("LABELPLANE_WEBHOOK_SECRET", "a secret of this test")
    yield got
    await server.close()


async def test_run_goes_on_as_votes_come_tells_open_pages_of_its_end_and_ends(
    tmp_path: Path, told: list[dict[str, Any]]
) -> None:
    run = await asyncio.to_thread(ReviewRun, write_job(tmp_path))
    try:
        watching = asyncio.create_task(views_until_the_end(run))
        stop = asyncio.Event()
        async with LoadPerson("ann", lambda: run.link, "texts", truth, lambda: 0.0) as person:
            working = asyncio.create_task(person.work(stop))
            views = await watching
            stop.set()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        assert await asyncio.to_thread(run.process.wait) == 0
    finally:
        run.stop()
    assert (views[0]["state"], views[-1]["state"], views[-1]["stage"]) == ("running", "complete", "Complete")
    assert (views[-1]["votes"], views[-1]["people"][0]["name"]) == (ITEMS, "ann")
    assert len(set(person.seen)) == ITEMS
    with (tmp_path / "out/export/labels.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["item"]: row for row in csv.DictReader(file)}
    decided = {item: row["label"] for item, row in rows.items() if row["state"] == "human"}
    assert decided == {item: truth(item) for item in person.seen}
    types = [each["type"] for each in told]
    assert (types[0], types[-1], types.count("job.complete")) == ("batch.ready", "job.complete", 1)
    assert told[-1]["data"]["votes"] == ITEMS


def test_the_link_is_for_its_user_alone_and_stays_the_same(tmp_path: Path) -> None:
    job_file = write_job(tmp_path)
    with review_run(job_file) as first:
        pass
    kept = tmp_path / "out/review-link.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    with review_run(job_file) as second:
        assert second.link == first.link
    kept.write_text("damaged", encoding="utf-8")
    with review_run(job_file) as third:
        assert third.link != first.link


def test_port_that_is_taken_is_one_line_and_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "labelplane_cli", "run", str(write_job(tmp_path)), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"--port {port}: Address already in use: choose another, or leave --port out"]


def test_a_job_that_asks_nobody_has_no_page(tmp_path: Path) -> None:
    job_file = write_job(tmp_path)
    job = yaml.safe_load(job_file.read_text(encoding="utf-8"))
    job["spec"]["sources"] = {"rules": [{"name": "r", "label": "odd", "regex": "odd"}]}
    job_file.write_text(yaml.safe_dump(job), encoding="utf-8")
    command = [sys.executable, "-m", "labelplane_cli", "run", str(job_file), "--review"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["--review: the job asks no people: set spec.sources.humans.inbox"]


def test_any_job_can_be_looked_on_at(tmp_path: Path) -> None:
    with review_run(write_point_job(tmp_path)) as run:
        assert run.process.wait() == 0
    assert any("labels" in line for line in run.lines)
