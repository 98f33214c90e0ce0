from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import Auto, Blend, DawidSkene, MajorityVote, OneCoin, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models import auto
from labelplane_aggregation.models._cutting import Cut, without

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


def test_systematic_errors_in_many_votes_call_for_more_than_one_coin() -> None:
    votes, truth = skewed_and_ordinal(800)
    fit = Auto().fit(votes)
    assert fit.selection_ is not None
    assert fit.selection_.weights["even"] < 1e-6
    error = (fit.answers_ != truth).mean()
    assert error < (OneCoin().fit(votes).answers_ != truth).mean() - 0.05
    assert error < (DawidSkene().fit(votes).answers_ != truth).mean() - 0.01
    assert error < (MajorityVote().fit(votes).answers_ != truth).mean() - 0.1


def test_errors_of_each_ones_own_in_many_votes_call_for_whole_confusions() -> None:
    """Every annotator takes one class for one other, each a different one; 12 annotators on 600 items."""
    rng = np.random.default_rng(0)
    confusion = np.tile(np.eye(5), (12, 1, 1)) * 0.9 + 0.02
    for rows in confusion:
        true, other = rng.choice(5, 2, replace=False)
        rows[true], rows[true, other] = 0.02, 0.92
    truth = rng.integers(0, 5, 600)
    annotators = np.argsort(rng.random((600, 12)), axis=1)[:, :8].ravel()
    items = np.repeat(np.arange(600), 8)
    steps = confusion[annotators, truth[items]].cumsum(axis=1)
    answers = (rng.random(len(items))[:, None] > steps).sum(axis=1).clip(max=4)
    votes = table_of(zip(map("{:04d}".format, items), annotators.tolist(), answers.tolist(), strict=True))
    fit = Auto().fit(votes)
    assert fit.selection_ is not None
    assert fit.selection_.chosen == "own"
    assert fit.selection_.weights["own"] > 0.999
    np.testing.assert_allclose(fit.posterior_, Blend().fit(votes).posterior_, atol=1e-6)
    assert (fit.answers_ != truth).mean() < 0.01


def test_few_votes_of_equals_are_counted_like_majority(make_crowd: Callable[..., Any]) -> None:
    """60 items x 3 votes, 10 classes: free confusions err on 0.8 of them. All are alike, so majority is the best."""
    errors = np.zeros(2)
    for seed in range(20):
        crowd = make_crowd(seed).items(60, votes=3).annotators(15).classes(10).accuracy(0.7).build()
        votes = VoteMatrix.from_table(crowd.frame(), classes=crowd.classes)
        fit = Auto().fit(votes)
        assert fit.selection_ is not None
        assert fit.selection_.weights["own"] < 0.5
        errors += [crowd.error(fit.answers_) / 20, crowd.error(MajorityVote().fit(votes).answers_) / 20]
    assert errors[0] < errors[1] + 0.01


def test_annotators_who_always_say_the_same_call_for_blends() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 300)
    rows = []
    for annotator in range(20):
        chosen = rng.permutation(300)[:75]
        guesses = np.full(75, annotator % 6) if annotator < 8 else rng.integers(0, 6, 75)
        answers = np.where((annotator >= 8) & (rng.random(75) < 0.7), truth[chosen], guesses)
        rows += [(f"{j:03d}", f"a{annotator:02d}", int(k)) for j, k in zip(chosen, answers, strict=True)]
    fit = Auto().fit(table_of(rows))
    assert fit.selection_ is not None
    assert fit.selection_.chosen == "blend"
    np.testing.assert_allclose(fit.reliability_["a03"].confusion[:, 3], 1.0, atol=0.1)
    assert fit.reliability_["a12"].accuracy > 0.6


def test_it_says_what_it_weighed_and_why(make_crowd: Callable[..., Any]) -> None:
    selection = Auto().fit(make_crowd(0).build().frame()).selection_
    assert selection is not None
    assert set(selection.scores) == set(selection.weights) == {"even", "blend", "own"}
    assert sum(selection.weights.values()) == pytest.approx(1.0)
    assert selection.weights[selection.chosen] == max(selection.weights.values())
    assert selection.n_folds == 4
    assert selection.reason.startswith(f"{selection.chosen}: a held-out vote has mean log-likelihood even -")
    assert all(f"{value:.4f}" in selection.reason for value in selection.scores.values())


