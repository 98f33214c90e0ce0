from __future__ import annotations

import numpy as np
import pytest

from labelplane_aggregation import MajorityVote

VOTES = {
    "item": ["a", "a", "a", "b", "b"],
    "annotator": ["x", "y", "z", "x", "y"],
    "label": ["0", "0", "1", "1", "1"],
}


def test_posterior_is_the_vote_shares() -> None:
    fit = MajorityVote().fit(VOTES)
    np.testing.assert_allclose(fit.posterior_, [[2 / 3, 1 / 3], [0.0, 1.0]])
    assert fit.labels_.to_pylist() == ["0", "1"]
    assert fit.converged_
    assert fit.n_iter_ == 0
    assert not len(fit.objective_)


@pytest.mark.parametrize(
    ("weights", "want"), [([1, 1, 1, 1, 1], "0"), ([1, 1, 2.5, 1, 1], "1"), ([0, 0, 1e-3, 1, 1], "1")]
)
def test_heavier_votes_win(weights: list[float], want: str) -> None:
    assert MajorityVote().fit({**VOTES, "weight": weights}).labels_[0].as_py() == want


def test_a_vote_of_weight_two_is_two_votes() -> None:
    doubled = {key: [*values, values[2]] for key, values in VOTES.items()}
    doubled["annotator"][-1] = "z's twin"
    weighted = {**VOTES, "weight": [1, 1, 2, 1, 1]}
    np.testing.assert_allclose(MajorityVote().fit(doubled).posterior_, MajorityVote().fit(weighted).posterior_)


def test_weights_that_sum_alike_up_to_rounding_are_a_tie() -> None:
    votes = {"item": ["a"] * 3, "annotator": ["x", "y", "z"], "label": ["0", "0", "1"], "weight": [0.1, 0.2, 0.3]}
    assert MajorityVote().fit(votes).ties_.tolist() == [True]


def test_accuracy_is_the_agreement_with_the_shares() -> None:
    reliability = MajorityVote().fit(VOTES).reliability_
    assert reliability["x"].accuracy == pytest.approx((2 / 3 + 1) / 2)
    assert reliability["z"].accuracy == pytest.approx(1 / 3)
