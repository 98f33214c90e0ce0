from pathlib import Path

import pytest

from labelplane_core.errors import DamagedRecord, ObjectNotFound
from labelplane_core.shards import Shard, Stage
from labelplane_core.storage import FolderStore, Layout
from labelplane_scoring.shard_plans import ShardPlan, largest_size, plan_size

LAYOUT = Layout()
SHARD = Shard(Stage.SCORE, 2, 0, 3, attempt=1)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.mark.parametrize(
    ("seconds_per_block", "n_blocks", "want"),
    [
        pytest.param(1.0, 10_000, 10, id="ten seconds of work"),
        pytest.param(60.0, 10_000, 1, id="a block that takes long is a shard"),
        pytest.param(0.01, 10_000, 32, id="a bound for quick ones"),
        pytest.param(0.0, 10_000, 32, id="a clock that shows no time"),
        pytest.param(1.0, 48, 3, id="enough shards to share"),
        pytest.param(1.0, 31, 1, id="few blocks"),
        pytest.param(1.0, 0, 1, id="no block"),
    ],
)
def test_shard_is_about_ten_seconds_of_work(seconds_per_block: float, n_blocks: int, want: int) -> None:
    assert plan_size(seconds_per_block, n_blocks=n_blocks) == want
    assert want <= largest_size(n_blocks)


async def test_plan_that_stands_is_kept(store: FolderStore) -> None:
    first = await ShardPlan("job/2/score/1", 4).keep(store, LAYOUT, round_number=2, attempt=1)
    second = await ShardPlan("job/2/score/1", 9).keep(store, LAYOUT, round_number=2, attempt=1)

    assert first == second == await ShardPlan.read(store, LAYOUT, SHARD)
    assert second.blocks_per_shard == 4


async def test_plan_that_is_missing_or_damaged_is_named(store: FolderStore) -> None:
    key = ShardPlan.key(LAYOUT, 2, 1)
    with pytest.raises(ObjectNotFound, match=key):
        await ShardPlan.read(store, LAYOUT, SHARD)
    for text in ("{", '{"form": 1}', '{"form": 2, "request_id": "a", "blocks_per_shard": 1}', "[]"):
        await store.put(key, text.encode())
        with pytest.raises(DamagedRecord, match=key):
            await ShardPlan.read(store, LAYOUT, SHARD)
