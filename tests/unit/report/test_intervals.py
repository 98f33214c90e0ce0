import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane_report.data import Interval
from labelplane_report.errors import BadReportData
from labelplane_report.intervals import proportion, wilson_interval


@pytest.mark.parametrize(
    ("right", "total", "want_low", "want_high"),
    [
        # The published examples of R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        pytest.param(81, 263, 0.2553, 0.3662, id="a middling share of many"),
        pytest.param(15, 148, 0.0624, 0.1605, id="a small share"),
        pytest.param(0, 20, 0.0, 0.1611, id="none of a few"),
        pytest.param(1, 29, 0.0061, 0.1718, id="one of a few"),
    ],
)
def test_wilson_agrees_with_published_intervals(right: int, total: int, want_low: float, want_high: float) -> None:
    found = wilson_interval(right, total)
    assert (round(found.low, 4), round(found.high, 4)) == (want_low, want_high)


def test_wilson_covers_the_share_that_it_estimates_nineteen_times_in_twenty() -> None:
    draws = np.random.default_rng(5).binomial(200, 0.9, size=2000)
    intervals = {int(right): wilson_interval(int(right), 200) for right in set(draws.tolist())}
    covered = np.mean([intervals[int(right)].low <= 0.9 <= intervals[int(right)].high for right in draws])
    assert 0.93 <= covered <= 0.97


@given(total=st.integers(1, 10_000), data=st.data())
def test_an_interval_holds_its_share_and_mirrors_when_right_and_wrong_change_places(
    total: int, data: st.DataObject
) -> None:
    right = data.draw(st.integers(0, total))
    found, mirrored = wilson_interval(right, total), wilson_interval(total - right, total)
    assert 0 <= found.low <= right / total <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-9)


def test_more_confidence_makes_a_wider_interval() -> None:
    narrow, wide = wilson_interval(80, 100, confidence=0.8), wilson_interval(80, 100, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("right", "total", "confidence"),
    [
        pytest.param(1, 0, 0.95, id="of nothing"),
        pytest.param(3, 2, 0.95, id="more right than there are"),
        pytest.param(-1, 2, 0.95, id="fewer than none"),
        pytest.param(1, 2, 1.0, id="certainty"),
        pytest.param(float("nan"), 2, 0.95, id="not a number"),
    ],
)
def test_numbers_without_an_interval_are_refused(right: float, total: float, confidence: float) -> None:
    with pytest.raises(BadReportData):
        wilson_interval(right, total, confidence=confidence)


def test_a_proportion_of_nothing_is_none() -> None:
    assert proportion(0, 0) is None


def test_a_proportion_carries_its_share_and_its_interval() -> None:
    found = proportion(3, 4)
    assert found is not None
    assert (found.share, found.interval) == (0.75, wilson_interval(3, 4))


def test_an_interval_that_is_upside_down_is_refused() -> None:
    with pytest.raises(BadReportData, match=r"0\.6 to 0\.5"):
        Interval(0.6, 0.5)
