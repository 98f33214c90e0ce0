"""What only the label model does: silence speaks, and copies count once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from labelplane_aggregation import Abstention, DawidSkene, LabelModel, MajorityVote, VoteMatrix
from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models import Copies, _copies

SILENT = -1
Table = NDArray[np.int64]


def matrix(table: Table, *, n_classes: int) -> VoteMatrix:
    """Make votes of (items, rules) answers, -1 where a rule is silent; every item is listed."""
    items, rules = np.nonzero(table != SILENT)
    offsets = np.concatenate([[0], np.cumsum((table != SILENT).sum(axis=1))])
    return VoteMatrix(
        items=items.astype(np.int32),
        annotators=rules.astype(np.int32),
        answers=table[items, rules].astype(np.int32),
        weights=np.ones(len(items)),
        offsets=offsets.astype(np.int64),
        item_ids=pa.array([f"i{row:05d}" for row in range(len(table))]),
        annotator_ids=pa.array([f"r{column:02d}" for column in range(table.shape[1])]),
        classes=pa.array([f"c{code}" for code in range(n_classes)]),
    )


def general_rules(truth: Table, accuracies: list[float], *, n_classes: int, coverage: float, seed: int) -> Table:
    """Rules that answer any class, on a share of the items drawn at random."""
    rng = np.random.default_rng(seed)
    table = np.full((len(truth), len(accuracies)), SILENT)
    for rule, accuracy in enumerate(accuracies):
        wrong = (truth + rng.integers(1, n_classes, len(truth))) % n_classes
        answers = np.where(rng.random(len(truth)) < accuracy, truth, wrong)
        table[:, rule] = np.where(rng.random(len(truth)) < coverage, answers, SILENT)
    return table


def narrow_rules(truth: Table, *, n_classes: int, each: int, seed: int) -> Table:
    """Rules that know one class: they vote on 40 % of its items and on 5 % of the others."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), each)
    rates = np.where(truth[:, None] == labels, 0.4, 0.05)
    return np.where(rng.random(rates.shape) < rates, labels, SILENT)


def right(fit: Any, truth: Table) -> float:
    return float((fit.answers_ == truth).mean())


def classes_of(n_items: int, shares: list[float], seed: int = 0) -> Table:
    return np.random.default_rng(seed).choice(len(shares), n_items, p=shares)


def test_known_items_teach_rates_and_a_new_item_gets_bayes_rule_with_silence_in_it() -> None:
    truth = np.repeat([0, 1], [600, 400])
    table = np.full((1001, 2), SILENT)
    table[:300, 0] = 0  # the first rule votes c0 on 300 of 600 and, wrongly, on 40 of 400
    table[600:640, 0] = 0
    table[400:430, 1] = 1  # the second votes c1 on 200 of 400 and, wrongly, on 30 of 600
    table[800:1000, 1] = 1
    table[1000, 0] = 0
    votes = matrix(table, n_classes=2)
    gold = {f"i{row:05d}": f"c{code}" for row, code in enumerate(truth)}
    model = LabelModel(class_prior=[0.6, 0.4], shrinkage_mass=1e-6, discount_copies=False, max_iterations=500)

    fit = model.fit(votes, gold=gold)

    # The one unknown item counts in the rates by its own posterior, a thousandth of them.
    joint = np.array([0.6 * 300 / 600 * (1 - 30 / 600), 0.4 * 40 / 400 * (1 - 200 / 400)])
    np.testing.assert_allclose(fit.posterior_[1000], joint / joint.sum(), atol=2e-3)
    assert fit.reliability_["r00"].accuracy == pytest.approx(300 / 340, abs=5e-3)
    assert fit.reliability_["r01"].accuracy == pytest.approx(200 / 230, abs=5e-3)


def test_rules_of_one_class_each_are_told_apart_by_their_silence() -> None:
    truth = classes_of(4000, [0.4, 0.3, 0.3])
    votes = matrix(narrow_rules(truth, n_classes=3, each=3, seed=1), n_classes=3)

    speaking = right(LabelModel().fit(votes), truth)

    assert speaking > right(MajorityVote().fit(votes), truth)
    assert speaking > right(LabelModel(abstention=Abstention.IGNORED).fit(votes), truth) + 0.2
    assert speaking > right(DawidSkene().fit(votes), truth) + 0.2


