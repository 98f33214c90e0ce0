from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import DawidSkene, MajorityVote, OneCoin, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError

VOTES = {"item": ["a", "b"], "annotator": ["x", "x"], "label": ["0", "1"]}


def test_the_sparse_fit_is_the_textbook_loop(make_crowd: Callable[..., Any]) -> None:
    crowd = make_crowd(4).items(40, votes=3).annotators(8).classes(3).accuracy(0.5, 0.9).build()
    votes = VoteMatrix.from_table({**crowd.frame(), "weight": np.random.default_rng(0).uniform(0.5, 2, 120)})
    rows = list(zip(votes.items, votes.annotators, votes.answers, votes.weights, strict=True))
    posterior = votes.shares()
    mean = (sum(w * posterior[j, z] for j, _, z, w in rows) + 1) / (votes.weights.sum() + 2)
    for _ in range(6):
        hits, counts = np.full(8, 2 * mean + 1e-9), np.full(8, 2 + 2e-9)
        for item, annotator, answer, weight in rows:
            hits[annotator] += weight * posterior[item, answer]
            counts[annotator] += weight
        accuracy = hits / counts
        share = (posterior.sum(axis=0) + 1) / (40 + 3)
        posterior = np.tile(share, (40, 1))
        for item, annotator, answer, weight in rows:
            right = accuracy[annotator]
            posterior[item] *= np.where(np.arange(3) == answer, right, (1 - right) / 2) ** weight
        evidence = posterior.sum(axis=1)
        posterior /= evidence[:, None]
    penalty = (2 * mean + 1e-9) * np.log(accuracy) + (2 * (1 - mean) + 1e-9) * np.log(1 - accuracy)
    fit = OneCoin(max_iterations=6, tolerance=0.0).fit(votes)
    np.testing.assert_allclose(fit.posterior_, posterior, rtol=1e-9)
    np.testing.assert_allclose(fit.reliability_.accuracy, accuracy, rtol=1e-9)
    assert fit.log_likelihood_[-1] == pytest.approx(np.log(evidence).sum(), rel=1e-12)
    assert fit.objective_[-1] == pytest.approx(np.log(evidence).sum() + penalty.sum() + np.log(share).sum(), rel=1e-12)


def test_known_items_give_the_accuracies_in_closed_form() -> None:
    rows = [(f"i{j}", "x", "0" if j < 6 else "1") for j in range(8)]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit = OneCoin(shrinkage_mass=0.0).fit(votes, gold=dict.fromkeys(votes["item"], "0"))
    assert fit.reliability_["x"].accuracy == pytest.approx(6 / 8)
    shares = np.array([8 + 1, 1]) / 10
    np.testing.assert_allclose(fit.class_prior_, shares)
    assert fit.log_likelihood_[-1] == pytest.approx(8 * np.log(0.9) + 6 * np.log(0.75) + 2 * np.log(0.25))


def test_errors_are_spread_evenly(make_crowd: Callable[..., Any]) -> None:
    entry = OneCoin().fit(make_crowd(1).classes(5).build().frame()).reliability_["annotator-0001"]
    np.testing.assert_allclose(
        entry.confusion - np.diag(np.diagonal(entry.confusion)), (1 - np.eye(5)) * entry.confusion[0, 1]
    )
    np.testing.assert_allclose(np.diagonal(entry.confusion), entry.accuracy)


def test_it_outdoes_full_matrices_and_majority_on_few_votes(make_crowd: Callable[..., Any]) -> None:
    errors = np.zeros(3)
    models = (OneCoin(), DawidSkene(), MajorityVote())
    for seed in range(20):
        crowd = make_crowd(seed).items(100, votes=3).annotators(15, spammers=4).classes(8).accuracy(0.6, 0.9).build()
        votes = VoteMatrix.from_table(crowd.frame(), classes=crowd.classes)
        errors += [crowd.error(model.fit(votes).answers_) / 20 for model in models]
    assert errors[0] < errors[1] - 0.005
    assert errors[0] < errors[2] - 0.02


@pytest.mark.parametrize(
    ("given_settings", "want"), [({"shrinkage_mass": -1.0}, "shrinkage_mass"), ({"smoothing": 0.0}, "smoothing.*above")]
)
def test_settings_out_of_bounds_are_refused(given_settings: dict[str, float], want: str) -> None:
    with pytest.raises(InvalidSettingError, match=want):
        OneCoin(**given_settings).fit(VOTES)
