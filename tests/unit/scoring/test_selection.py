from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelplane_scoring.strategies import top_n

FEW_VALUES = st.sampled_from([0.0, 1.0, 2.5, -3.0, 7.0])


@given(hnp.arrays(np.float64, st.integers(0, 700), elements=FEW_VALUES), st.integers(0, 40), st.integers(0, 9))
@settings(deadline=None, max_examples=200)
def test_the_picked_scores_are_the_largest_in_order(scores: Any, n: int, seed: int) -> None:
    rows = top_n(scores, n, rng=np.random.default_rng(seed))
    assert len(set(rows.tolist())) == len(rows) == min(n, len(scores))
    np.testing.assert_array_equal(scores[rows], np.sort(scores)[::-1][:n])


@pytest.mark.parametrize("size", [9_000, 9_001, 9_063])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_cut_loses_nothing(size: int, dtype: Any, rng: np.random.Generator) -> None:
    scores = rng.random(size).astype(dtype)
    scores[-1] = 2.0
    rows = top_n(scores, 50, rng=rng)
    np.testing.assert_array_equal(rows, np.argsort(-scores)[:50])


def test_a_tie_at_the_threshold_is_drawn_evenly_in_large_pools() -> None:
    scores = np.zeros(5_000)
    scores[::500] = 1.0
    scores[7] = 2.0
    counts = np.zeros(5_000)
    for seed in range(300):
        rows = top_n(scores, 4, rng=np.random.default_rng(seed))
        assert rows[0] == 7
        counts[rows[1:]] += 1
    # Three of ten tied rows: 90 of 300 runs each, standard deviation 7.9.
    assert counts[::500].min() > 58
    assert counts[::500].max() < 122


def test_ties_above_the_threshold_come_in_random_order() -> None:
    firsts = {int(top_n(np.array([1.0, 1.0, 1.0, 0.0]), 4, rng=np.random.default_rng(seed))[0]) for seed in range(50)}
    assert firsts == {0, 1, 2}
