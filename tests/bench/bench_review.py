"""Fifty people on the review page at once: how long the next task and the acknowledgement of a vote take.

A real `labelplane run --review` serves a job of texts; the people are another process's HTTP clients, each with its own
cookie and connection. Paced people think 1 to 3 s about an item; hurried ones not at all, which measures throughput.
Every vote is on the disk (fsync) before it is acknowledged. The machine's load and a bare fsync are reported beside it.

    python tests/bench/bench_review.py [--json OUT] [--people 50] [--seconds 30]
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from review_load import LoadPerson
from review_run import review_run, write_text_job

CLASSES = ["cat", "dog", "owl"]
ITEMS = 20_000
TARGET_SECONDS = 0.1


async def label(link: str, pause: Callable[[], float], *, people: int, seconds: float, group: str) -> list[LoadPerson]:
    """Let people answer for a while, and return them."""
    stop = asyncio.Event()
    crowd = [LoadPerson(f"{group}-{n}", lambda: link, "texts", lambda _: "cat", pause) for n in range(people)]
    async with AsyncExitStack() as stack:
        for person in crowd:
            await stack.enter_async_context(person)
        working = [asyncio.create_task(person.work(stop)) for person in crowd]
        await asyncio.sleep(seconds)
        stop.set()
        await asyncio.gather(*working)
    return crowd


def quantile(seconds: list[float], share: float) -> float:
    """The value below which a share of the values lies."""
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def figures(crowd: list[LoadPerson], seconds: float) -> dict[str, Any]:
    """What the people measured."""
    next_task = [each for person in crowd for each in person.lease_seconds]
    vote = [each for person in crowd for each in person.vote_seconds]
    found: dict[str, Any] = {"votes": len(vote), "votes_per_second": len(vote) / seconds}
    for name, values in (("next_task", next_task), ("vote", vote)):
        for share in (0.5, 0.95, 0.99):
            found[f"{name}_p{round(100 * share)}_ms"] = round(1000 * quantile(values, share), 1)
    return found


def bare_fsync(folder: Path, count: int = 100) -> dict[str, float]:
    """How long a file of a vote's size takes to reach this disk: the least that a confirmation costs."""
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        with (folder / f"fsync-{number}").open("wb") as file:
            file.write(bytes(300))
            file.flush()
            os.fsync(file.fileno())
        seconds.append(time.perf_counter() - began)
    return {f"fsync_p{round(100 * share)}_ms": round(1000 * quantile(seconds, share), 1) for share in (0.5, 0.95)}


def measure(people: int, seconds: float) -> dict[str, Any]:
    """Paced people, then hurried ones, on one server."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        texts = [f"text number {n} of the bench" for n in range(ITEMS)]
        job_file = write_text_job(Path(folder) / "job", texts, classes=CLASSES, batch=ITEMS)
        with review_run(job_file) as run:
            wait_for_tasks(run.link)
            found: dict[str, Any] = {"people": people, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
            for group, pause in (("paced", lambda: rng.uniform(1.0, 3.0)), ("hurried", lambda: 0.0)):
                began = time.perf_counter()
                crowd = asyncio.run(label(run.link, pause, people=people, seconds=seconds, group=group))
                found[group] = figures(crowd, time.perf_counter() - began) | bare_fsync(Path(folder))
            found["load_after"] = os.getloadavg()[0]
    return found


def wait_for_tasks(link: str) -> None:
    """Return when the job asks people."""

    async def one_answer() -> None:
        stop = asyncio.Event()
        person = LoadPerson("first", lambda: link, "texts", lambda _: "cat", lambda: 0.0)
        async with person:
            working = asyncio.create_task(person.work(stop))
            while not person.acknowledged:  # noqa: ASYNC110 - one look at the beginning
                await asyncio.sleep(0.1)
            stop.set()
            await working

    asyncio.run(one_answer())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    found = measure(arguments.people, arguments.seconds)
    paced = found["paced"]
    found["rows"] = [
        {
            "name": f"{name} p95, 50 people",
            "ours": paced[f"{key}_p95_ms"] / 1000,
            "target": TARGET_SECONDS,
            "reached": paced[f"{key}_p95_ms"] <= 1000 * TARGET_SECONDS,
        }
        for name, key in (("next task", "next_task"), ("vote", "vote"))
    ]
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
