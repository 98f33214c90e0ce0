"""Two hundred kills of workers and of the queue's server: the table is that of an undisturbed run, seed by seed."""

import os
from pathlib import Path

import pytest
from worker_kills import disturbed_digest, undisturbed_digest

ITEMS = int(os.environ.get("LABELPLANE_KILLED_ITEMS", "20000"))
BLOCK_SIZE, KILLS, WORKERS = 20, 200, 2


@pytest.mark.parametrize("seed", range(3))
async def test_every_item_is_scored_exactly_once_over_two_hundred_kills(seed: int, tmp_path: Path) -> None:
    disturbed, _ = await disturbed_digest(
        tmp_path / "disturbed", seed=seed, kills=KILLS, items=ITEMS, block_size=BLOCK_SIZE, workers=WORKERS
    )

    assert disturbed == await undisturbed_digest(tmp_path / "undisturbed", items=ITEMS, block_size=BLOCK_SIZE)
