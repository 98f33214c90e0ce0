from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import MajorityVote, WeightedMajorityVote
from labelplane_aggregation.errors import InvalidSettingError

DISPUTED = {"item": ["a"] * 3, "annotator": ["x", "y", "z"], "label": ["1", "0", "0"]}


def test_given_weights_decide_and_others_count_one() -> None:
    fit = WeightedMajorityVote(weights={"x": 3.0, "not here": 9.0}).fit(DISPUTED)
    np.testing.assert_allclose(fit.posterior_, [[2 / 5, 3 / 5]])


def test_weight_zero_silences_an_annotator() -> None:
    fit = WeightedMajorityVote(weights={"y": 0.0, "z": 0.0}).fit(DISPUTED)
    np.testing.assert_allclose(fit.posterior_, [[0.0, 1.0]])


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_out_of_bounds_are_refused_by_name(weight: float) -> None:
    with pytest.raises(InvalidSettingError, match="weights: 'y'"):
        WeightedMajorityVote(weights={"y": weight}).fit(DISPUTED)


@pytest.mark.parametrize("rounds", [0, 101])
def test_rounds_out_of_bounds_are_refused(rounds: int) -> None:
    with pytest.raises(InvalidSettingError, match="rounds"):
        WeightedMajorityVote(rounds=rounds).fit(DISPUTED)


def test_one_round_weighs_by_agreement_with_majority() -> None:
    """Ten clear items: x and y are with the many on all, z on half. Then one item that is z against x."""
    rows = [(f"i{j}", who, "0" if who != "z" or j % 2 else "1") for j in range(10) for who in "xyz"]
    rows += [("last", "x", "0"), ("last", "z", "1")]
    columns = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit = WeightedMajorityVote(rounds=1).fit(columns)
    overall = (25 + 1) / (30 + 2)
    x, z = (10 + 2 * overall) / 12, (5 + 2 * overall) / 12
    np.testing.assert_allclose(fit.posterior_[-1], [x / (x + z), z / (x + z)])


def test_weights_beat_counting_where_annotators_differ(make_crowd: Callable[..., Any]) -> None:
    crowd = make_crowd(0).items(600, votes=5).annotators(20, spammers=8).classes(4).accuracy(0.6, 0.9).build()
    weighted, counted = WeightedMajorityVote().fit(crowd.frame()), MajorityVote().fit(crowd.frame())
    assert crowd.error(weighted.answers_) < crowd.error(counted.answers_) - 0.05


def test_gold_teaches_the_weights(make_crowd: Callable[..., Any]) -> None:
    """Six of nine answer at random and outnumber the others: gold tells who is who."""
    crowd = make_crowd(1).items(300, votes=5).annotators(9, spammers=6).classes(3).accuracy(0.95).build()
    fit = WeightedMajorityVote().fit(crowd.frame(), gold=crowd.gold(100))
    alone = WeightedMajorityVote().fit(crowd.frame())
    assert (fit.answers_ != crowd.truth)[100:].mean() <= (alone.answers_ != crowd.truth)[100:].mean()
    accuracy = fit.reliability_.accuracy
    assert accuracy[:6].max() < accuracy[6:].min()
