"""Twenty kills of workers and of the queue's server while items are scored: the table is that of an undisturbed run."""

from pathlib import Path

import pytest
from worker_kills import disturbed_digest, undisturbed_digest

ITEMS, BLOCK_SIZE, KILLS = 1200, 10, 20


@pytest.mark.timeout(1200)
async def test_every_item_is_scored_exactly_once_however_often_workers_and_queue_are_killed(tmp_path: Path) -> None:
    disturbed, done = await disturbed_digest(
        tmp_path / "disturbed", seed=7, kills=KILLS, items=ITEMS, block_size=BLOCK_SIZE
    )

    assert disturbed == await undisturbed_digest(tmp_path / "undisturbed", items=ITEMS, block_size=BLOCK_SIZE)
    assert done > 0
