"""A fit that goes on from an earlier one when votes have come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import Auto, Blend, DawidSkene, Glad, Mace, MinimaxEntropy, OneCoin, VariationalBayes

MODELS: dict[str, Any] = {
    "DawidSkene": DawidSkene,
    "OneCoin": OneCoin,
    "Mace": Mace,
    "Glad": Glad,
    "VariationalBayes": VariationalBayes,
    "MinimaxEntropy": MinimaxEntropy,
    "Blend": Blend,
    "Blend alone": partial(Blend, own_mass=None),
}


@pytest.fixture
def batches(make_crowd: Callable[..., Any]) -> tuple[dict[str, list[str]], dict[str, list[str]], Any]:
    """Votes on 300 items, then the same with 30 items, and an annotator, more."""
    crowd = make_crowd(4).items(330, votes=5).annotators(12, spammers=2).classes(4).accuracy(0.55, 0.9).build()
    frame = crowd.frame()
    early = [item < 300 and annotator != 11 for item, annotator in zip(crowd.items, crowd.annotators, strict=True)]
    first = {name: [value for value, kept in zip(column, early, strict=True) if kept] for name, column in frame.items()}
    return first, frame, crowd


@pytest.mark.parametrize("name", list(MODELS))
class TestEveryModel:
    def test_going_on_gives_the_labels_of_beginning_anew(self, name: str, batches: Any) -> None:
        first, frame, _ = batches
        model = MODELS[name]()
        went_on, anew = model.fit(frame, start=model.fit(first)), model.fit(frame)
        assert not anew.continued_
        assert (went_on.answers_ == anew.answers_).mean() >= 0.98
        np.testing.assert_allclose(went_on.reliability_.accuracy, anew.reliability_.accuracy, atol=0.02)
        assert went_on.objective_[-1] >= anew.objective_[-1] - 1e-3 * abs(anew.objective_[-1])

    def test_other_classes_are_begun_anew(self, name: str, batches: Any) -> None:
        _, frame, _ = batches
        model = MODELS[name]()
        other = model.fit({**frame, "label": [label.replace("class", "kind") for label in frame["label"]]})
        fit = model.fit(frame, start=other)
        assert not fit.continued_
        np.testing.assert_array_equal(fit.posterior_, model.fit(frame).posterior_)


@pytest.mark.parametrize("name", ["DawidSkene", "OneCoin", "VariationalBayes", "Blend", "Blend alone"])
def test_a_start_that_leads_to_a_worse_end_is_left(name: str, batches: Any) -> None:
    """In the earlier fit the classes of the confusions' rows are exchanged, two by two."""
    _, frame, _ = batches
    model = MODELS[name]()
    anew = model.fit(frame)
    found = anew.reliability_
    exchanged = type(found)(
        found.annotator_ids,
        accuracy=found.accuracy,
        confusion=found.confusion[:, [1, 0, 3, 2]],
        n_votes=found.n_votes,
    )
    fit = model.fit(frame, start=replace(anew, reliability_=exchanged))
    assert not fit.continued_
    np.testing.assert_allclose(fit.posterior_, anew.posterior_, atol=1e-9)


def test_going_on_with_a_few_more_votes_takes_fewer_iterations(batches: Any) -> None:
    first, frame, _ = batches
    went_on = DawidSkene(tolerance=1e-5).fit(frame, start=DawidSkene().fit(first))
    anew = DawidSkene(tolerance=1e-5).fit(frame)
    assert went_on.n_iter_ <= anew.n_iter_


def test_auto_goes_on_and_weighs_anew(batches: Any) -> None:
    first, frame, crowd = batches
    before = Auto().fit(first)
    fit = Auto().fit(frame, start=before)
    assert fit.selection_ is not None
    assert before.selection_ is not None
    assert dict(fit.selection_.weights) == pytest.approx(dict(Auto().fit(frame).selection_.weights))  # type: ignore[union-attr]
    assert crowd.error(fit.answers_) <= crowd.error(Auto().fit(frame).answers_) + 0.01
