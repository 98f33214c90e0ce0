from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import Glad, MajorityVote, OneCoin, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models import _glad_kernels

VOTES = {"item": ["a", "b"], "annotator": ["x", "x"], "label": ["0", "1"]}
KINDS = [pytest.param(lambda kernel: kernel, id="compiled"), pytest.param(lambda kernel: kernel.py_func, id="python")]


def crowd_of_unequal_items(
    seed: int, *, n_items: int, n_votes: int, n_classes: int
) -> tuple[dict[str, list[Any]], Any, Any, Any]:
    """Votes, truth, abilities and eases, drawn from the model itself."""
    rng = np.random.default_rng(seed)
    truth, eases = rng.integers(0, n_classes, n_items), np.exp(rng.normal(0.0, 1.0, n_items))
    abilities = rng.normal(2.0, 1.0, 20)
    items = np.repeat(np.arange(n_items), n_votes)
    annotators = np.argsort(rng.random((n_items, 20)), axis=1)[:, :n_votes].ravel()
    odds = np.exp(abilities[annotators] * eases[items])
    is_right = rng.random(len(items)) < odds / (odds + n_classes - 1)
    wrong = (truth[items] + rng.integers(1, n_classes, len(items))) % n_classes
    answers = np.where(is_right, truth[items], wrong)
    frame = {
        "item": [f"{j:05d}" for j in items],
        "annotator": [f"a{i:02d}" for i in annotators],
        "label": answers.tolist(),
    }
    return frame, truth, abilities, eases


