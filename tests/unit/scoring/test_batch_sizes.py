import pytest

from labelplane_scoring.served.batch_sizes import LARGEST_BATCH, BatchSizes


def settled(sizes: BatchSizes, *, overhead: float, per_item: float) -> BatchSizes:
    """The sizes after a server whose request costs `overhead` and so much an item has been measured."""
    for _ in range(100):
        sizes = sizes.measured(sizes.size, overhead + per_item * sizes.size)
    assert sizes.is_settled
    return sizes


@pytest.mark.parametrize(
    ("overhead", "per_item", "largest", "want"),
    [
        pytest.param(1.0, 0.001, 256, 256, id="requests cost much: as large as may be"),
        pytest.param(0.0, 0.001, 256, 64, id="requests cost nothing: as at first"),
        pytest.param(1.0, 0.001, 100, 100, id="a bound between the powers of two"),
        pytest.param(1.0, 0.001, 8, 8, id="a bound below the first size"),
        pytest.param(1.0, 0.001, 4096, LARGEST_BATCH, id="a server that takes more than we send"),
        pytest.param(0.0095, 0.001, 256, 128, id="a little more is not worth a doubling"),
    ],
)
def test_sizes_double_while_that_pays(overhead: float, per_item: float, largest: int, want: int) -> None:
    assert settled(BatchSizes.up_to(largest), overhead=overhead, per_item=per_item).size == want


def test_one_slow_request_does_not_settle_a_size() -> None:
    sizes = BatchSizes.up_to(256)
    for seconds in (1.0, 100.0, 1.0, 1.0, 100.0, 1.0):
        sizes = sizes.measured(sizes.size, seconds)
    assert sizes.size == 256


def test_the_rest_of_a_block_says_nothing() -> None:
    sizes = BatchSizes.up_to(256)
    assert sizes.measured(3, 1.0) == sizes


@pytest.mark.parametrize(("refused", "want"), [(256, 128), (64, 32), (2, 1), (1, 1)])
def test_a_refused_batch_is_never_sent_again(refused: int, want: int) -> None:
    after = BatchSizes(size=refused, largest=256).refused(refused)
    assert after.largest == want
    assert settled(after, overhead=1.0, per_item=0.0).size <= want
