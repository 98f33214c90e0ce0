from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import Auto, DawidSkene, Mace, MajorityVote, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models import auto

FEW = {"item": ["a", "a", "b"], "annotator": ["x", "y", "x"], "label": ["0", "1", "0"]}


def table_of(rows: Any) -> dict[str, list[Any]]:
    return dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))


def skewed_and_ordinal(n_items: int) -> tuple[dict[str, list[Any]], Any]:
    """Three items of four are of class 0; 7 of 15 annotators vote, right with 0.4 to 0.8, else mostly one class off."""
    rng = np.random.default_rng(0)
    truth = rng.choice(5, n_items, p=[0.76, 0.06, 0.06, 0.06, 0.06])
    near = np.exp(-1.5 * np.abs(np.arange(5)[:, None] - np.arange(5))) * (1 - np.eye(5))
    right = rng.uniform(0.4, 0.8, 15)[:, None, None]
    confusion = (1 - right) * near / near.sum(axis=1, keepdims=True) + right * np.eye(5)
    items = np.repeat(np.arange(n_items), 7)
    annotators = np.argsort(rng.random((n_items, 15)), axis=1)[:, :7].ravel()
    steps = confusion[annotators, truth[items]].cumsum(axis=1)
    answers = (rng.random(len(items))[:, None] > steps).sum(axis=1).clip(max=4)
    return table_of(zip(map("{:04d}".format, items), annotators.tolist(), answers.tolist(), strict=True)), truth


def test_systematic_errors_in_many_votes_call_for_free_confusions() -> None:
    votes, truth = skewed_and_ordinal(800)
    fit = Auto().fit(votes)
    assert fit.selection_ is not None
    assert fit.selection_.chosen == "free"
    free = DawidSkene(shrinkage_mass=0.0, smoothing=1.0).fit(votes)
    np.testing.assert_array_equal(fit.posterior_, free.posterior_)
    assert (fit.answers_ != truth).mean() < (MajorityVote().fit(votes).answers_ != truth).mean() - 0.1


def test_few_votes_do_not_call_for_free_confusions(make_crowd: Callable[..., Any]) -> None:
    """60 items x 3 votes, 10 classes: free confusions err on 0.8 of them. All are alike, so majority is the best."""
    errors = np.zeros(2)
    for seed in range(20):
        crowd = make_crowd(seed).items(60, votes=3).annotators(15).classes(10).accuracy(0.7).build()
        votes = VoteMatrix.from_table(crowd.frame(), classes=crowd.classes)
        fit = Auto().fit(votes)
        assert fit.selection_ is not None
        assert fit.selection_.chosen != "free"
        errors += [crowd.error(fit.answers_) / 20, crowd.error(MajorityVote().fit(votes).answers_) / 20]
    assert errors[0] < errors[1] + 0.015


def test_annotators_who_always_say_the_same_call_for_mace() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 300)
    rows = []
    for annotator in range(20):
        chosen = rng.permutation(300)[:75]
        guesses = np.full(75, annotator % 6) if annotator < 8 else rng.integers(0, 6, 75)
        answers = np.where((annotator >= 8) & (rng.random(75) < 0.7), truth[chosen], guesses)
        rows += [(f"{j:03d}", f"a{annotator:02d}", int(k)) for j, k in zip(chosen, answers, strict=True)]
    votes = table_of(rows)
    fit = Auto().fit(votes)
    assert fit.selection_ is not None
    assert fit.selection_.chosen == "guessing"
    np.testing.assert_array_equal(fit.posterior_, Mace().fit(votes).posterior_)


def test_it_says_what_it_chose_and_why(make_crowd: Callable[..., Any]) -> None:
    selection = Auto().fit(make_crowd(0).build().frame()).selection_
    assert selection is not None
    assert set(selection.scores) == {"even", "shrunk", "free", "guessing"}
    assert selection.scores[selection.chosen] == max(selection.scores.values())
    assert selection.n_folds == 4
    assert selection.reason.startswith(f"{selection.chosen}: a held-out vote has mean log-likelihood -")
    assert all(f"{value:.4f}" in selection.reason for value in selection.scores.values())


def test_too_few_votes_are_not_held_out() -> None:
    selection = Auto().fit(FEW).selection_
    assert selection is not None
    assert (selection.chosen, selection.n_folds, dict(selection.scores)) == ("even", 0, {})
    assert "3 votes are too few" in selection.reason


def test_votes_without_any_weight_are_too_few() -> None:
    rows = [(str(j), name, "0") for j in range(10) for name in "xy"]
    fit = Auto().fit({**table_of(rows), "weight": [0.0] * 20})
    assert fit.selection_ is not None
    assert fit.selection_.n_folds == 0


def test_a_model_that_gives_no_choice_reports_none() -> None:
    assert DawidSkene().fit(FEW).selection_ is None


def test_every_vote_is_held_out_once_and_no_item_loses_more_than_its_share(make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(0).items(50, votes=5).build().frame())
    parts = np.array(list(auto._cut(votes, np.random.default_rng(3))))
    np.testing.assert_array_equal(parts.sum(axis=0), 1)
    for part in parts:
        assert np.bincount(votes.items[part], minlength=50).max() <= 2
        seen = auto._without(votes, part)
        assert seen.n_votes == votes.n_votes - part.sum()
        assert (seen.n_items, seen.n_annotators) == (50, votes.n_annotators)


def test_a_foretold_vote_has_the_mean_over_classes_of_its_confusion() -> None:
    votes = VoteMatrix.from_table({**FEW, "weight": [1.0, 1.0, 3.0]})
    fit = DawidSkene().fit(votes)
    entry = fit.reliability_["x"].confusion
    want = 3.0 * math.log(fit.posterior_[1] @ entry[:, 0])
    assert auto._foretell(fit, votes, np.array([False, False, True])) == pytest.approx(want)


def test_gold_and_item_priors_reach_the_chosen_model(make_crowd: Callable[..., Any]) -> None:
    crowd = make_crowd(2).build()
    prior = np.random.default_rng(0).dirichlet(np.ones(4), 60)
    fit = Auto().fit(crowd.frame(), gold=crowd.gold(10), item_prior=prior)
    assert fit.n_gold_ == 10
    np.testing.assert_allclose(fit.class_prior_, fit.posterior_.mean(axis=0))


@pytest.mark.parametrize("given_settings", [{"max_iterations": 0}, {"tolerance": -1.0}, {"class_prior": "flat"}])
def test_settings_out_of_bounds_are_refused(given_settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettingError, match=next(iter(given_settings))):
        Auto(**given_settings).fit(FEW)
