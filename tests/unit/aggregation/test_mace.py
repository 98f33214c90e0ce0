from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import Mace, MajorityVote, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError

VOTES = {"item": ["a", "b"], "annotator": ["x", "x"], "label": ["0", "1"]}


def test_the_first_step_is_its_closed_form() -> None:
    """Item a is of class 0, and x answers 0: by a start of one half, x knew it with 1/2 / (1/2 + 1/4)."""
    votes = VoteMatrix.from_table({"item": ["a"], "annotator": ["x"], "label": ["0"]}, classes=["0", "1"])
    model = Mace(max_iterations=1, knowing=1.0, guessing=1.0, habit=1.0, class_prior="uniform")
    fit = model.fit(votes, gold={"a": "0"})
    knows, habit = (1 + 2 / 3) / 3, (1 + 1 / 3) / (2 + 1 / 3)
    confusion = [
        [knows + (1 - knows) * habit, (1 - knows) * (1 - habit)],
        [(1 - knows) * habit, 1 - (1 - knows) * habit],
    ]
    np.testing.assert_allclose(fit.reliability_["x"].confusion, confusion, rtol=1e-12)
    assert fit.reliability_["x"].accuracy == pytest.approx((confusion[0][0] + confusion[1][1]) / 2)


def test_the_objective_is_below_the_evidence() -> None:
    """One vote: P(z = l) is 1/2 by symmetry, for any prior."""
    votes = VoteMatrix.from_table({"item": ["a"], "annotator": ["x"], "label": ["0"]}, classes=["0", "1"])
    fit = Mace(class_prior="uniform", tolerance=1e-12, max_iterations=1000).fit(votes)
    assert math.log(0.5) - 0.5 < fit.objective_[-1] < math.log(0.5)


def test_guessing_habits_and_competence_are_recovered() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    knows = np.array([0.9, 0.7, 0.5, 0.2, 0.8])
    habits = rng.dirichlet(np.full(3, 2.0), 5)
    rows = []
    for annotator in range(5):
        guesses = rng.choice(3, 3000, p=habits[annotator])
        answers = np.where(rng.random(3000) < knows[annotator], truth, guesses)
        rows += [(f"{j:04d}", f"a{annotator}", int(answers[j])) for j in range(3000)]
    fit = Mace().fit(dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True)))
    want = knows[:, None, None] * np.eye(3) + ((1 - knows)[:, None] * habits)[:, None, :]
    np.testing.assert_allclose(fit.reliability_.confusion, want, atol=0.04)


def test_annotators_who_always_say_the_same_do_not_outvote_those_who_know() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 300)
    answers = {f"good{i}": np.where(rng.random(300) < 0.85, truth, 1 - truth) for i in range(4)}
    answers |= {f"lazy{i}": np.zeros(300, int) for i in range(3)}
    rows = [(f"{j:03d}", name, int(given[j])) for j in range(300) for name, given in answers.items()]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit, majority = Mace().fit(votes), MajorityVote().fit(votes)
    assert (fit.answers_ == truth).mean() > (majority.answers_ == truth).mean() + 0.05
    assert max(fit.reliability_[f"lazy{i}"].accuracy for i in range(3)) < 0.6


def test_votes_are_split_by_weight(make_crowd: Callable[..., Any]) -> None:
    frame = make_crowd(1).build().frame()
    doubled = {**frame, "weight": [2.0] * len(frame["item"])}
    assert Mace().fit(doubled).confidence_.mean() > Mace().fit(frame).confidence_.mean()


@pytest.mark.parametrize("name", ["knowing", "guessing", "habit"])
def test_a_prior_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"{name}: 0.0: must be above 0"):
        Mace(**{name: 0.0}).fit(VOTES)
