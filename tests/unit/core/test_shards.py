import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane_core.shards import Shard, Stage, block_of, blocks_per_shard, n_blocks, plan_shards


def spans(shards: tuple[Shard, ...]) -> list[tuple[int, int]]:
    return [(shard.first_block, shard.last_block) for shard in shards]


@pytest.mark.parametrize(
    ("blocks", "per_shard", "want"),
    [
        pytest.param([], 4, [], id="nothing to do"),
        pytest.param([5], 4, [(5, 5)], id="one block"),
        pytest.param(range(8), 4, [(0, 3), (4, 7)], id="even"),
        pytest.param(range(9), 4, [(0, 3), (4, 7), (8, 8)], id="a rest"),
        pytest.param([0, 1, 4, 5, 6], 2, [(0, 1), (4, 5), (6, 6)], id="a gap ends a shard"),
        pytest.param([3, 1, 2, 2], 9, [(1, 3)], id="any order, repeated"),
    ],
)
def test_blocks_are_cut_into_runs(blocks: list[int], per_shard: int, want: list[tuple[int, int]]) -> None:
    shards = plan_shards(blocks, stage=Stage.SCORE, round_number=2, attempt=3, blocks_per_shard=per_shard)

    assert spans(shards) == want
    assert all((shard.stage, shard.round, shard.attempt) == (Stage.SCORE, 2, 3) for shard in shards)


@given(st.sets(st.integers(0, 200)), st.integers(1, 20))
def test_every_block_is_in_exactly_one_shard_and_no_other_is(blocks: set[int], per_shard: int) -> None:
    shards = plan_shards(blocks, stage=Stage.VOTE, round_number=0, blocks_per_shard=per_shard)

    assert [block for shard in shards for block in shard.blocks] == sorted(blocks)
    assert all(len(shard.blocks) <= per_shard for shard in shards)


def test_split_gives_single_blocks_of_the_same_attempt() -> None:
    shard = Shard(Stage.SCORE, 1, 3, 5, attempt=2)

    assert shard.split() == tuple(Shard(Stage.SCORE, 1, block, block, attempt=2) for block in (3, 4, 5))


def test_key_tells_shards_of_attempts_and_rounds_apart() -> None:
    shards = {Shard(Stage.SCORE, r, 0, last, attempt=a) for r in (0, 1) for a in (1, 2) for last in (0, 1)}

    assert len({shard.key for shard in shards}) == 8
    assert Shard(Stage.SCORE, 0, 1, 2).key == "score/0/1/1-2"


@pytest.mark.parametrize(("n_items", "want"), [(0, 0), (1, 1), (4096, 1), (4097, 2), (1_000_000, 245)])
def test_number_of_blocks_is_rounded_up(n_items: int, want: int) -> None:
    assert n_blocks(n_items) == want


def test_position_tells_the_block() -> None:
    assert [block_of(position) for position in (0, 4095, 4096)] == [0, 0, 1]
    assert block_of(10, block_size=3) == 3


@pytest.mark.parametrize(("seconds", "want"), [(0.1, 100), (3.0, 3), (10.0, 1), (500.0, 1)])
def test_shard_is_sized_for_about_ten_seconds_and_has_one_block_at_least(seconds: float, want: int) -> None:
    assert blocks_per_shard(seconds) == want


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: Shard(Stage.SCORE, 0, 2, 1), id="last before first"),
        pytest.param(lambda: Shard(Stage.SCORE, 0, -1, 1), id="negative block"),
        pytest.param(
            lambda: plan_shards([1], stage=Stage.SCORE, round_number=0, blocks_per_shard=0), id="empty shards"
        ),
        pytest.param(lambda: blocks_per_shard(0.0), id="blocks that take no time"),
    ],
)
def test_impossible_sizes_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="must be"):
        call()
