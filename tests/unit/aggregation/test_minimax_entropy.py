from __future__ import annotations

import numpy as np
import pytest

from labelplane_aggregation import MajorityVote, MinimaxEntropy, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models import _minimax_kernels


def crowd_with_hard_items(seed: int) -> tuple[VoteMatrix, np.ndarray]:
    """300 items x 9 votes, 3 classes, annotators who know 0 to 0.9; on a third of the items half of that."""
    rng = np.random.default_rng(seed)
    truth, is_hard = rng.integers(0, 3, 300), rng.random(300) < 1 / 3
    items, annotators = np.repeat(np.arange(300), 9), np.tile(np.arange(9), 300)
    right = rng.random(len(items)) < np.linspace(0.0, 0.9, 9)[annotators] * np.where(is_hard, 0.5, 1.0)[items]
    answers = np.where(right, truth[items], rng.integers(0, 3, len(items)))
    frame = {
        "item": [f"{j:03d}" for j in items],
        "annotator": [f"a{i}" for i in annotators],
        "label": [str(k) for k in answers],
    }
    return VoteMatrix.from_table(frame), truth


def test_votes_on_hard_items_are_weighed_by_who_gave_them() -> None:
    errors = np.zeros(2)
    for seed in range(3):
        votes, truth = crowd_with_hard_items(seed)
        errors += [(model.fit(votes).answers_ != truth).mean() / 3 for model in (MinimaxEntropy(), MajorityVote())]
    assert errors[0] < errors[1] - 0.03


@pytest.mark.parametrize("pull", [0.0, -1.0, float("nan"), float("inf")])
def test_a_pull_out_of_bounds_is_refused(pull: float) -> None:
    with pytest.raises(InvalidSettingError, match="pull"):
        MinimaxEntropy(pull=pull).fit({"item": ["a"], "annotator": ["x"], "label": ["0"]})


def test_a_firm_pull_makes_everybody_like_the_crowd() -> None:
    votes, _ = crowd_with_hard_items(0)
    fit = MinimaxEntropy(pull=1e6).fit(votes)
    counts = np.zeros((300, 3))
    np.add.at(counts, (votes.items, votes.answers), 1.0)
    clear = np.sort(counts, axis=1)[:, -1] > np.sort(counts, axis=1)[:, -2] + 2
    np.testing.assert_array_equal(fit.answers_[clear], counts[clear].argmax(axis=1))


def test_a_step_climbs_to_where_the_gradient_vanishes() -> None:
    """One annotator, one item of a known class, answers 0, 0, 1: the table settles at the penalised maximum."""
    own, others, mean = np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), np.zeros((2, 2))
    votes = (np.array([0, 0, 1], np.int32), np.ones(3), np.zeros(3, np.int32), np.array([[1.0, 0.0]]))
    where = (0, 1, np.array([0, 3]), np.arange(3), np.zeros(3, np.int32), *votes)
    _minimax_kernels.climb_rows(*where, others, mean, 0.5, 500, own)
    shares = np.exp(own[0, 0]) / np.exp(own[0, 0]).sum()
    np.testing.assert_allclose(np.array([2.0, 1.0]) - 3.0 * shares - 0.5 * own[0, 0], 0.0, atol=1e-9)
    np.testing.assert_array_equal(own[0, 1], 0.0)