def test_known_items_of_one_ease_give_the_ability_in_closed_form() -> None:
    rows = [(f"i{j}", "x", "0" if j < 6 else "1") for j in range(8)]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    model = Glad(ability_spread=1e3, ease_spread=1e-6, tolerance=0.0)
    fit = model.fit(votes, gold=dict.fromkeys(votes["item"], "0"))
    assert fit.reliability_["x"].accuracy == pytest.approx(6 / 8, rel=1e-6)
    assert fit.log_likelihood_[-1] == pytest.approx(8 * np.log(0.9) + 6 * np.log(0.75) + 2 * np.log(0.25), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_expect_is_bayes_rule(kind: Callable[..., Any], make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(3).items(30, votes=3).annotators(6).classes(3).build().frame())
    rng = np.random.default_rng(0)
    abilities, eases, prior = rng.normal(size=6), rng.exponential(size=30), rng.dirichlet(np.ones(3), 30)
    weights = rng.random(90)
    joint = prior.copy()
    for item, annotator, answer, weight in zip(votes.items, votes.annotators, votes.answers, weights, strict=True):
        odds = np.exp(abilities[annotator] * eases[item] * (np.arange(3) == answer))
        joint[item] *= (odds / (np.exp(abilities[annotator] * eases[item]) + 2)) ** weight
    posterior, right, totals = np.empty((30, 3)), np.empty(90), np.zeros(3)
    given = (votes.offsets, votes.annotators, votes.answers, weights, abilities, eases, np.log(prior))
    gold = np.full(30, -1, np.int32)
    value = kind(_glad_kernels.expect)(0, 30, *given, gold, posterior, right, totals)
    assert value == pytest.approx(np.log(joint.sum(axis=1)).sum(), rel=1e-12)
    want = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(posterior, want, rtol=1e-10)
    np.testing.assert_allclose(right, want[votes.items, votes.answers], rtol=1e-10)
    np.testing.assert_allclose(totals, want.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log_others", [0.0, math.log(4)], ids=["two classes", "five classes"])
def test_newton_ends_where_the_slope_is_nothing(kind: Callable[..., Any], log_others: float) -> None:
    """Votes right with 0.9, 0.2, 0.7: the derivative of the penalised sum by its one number is 0 in the end."""
    right, weights, order = np.array([0.9, 0.2, 0.7]), np.array([1.0, 2.0, 0.5]), np.arange(3)
    offsets, partners, factors = np.array([0, 3]), np.arange(3, dtype=np.int32), np.array([0.5, 1.5, -1.0])
    where = (0, 1, offsets, order, partners, factors, weights, right, log_others)
    ability, log_ease = np.array([1.0]), np.array([0.0])
    for _ in range(25):
        kind(_glad_kernels.fit_abilities)(*where, 1.0, 0.8, ability)
        kind(_glad_kernels.fit_eases)(*where, 0.7, log_ease)

    def slope(scale: float) -> float:
        return float(weights * factors @ (right - 1 / (1 + np.exp(log_others - scale * factors))))

    assert slope(ability[0]) == pytest.approx((ability[0] - 1.0) / 0.64, abs=1e-7)
    ease = math.exp(log_ease[0])
    assert ease * slope(ease) == pytest.approx(log_ease[0] / 0.49, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.4, -1.0, 800.0], ids=["mild", "adversarial", "beyond what exp can hold"])
def test_survey_gives_the_sum_and_its_slopes(kind: Callable[..., Any], scale: float) -> None:
    order, partners = np.array([2, 0]), np.array([1, 0, 0], np.int32)
    factors, weights, right = np.array([1.5, -0.5]), np.array([2.0, 9.0, 1.0]), np.array([0.3, 9.0, 0.8])
    value, slope, bend = kind(_glad_kernels._survey)(order, partners, factors, weights, right, math.log(3), scale)
    factor, weight, share_right = factors[[0, 1]], weights[[2, 0]], right[[2, 0]]
    share = 1 / (1 + np.exp(math.log(3) - scale * factor))
    assert value == pytest.approx(weight @ (share_right * scale * factor - np.logaddexp(scale * factor, math.log(3))))
    assert slope == pytest.approx(weight @ (factor * (share_right - share)))
    assert bend == pytest.approx(-(weight @ (factor**2 * share * (1 - share))), abs=1e-12)
    mass = kind(_glad_kernels._log_odds_mass)(scale, math.log(3))
    assert mass == pytest.approx(np.logaddexp(scale, math.log(3)))


def test_a_move_that_helps_never_leaves_the_bound_of_eases() -> None:
    log_ease = np.array([0.0])
    votes = (np.array([0, 1]), np.arange(1), np.zeros(1, np.int32))
    for _ in range(50):
        _glad_kernels.fit_eases(0, 1, *votes, np.array([1e-12]), np.ones(1), np.ones(1), 0.0, 1e6, log_ease)
    assert 1.0 < log_ease[0] <= 30.0


def test_abilities_are_recovered_where_items_differ_in_ease() -> None:
    frame, truth, abilities, _ = crowd_of_unequal_items(0, n_items=1500, n_votes=8, n_classes=2)
    fit = Glad().fit(frame)
    assert (fit.answers_ == truth).mean() > (MajorityVote().fit(frame).answers_ == truth).mean()
    assert np.corrcoef(fit.reliability_.accuracy, 1 / (1 + np.exp(-abilities)))[0, 1] > 0.97


@pytest.mark.parametrize("n_classes", [2, 5])
def test_it_is_no_worse_than_one_coin_where_items_differ_in_ease(n_classes: int) -> None:
    errors = np.zeros(2)
    for seed in range(6):
        frame, truth, _, _ = crowd_of_unequal_items(seed, n_items=500, n_votes=6, n_classes=n_classes)
        errors += [(model.fit(frame).answers_ != truth).mean() / 6 for model in (Glad(), OneCoin())]
    assert errors[0] < errors[1] + 0.002


def test_its_confidence_says_which_items_are_hard() -> None:
    frame, _, _, eases = crowd_of_unequal_items(1, n_items=800, n_votes=8, n_classes=3)
    confidence = Glad().fit(frame).confidence_
    assert confidence[eases > 2].mean() > confidence[eases < 0.3].mean() + 0.1


def test_without_a_spread_of_eases_it_is_the_one_coin_model(make_crowd: Callable[..., Any]) -> None:
    frame = make_crowd(3).items(400, votes=5).annotators(10).classes(3).accuracy(0.5, 0.9).build().frame()
    coin = OneCoin(shrinkage_mass=0.0, tolerance=1e-10, max_iterations=500).fit(frame)
    glad = Glad(ability_spread=1e4, ease_spread=1e-5, tolerance=1e-10, max_iterations=500).fit(frame)
    np.testing.assert_allclose(glad.posterior_, coin.posterior_, atol=1e-3)
    assert glad.log_likelihood_[-1] == pytest.approx(coin.log_likelihood_[-1], abs=1e-3)


@pytest.mark.parametrize("name", ["ability_spread", "ease_spread"])
def test_a_spread_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"{name}: 0.0: must be above 0"):
        Glad(**{name: 0.0}).fit(VOTES)
