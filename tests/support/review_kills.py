"""kill -9 of `labelplane run --review` while people answer, over and over, and what must hold then."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from review_load import LoadPerson
from review_run import ReviewRun, journal, live_answers, write_text_job

CLASSES = ["cat", "dog", "owl"]


async def label_while_it_is_killed(folder: Path, *, kills: int, people: int, seed: int) -> None:
    """Let people answer while the server is killed and started again.

    Every vote that was acknowledged is in the store, once; nobody was shown an item that they had answered.
    """
    rng = random.Random(seed)
    items = 400 * (kills + 1)
    job_file = write_text_job(folder, [f"text {n}" for n in range(items)], classes=CLASSES, batch=items)
    run = await asyncio.to_thread(ReviewRun, job_file)
    runs, stop = [run], asyncio.Event()
    crowd = [
        LoadPerson(
            f"person-{n}",
            lambda: runs[-1].link,
            "texts",
            lambda item: CLASSES[int(item[1:]) % 3],
            lambda: rng.uniform(0.02, 0.2),
        )
        for n in range(people)
    ]
    try:
        async with AsyncExitStack() as stack:
            for person in crowd:
                await stack.enter_async_context(person)
            working = [asyncio.create_task(person.work(stop)) for person in crowd]
            for _ in range(kills):
                done = sum(len(person.acknowledged) for person in crowd)
                await _until(crowd, done + rng.randrange(people, 4 * people))
                runs[-1].kill()
                runs.append(await asyncio.to_thread(ReviewRun, job_file))
            done = sum(len(person.acknowledged) for person in crowd)
            await _until(crowd, done + people)
            stop.set()
            await asyncio.gather(*working)
    finally:
        runs[-1].stop()
    _check(crowd, folder / "out")


async def _until(crowd: list[LoadPerson], votes: int) -> None:
    """Return when so many votes are acknowledged altogether."""
    while sum(len(person.acknowledged) for person in crowd) < votes:  # noqa: ASYNC110 - many people count
        await asyncio.sleep(0.01)


def _check(crowd: list[LoadPerson], out: Path) -> None:
    acknowledged = {vote_id: pair for person in crowd for vote_id, pair in person.acknowledged.items()}
    stored = Counter(vote["vote_id"] for vote in journal(out))
    assert set(acknowledged) - set(stored) == set(), "acknowledged votes were lost"
    assert {vote_id: count for vote_id, count in stored.items() if count > 1} == {}, "votes stand twice"
    assert set(stored) - set(acknowledged) == set(), "votes stand that nobody was told of"
    answers = live_answers(out)
    assert set(answers) == set(acknowledged.values())
    assert len(answers) == len(acknowledged), "somebody answered an item twice"
