import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane_operator.policies.scaling import QueueDepth
from labelplane_operator.policies.shard_time import ShardTime


def begin(ready: int, leased: int) -> ShardTime:
    return ShardTime.begin(QueueDepth(ready, leased), now_seconds=0.0)


def test_nothing_is_known_before_some_shards_are_done() -> None:
    first = begin(100, 2)
    assert first.seconds is None
    assert first.after(QueueDepth(96, 2), now_seconds=20.0).seconds is None


def test_the_time_is_that_of_the_busy_workers_for_what_was_done() -> None:
    found = begin(100, 4).after(QueueDepth(92, 4), now_seconds=16.0)
    assert found.seconds == pytest.approx(4 * 16 / 8)


def test_a_look_at_which_shards_were_put_does_not_count() -> None:
    before = begin(100, 4).after(QueueDepth(92, 4), now_seconds=16.0)
    put = before.after(QueueDepth(500, 4), now_seconds=18.0)
    assert put.seconds == before.seconds
    assert put.after(QueueDepth(492, 4), now_seconds=34.0).seconds == pytest.approx(before.seconds)


def test_idle_workers_do_not_count() -> None:
    found = begin(100, 8).after(QueueDepth(92, 8), now_seconds=10.0)
    assert found.seconds == pytest.approx(10.0)
    left = found.after(QueueDepth(0, 0), now_seconds=130.0)
    assert left.after(QueueDepth(0, 0), now_seconds=1000.0).seconds == left.seconds


@given(seconds=st.floats(1, 30), workers=st.integers(1, 20))
def test_shards_of_equal_length_are_measured_right(seconds: float, workers: int) -> None:
    total = 60 * workers
    found = begin(total - workers, workers)
    for step in range(1, 600):
        now = 2.0 * step
        done = min(total, workers * int(now // seconds))
        leased = min(workers, total - done)
        found = found.after(QueueDepth(total - done - leased, leased), now_seconds=now)
    assert found.seconds is None or found.seconds == pytest.approx(seconds, rel=0.35, abs=2.0)


def test_what_is_begun_counts_half() -> None:
    """The first shards of 20 workers do not make a shard seem twice as long while the second ones are worked on."""
    found = begin(100, 0).after(QueueDepth(80, 20), now_seconds=0.0)
    found = found.after(QueueDepth(60, 20), now_seconds=30.0).after(QueueDepth(60, 20), now_seconds=45.0)
    assert found.seconds == pytest.approx(30.0)


def test_a_change_is_followed() -> None:
    found = begin(100_000, 10)
    now, left = 0.0, 100_010
    for seconds in (5.0, 20.0):
        for _ in range(100):
            now, left = now + seconds, left - 10
            found = found.after(QueueDepth(left - 10, 10), now_seconds=now)
        assert found.seconds == pytest.approx(seconds, rel=0.1)
