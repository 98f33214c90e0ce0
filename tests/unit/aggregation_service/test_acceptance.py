"""The bound on the risk of what the machine accepts: it holds, and it is not idle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_aggregation.acceptance import binomial_tail, choose_threshold, risk_bound


def test_tail_is_the_binomials() -> None:
    # Sums of exact terms: 0.9^3, and 1 - 0.1^3.
    assert binomial_tail(0, 3, 0.1) == pytest.approx(0.9**3)
    assert binomial_tail(2, 3, 0.1) == pytest.approx(1 - 0.1**3)
    assert binomial_tail(3, 3, 0.1) == 1.0


def test_bound_without_errors_is_the_rule_of_three() -> None:
    assert risk_bound(0, 100, confidence=0.95) == pytest.approx(1 - 0.05 ** (1 / 100), abs=1e-9)
    assert risk_bound(0, 0, confidence=0.95) == 1.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.integers(1, 200), st.sampled_from([0.8, 0.95]), st.sampled_from([0.02, 0.1, 0.3]))
def test_test_and_bound_say_the_same(errors: int, trials: int, confidence: float, risk: float) -> None:
    errors = min(errors, trials)
    is_under = risk_bound(errors, trials, confidence=confidence) <= risk
    assert is_under == (binomial_tail(errors, trials, risk) <= 1 - confidence)


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Items of an honest model: a label of confidence c is right with probability c."""
    confidence = 0.5 + 0.5 * rng.beta(2, 1, size=n)
    return confidence, rng.random(n) < confidence


def true_risk(threshold: float, *, rng: np.random.Generator) -> float:
    confidence, is_right = draw(rng, 200_000)
    return float(1 - is_right[confidence >= threshold].mean())


@pytest.mark.parametrize("n_gold", [60, 150, 600])
def test_risk_exceeds_the_bound_no_more_often_than_it_may(n_gold: int) -> None:
    rng, level, maximum = np.random.default_rng(5), 0.1, 0.1
    grid = {}
    broken = 0
    runs = 300
    for _ in range(runs):
        chosen = choose_threshold(*draw(rng, n_gold), maximum_risk=maximum, confidence=1 - level)
        if chosen is None:
            continue
        if chosen.confidence not in grid:
            grid[chosen.confidence] = true_risk(chosen.confidence, rng=np.random.default_rng(9))
        broken += grid[chosen.confidence] > maximum
    assert broken / runs <= level + 3 * np.sqrt(level * (1 - level) / runs)


def test_good_model_is_let_decide() -> None:
    rng = np.random.default_rng(1)
    confidence = np.concatenate([np.full(140, 0.999), rng.uniform(0.3, 0.6, 10)])
    is_right = np.concatenate([np.full(140, fill_value=True), np.zeros(10, dtype=bool)])
    chosen = choose_threshold(confidence, is_right, maximum_risk=0.05, confidence=0.95)
    assert chosen is not None
    assert chosen.gold - chosen.errors == 140
    assert 0.5 < chosen.confidence <= 0.999
    assert chosen.risk_bound <= 0.05


def test_one_early_error_does_not_end_the_search() -> None:
    confidence = np.linspace(0.9999, 0.9, 300)
    is_right = np.ones(300, dtype=bool)
    is_right[3] = False
    chosen = choose_threshold(confidence, is_right, maximum_risk=0.05, confidence=0.95)
    assert chosen is not None
    assert chosen.gold == 300


@pytest.mark.parametrize(
    ("n_gold", "right"), [(0, True), (10, True), (300, False)], ids=["no gold", "too little gold", "bad model"]
)
def test_nothing_is_accepted_with(n_gold: int, right: bool) -> None:
    confidence = np.full(n_gold, 0.99)
    is_right = np.full(n_gold, right)
    assert choose_threshold(confidence, is_right, maximum_risk=0.05, confidence=0.95) is None


def test_search_ends_at_the_first_threshold_that_fails() -> None:
    # 60 errors in the middle: further down so many are right that a test there would pass again.
    confidence = np.concatenate([np.full(100, 0.999), np.full(60, 0.9), np.full(2000, 0.6)])
    is_right = np.concatenate([np.ones(100, dtype=bool), np.zeros(60, dtype=bool), np.ones(2000, dtype=bool)])
    chosen = choose_threshold(confidence, is_right, maximum_risk=0.05, confidence=0.95)
    assert chosen is not None
    assert (chosen.gold, chosen.errors) == (100, 0)