def test_the_result_is_the_weighted_mean_of_the_models(make_crowd: Callable[..., Any]) -> None:
    votes = make_crowd(0).items(40, votes=3).build().frame()
    fit = Auto().fit(votes)
    assert fit.selection_ is not None
    models = {"even": OneCoin(), "blend": Blend(own_mass=None), "own": Blend()}
    fits = {name: model.fit(votes) for name, model in models.items()}
    assert 0.01 < fit.selection_.weights["even"] < 0.99
    want = sum(fit.selection_.weights[name] * each.posterior_ for name, each in fits.items())
    np.testing.assert_allclose(fit.posterior_, want, atol=1e-9)
    confusion = sum(fit.selection_.weights[name] * each.reliability_.confusion for name, each in fits.items())
    np.testing.assert_allclose(fit.reliability_.confusion, confusion, atol=1e-9)


def test_many_votes_are_held_out_once(make_crowd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = make_crowd(0).items(200, votes=4).build()
    monkeypatch.setattr(auto, "_ONE_FOLD_VOTES", 800)
    selection = Auto().fit(crowd.frame()).selection_
    assert selection is not None
    assert selection.n_folds == 1
    assert selection.scores["even"] == pytest.approx(-1.0, abs=0.4)


def test_too_few_votes_are_not_held_out() -> None:
    selection = Auto().fit(FEW).selection_
    assert selection is not None
    assert (selection.chosen, selection.n_folds, dict(selection.scores)) == ("even", 0, {})
    assert "3 votes are too few" in selection.reason


def test_confusions_that_need_too_much_memory_are_not_fitted_and_it_says_so(
    make_crowd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    votes = make_crowd(0).items(40, votes=3).annotators(15).classes(4).build().frame()
    monkeypatch.setattr(auto, "_MOST_CELLS", 15 * 16 - 1)
    fit = Auto().fit(votes)
    assert fit.selection_ is not None
    assert (fit.selection_.chosen, fit.selection_.n_folds) == ("even", 0)
    assert "15 annotators x 4 classes make confusions of 240 numbers, more than 239" in fit.selection_.reason
    np.testing.assert_array_equal(fit.posterior_, OneCoin().fit(votes).posterior_)


def test_items_that_nothing_tells_apart_are_cut_evenly() -> None:
    rows = [(f"i{j:02d}", "x", "0") for j in range(16)]
    fit = Auto().fit(table_of(rows))
    assert fit.selection_ is not None
    assert fit.selection_.n_folds == 4
    np.testing.assert_array_equal(
        [part.sum() for part in Cut(VoteMatrix.from_table(table_of(rows)), n_parts=4, seed=0)], 4
    )


def test_votes_without_any_weight_are_too_few() -> None:
    rows = [(str(j), name, "0") for j in range(10) for name in "xy"]
    fit = Auto().fit({**table_of(rows), "weight": [0.0] * 20})
    assert fit.selection_ is not None
    assert fit.selection_.n_folds == 0


def test_a_model_that_gives_no_choice_reports_none() -> None:
    assert DawidSkene().fit(FEW).selection_ is None


def test_every_vote_is_held_out_once_and_no_item_loses_more_than_its_share(make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(0).items(50, votes=5).build().frame())
    parts = np.array(list(Cut(votes, n_parts=4, seed=3)))
    np.testing.assert_array_equal(parts.sum(axis=0), 1)
    for part in parts:
        assert 30 < part.sum() < 95
        assert np.bincount(votes.items[part], minlength=50).max() <= 2
        seen = without(votes, part)
        assert seen.n_votes == votes.n_votes - part.sum()
        assert (seen.n_items, seen.n_annotators) == (50, votes.n_annotators)


def test_the_cut_follows_the_seed_and_not_the_names(make_crowd: Callable[..., Any]) -> None:
    frame = make_crowd(0).items(50, votes=5).build().frame()
    backwards = {name: [value[::-1] for value in column] for name, column in frame.items()}

    def parts(columns: dict[str, list[str]], seed: int) -> dict[tuple[str, str], int]:
        votes = VoteMatrix.from_table(columns)
        found = np.array(list(Cut(votes, n_parts=4, seed=seed))).argmax(axis=0)
        pairs = zip(votes.items.tolist(), votes.annotators.tolist(), found.tolist(), strict=True)
        return {(str(votes.item_ids[j]), str(votes.annotator_ids[i])): part for j, i, part in pairs}

    first = parts(frame, 0)
    assert {(item[::-1], name[::-1]): part for (item, name), part in parts(backwards, 0).items()} == first
    assert parts(frame, 1) != first


def test_a_foretold_vote_has_the_mean_over_classes_of_its_confusion() -> None:
    votes = VoteMatrix.from_table({**FEW, "weight": [1.0, 1.0, 3.0]})
    fit = DawidSkene().fit(votes)
    entry = fit.reliability_["x"].confusion
    want = [0.0, 3.0 * math.log(fit.posterior_[1] @ entry[:, 0])]
    np.testing.assert_allclose(auto._foretell(fit, votes, np.array([False, False, True])), want)


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
