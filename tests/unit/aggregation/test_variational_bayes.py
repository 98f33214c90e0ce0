from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import DawidSkene, VariationalBayes, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError

VOTES = {"item": ["a", "b"], "annotator": ["x", "x"], "label": ["0", "1"]}


def digamma(value: float) -> float:
    step = 1e-5
    return (math.lgamma(value + step) - math.lgamma(value - step)) / (2 * step)


def test_known_items_give_the_matrix_and_the_evidence_in_closed_form() -> None:
    """With every class known the bound is the evidence: a Dirichlet-multinomial for each row of the matrix."""
    rows = [(f"i{j}", "x", answer) for j, answer in enumerate("00011")]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    gold = dict(zip(votes["item"], "00001", strict=True))
    fit = VariationalBayes(shrinkage_mass=0.0, smoothing=1.0, class_prior="uniform").fit(votes, gold=gold)
    np.testing.assert_allclose(fit.reliability_["x"].confusion, [[4 / 6, 2 / 6], [1 / 3, 2 / 3]])
    row_0 = math.lgamma(2) - math.lgamma(6) + math.lgamma(4) + math.lgamma(2)
    row_1 = math.lgamma(2) - math.lgamma(3) + math.lgamma(2)
    assert fit.objective_[-1] == pytest.approx(5 * math.log(0.5) + row_0 + row_1, rel=1e-12)


def test_one_step_is_bayes_rule_on_expected_logarithms() -> None:
    votes = VoteMatrix.from_table({"item": ["a"], "annotator": ["x"], "label": ["0"]}, classes=["0", "1"])
    model = VariationalBayes(max_iterations=1, shrinkage_mass=0.0, smoothing=1.0, class_prior="uniform")
    fit = model.fit(votes)
    weights = np.exp([digamma(2.0) - digamma(3.0), digamma(1.0) - digamma(2.0)])  # counts (1, 0), and none
    np.testing.assert_allclose(fit.posterior_[0], weights / weights.sum(), rtol=1e-8)


def test_the_bound_lies_below_the_evidence_of_all_assignments() -> None:
    """Two annotators, three items: the evidence is a sum over the 8 assignments of classes."""
    answers = np.array([[0, 0], [1, 0], [1, 1]])
    rows = [(str(j), str(i), str(answers[j, i])) for j in range(3) for i in range(2)]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit = VariationalBayes(shrinkage_mass=0.0, smoothing=1.0, class_prior="uniform", tolerance=0.0).fit(votes)
    evidence = 0.0
    for truth in product(range(2), repeat=3):
        log_joint = 3 * math.log(0.5)
        for annotator, true in product(range(2), range(2)):
            said = [answers[j, annotator] for j in range(3) if truth[j] == true]
            ones, zeros = sum(said), len(said) - sum(said)
            log_joint += math.lgamma(1 + ones) + math.lgamma(1 + zeros) - math.lgamma(2 + len(said))
        evidence += math.exp(log_joint)
    assert math.log(evidence) - 2.0 < fit.objective_[-1] < math.log(evidence)


def test_confusions_are_recovered(make_crowd: Callable[..., Any]) -> None:
    crowd = make_crowd(5).items(3000, votes=6).annotators(8, spammers=1).classes(3).accuracy(0.5, 0.9).build()
    fit = VariationalBayes().fit(crowd.frame())
    assert fit.converged_
    np.testing.assert_allclose(fit.reliability_.confusion, crowd.confusion, atol=0.06)


def test_with_many_votes_it_is_the_mode(make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(7).items(4000, votes=5).annotators(5).classes(2).build().frame())
    mean, mode = VariationalBayes(tolerance=1e-9).fit(votes), DawidSkene(tolerance=1e-9).fit(votes)
    assert np.abs(mean.posterior_ - mode.posterior_).max() < 0.03


def test_an_annotator_of_one_vote_says_less_than_one_of_many(make_crowd: Callable[..., Any]) -> None:
    """Both are always right; an item of the newcomer alone is left less certain."""
    rows = [(f"{j:02d}", name, str(j % 2)) for j in range(40) for name in ("old", "older")]
    rows += [("known", "old", "0"), ("unknown", "new", "0")]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit = VariationalBayes().fit(votes)
    confidence = dict(zip(fit.item_ids_.to_pylist(), fit.confidence_.tolist(), strict=True))
    assert confidence["unknown"] < confidence["known"]


@pytest.mark.parametrize(
    ("given_settings", "want"), [({"shrinkage_mass": -1.0}, "shrinkage_mass"), ({"smoothing": 0.0}, "smoothing.*above")]
)
def test_settings_out_of_bounds_are_refused(given_settings: dict[str, float], want: str) -> None:
    with pytest.raises(InvalidSettingError, match=want):
        VariationalBayes(**given_settings).fit(VOTES)