def test_ignored_silence_gives_what_confusions_give() -> None:
    truth = classes_of(3000, [0.6, 0.4])
    votes = matrix(general_rules(truth, [0.8, 0.7, 0.75, 0.9, 0.6], n_classes=2, coverage=0.6, seed=2), n_classes=2)

    ignored = LabelModel(abstention="ignored", discount_copies=False).fit(votes)

    same = (ignored.answers_ == DawidSkene().fit(votes).answers_).mean()
    assert same > 0.98  # what the priors are drawn to differs


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_copies_of_the_worst_rule_cost_nothing(noise: float) -> None:
    truth = classes_of(5000, [0.5, 0.5])
    rng = np.random.default_rng(3)
    table = general_rules(truth, [0.55, *np.linspace(0.6, 0.8, 9)], n_classes=2, coverage=0.8, seed=4)
    copies = np.repeat(table[:, :1], 6, axis=1)
    answers = np.where(rng.random(copies.shape) < 0.8, rng.integers(2, size=copies.shape), SILENT)
    copies = np.where(rng.random(copies.shape) < noise, answers, copies)
    copied = matrix(np.concatenate([table, copies], axis=1), n_classes=2)

    alone = right(LabelModel().fit(matrix(table, n_classes=2)), truth)

    assert right(LabelModel().fit(copied), truth) > alone - 0.01
    assert right(LabelModel(discount_copies=False).fit(copied), truth) < alone - 0.1


def test_exact_copies_share_one_vote_and_others_keep_theirs() -> None:
    truth = classes_of(5000, [0.5, 0.5])
    table = general_rules(truth, [0.7] * 8, n_classes=2, coverage=0.7, seed=5)
    table[:, 1:4] = table[:, :1]
    votes = matrix(table, n_classes=2)
    known = np.eye(2)[truth]
    counts = np.zeros((8, 2, 2))
    np.add.at(counts, (votes.annotators, votes.answers), known[votes.items])

    weights = Copies(votes).weights(counts, known.sum(axis=0))

    np.testing.assert_allclose(weights[:4], 1 / 4, rtol=0.02)
    np.testing.assert_array_equal(weights[4:], 1.0)


def test_rules_that_agree_because_they_are_right_are_no_copies() -> None:
    truth = classes_of(5000, [0.7, 0.3])
    table = general_rules(truth, [0.95] * 6, n_classes=2, coverage=0.9, seed=6)
    votes = matrix(table, n_classes=2)

    with_weights, without = LabelModel().fit(votes), LabelModel(discount_copies=False).fit(votes)

    np.testing.assert_allclose(with_weights.posterior_, without.posterior_, atol=1e-6)


def test_among_very_many_annotators_no_copies_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = classes_of(500, [0.5, 0.5])
    table = np.repeat(general_rules(truth, [0.7], n_classes=2, coverage=1.0, seed=7), 4, axis=1)
    votes = matrix(table, n_classes=2)
    monkeypatch.setattr(_copies, "_MOST_ANNOTATORS", 3)

    np.testing.assert_array_equal(Copies(votes).weights(np.zeros((4, 2, 2)), np.ones(2)), np.ones(4))


def test_a_vote_above_weight_one_is_one_vote() -> None:
    truth = classes_of(300, [0.5, 0.5])
    votes = matrix(general_rules(truth, [0.8, 0.7, 0.6], n_classes=2, coverage=0.5, seed=8), n_classes=2)
    heavy = replace(votes, weights=votes.weights * 7)

    np.testing.assert_array_equal(LabelModel().fit(heavy).posterior_, LabelModel().fit(votes).posterior_)


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({"abstention": "loud"}, "abstention: 'loud': must be one of informative, ignored"),
        ({"shrinkage_mass": 0.0}, "shrinkage_mass: 0.0: must be above 0"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(settings: dict[str, Any], want: str) -> None:
    with pytest.raises(InvalidSettingError, match=want):
        LabelModel(**settings).fit({"item": ["a"], "annotator": ["x"], "label": ["0"]})
