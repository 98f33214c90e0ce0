"""Coefficients of agreement against published worked examples, definitions, and what they must not depend on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import (
    VoteMatrix,
    cohen_kappa,
    cohen_kappas,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
)
from labelplane_aggregation.errors import InvalidSettingError, InvalidVotesError
from labelplane_aggregation.models import _pair_kernels

# Krippendorff (2011), section C: four observers, twelve units, five values, missing data.
OBSERVERS = ["123321412...", "1233224125.3", ".333234225 1.".replace(" ", ""), "1233244125 1.".replace(" ", "")]

# Fleiss' kappa worked out in full for ten subjects, fourteen raters, five categories: 0.210.
FOURTEEN_RATERS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def table_of(rows: Any) -> dict[str, list[Any]]:
    return dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))


def observers() -> dict[str, list[Any]]:
    return table_of(
        (f"u{unit:02d}", "ABCD"[observer], value)
        for observer, line in enumerate(OBSERVERS)
        for unit, value in enumerate(line)
        if value != "."
    )


def raters_by_counts(counts: list[list[int]]) -> dict[str, list[Any]]:
    rows = []
    for subject, row in enumerate(counts):
        answers = np.repeat(np.arange(len(row)), row)
        rows += [(f"s{subject:02d}", f"r{rater:02d}", int(answer)) for rater, answer in enumerate(answers)]
    return table_of(rows)


def two_raters(table: list[list[int]]) -> dict[str, list[Any]]:
    cells = [(a, b) for a, row in enumerate(table) for b, count in enumerate(row) for _ in range(count)]
    return table_of((f"{j:04d}", name, answers[i]) for j, answers in enumerate(cells) for i, name in enumerate("xy"))


@pytest.mark.parametrize(("level", "want"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_krippendorffs_example(level: str, want: float) -> None:
    alpha = krippendorff_alpha(observers(), level=level)
    assert alpha.value == pytest.approx(want, abs=5e-4)
    assert alpha.n_items == 11
    assert alpha.low < alpha.value < alpha.high


def test_fleiss_kappa_is_that_of_the_worked_example() -> None:
    assert fleiss_kappa(raters_by_counts(FOURTEEN_RATERS)).value == pytest.approx(0.210, abs=5e-4)


def test_kappa_and_ac1_of_krippendorffs_example_are_those_of_gwets_software() -> None:
    """irrCAC, data set raw4raters: 0.76117 and 0.77544."""
    assert fleiss_kappa(observers()).value == pytest.approx(0.76117, abs=5e-6)
    assert gwet_ac1(observers()).value == pytest.approx(0.77544, abs=5e-6)


def test_ac1_stays_high_where_kappa_fails() -> None:
    """Gwet (2002): 118 of 125 items are in the same cell; kappa -0.0234, AC1 0.9408."""
    votes = two_raters([[118, 5], [2, 0]])
    assert gwet_ac1(votes).value == pytest.approx(0.9408, abs=5e-5)
    assert cohen_kappa(votes, "x", "y").value == pytest.approx(-0.0234, abs=5e-5)


def test_cohen_kappa_is_that_of_the_textbook_table() -> None:
    votes = two_raters([[20, 5], [10, 15]])
    kappa = cohen_kappa(votes, "x", "y")
    assert kappa.value == pytest.approx(0.4)
    assert kappa.n_items == 50
    assert kappa.low < 0.4 < kappa.high
    matrix = cohen_kappas(votes)
    np.testing.assert_allclose(matrix.kappa, [[1.0, 0.4], [0.4, 1.0]])
    np.testing.assert_array_equal(matrix.n_items, 50)


def test_alpha_is_its_definition_over_all_pairs_of_values(make_crowd: Callable[..., Any]) -> None:
    frame = make_crowd(0).items(30, votes=4).classes(5).build().frame()
    frame = {key: values[:-3] for key, values in frame.items()}  # the last item has one vote
    numbers = np.array([0.0, 1.0, 4.0, 4.5, -2.0])
    votes = VoteMatrix.from_table(frame)
    values = [numbers[votes.answers[b:e]] for b, e in zip(votes.offsets[:-1], votes.offsets[1:], strict=True)]
    pairable = [each for each in values if len(each) > 1]
    observed = sum(np.square(each[:, None] - each).sum() / (len(each) - 1) for each in pairable)
    everything = np.concatenate(pairable)
    expected = np.square(everything[:, None] - everything).sum() / (len(everything) - 1)
    alpha = krippendorff_alpha(votes, level="interval", values=numbers)
    assert alpha.value == pytest.approx(1 - observed / expected, rel=1e-12)


def test_pairwise_kappas_are_those_of_the_pairs(make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(1).items(80, votes=3).annotators(5).classes(3).build().frame())
    matrix = cohen_kappas(votes)
    names = matrix.annotator_ids.to_pylist()
    for i, one in enumerate(names):
        for j, other in enumerate(names[:i]):
            single = cohen_kappa(votes, one, other, n_resamples=0)
            assert matrix.kappa[i, j] == matrix.kappa[j, i] == pytest.approx(single.value)
            assert matrix.n_items[i, j] == single.n_items
            assert math.isnan(single.low)


def test_the_pair_kernel_does_in_python_what_it_does_compiled(make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(1).items(20, votes=3).annotators(5).classes(3).build().frame())
    weights = np.where(np.arange(60) % 7, 1.0, 0.0)
    results = []
    for kernel in (_pair_kernels.count_pairs, _pair_kernels.count_pairs.py_func):
        agreeing, said = np.zeros((5, 5), np.int64), np.zeros((5, 5, 3))
        kernel(votes.offsets, votes.annotators, votes.answers, weights, agreeing, said)
        results.append((agreeing, said))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert results[0][1].sum() < 60 * 3


COEFFICIENTS = [
    pytest.param(krippendorff_alpha, id="alpha"),
    pytest.param(lambda votes, **rest: krippendorff_alpha(votes, level="ordinal", **rest), id="ordinal alpha"),
    pytest.param(lambda votes, **rest: krippendorff_alpha(votes, level="interval", **rest), id="interval alpha"),
    pytest.param(fleiss_kappa, id="Fleiss"),
    pytest.param(gwet_ac1, id="AC1"),
    pytest.param(lambda votes, **rest: cohen_kappa(votes, "x", "y", **rest), id="Cohen"),
]


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
class TestEveryCoefficient:
    def test_full_agreement_is_one(self, coefficient: Any) -> None:
        found = coefficient(two_raters([[7, 0, 0], [0, 4, 0], [0, 0, 2]]))
        assert found.value == pytest.approx(1.0)
        assert (found.low, found.high) == pytest.approx((1.0, 1.0))

    def test_votes_at_random_agree_as_chance_does(self, coefficient: Any) -> None:
        answers = np.random.default_rng(0).integers(0, 3, (4000, 2))
        found = coefficient(table_of((j, "xy"[i], int(answers[j, i])) for j in range(4000) for i in range(2)))
        assert found.value == pytest.approx(0.0, abs=0.05)
        assert found.low < 0.0 < found.high or abs(found.value) < 0.03

    def test_an_interval_is_seeded_and_wider_with_fewer_items(self, coefficient: Any) -> None:
        large, small = two_raters([[80, 20], [40, 60]]), two_raters([[8, 2], [4, 6]])
        assert coefficient(large, seed=3) == coefficient(large, seed=3)
        assert coefficient(large, seed=3).low != coefficient(large, seed=4).low
        widths = [found.high - found.low for found in (coefficient(large), coefficient(small))]
        assert widths[0] < widths[1] / 2

    def test_an_interval_holds_its_coverage(self, coefficient: Any) -> None:
        """The standard error of kappa for this table is 0.0605 (Fleiss, Cohen and Everitt 1969): 95 % is +- 0.12."""
        found = coefficient(two_raters([[80, 20], [40, 60]]), n_resamples=4000)
        assert found.high - found.low == pytest.approx(2 * 1.96 * 0.063, rel=0.12)
        narrow = coefficient(two_raters([[80, 20], [40, 60]]), confidence=0.5)
        assert found.low < narrow.low < narrow.high < found.high

    def test_one_class_only_leaves_it_undefined(self, coefficient: Any) -> None:
        found = coefficient(table_of((str(j), name, "0") for j in range(5) for name in "xy"))
        assert all(math.isnan(value) for value in (found.value, found.low, found.high))

    def test_items_of_one_vote_leave_it_undefined(self, coefficient: Any) -> None:
        found = coefficient(table_of([("a", "x", "0"), ("b", "y", "1")]))
        assert math.isnan(found.value)
        assert found.n_items == 0

    def test_votes_without_weight_count_nothing_and_others_alike(self, coefficient: Any) -> None:
        votes = two_raters([[20, 5], [10, 15]])
        count = len(votes["item"])
        noisy = {key: [*values, extra] for (key, values), extra in zip(votes.items(), ("0000", "z", 1), strict=True)}
        weighted = {**noisy, "weight": [2.5] * count + [0.0]}
        assert coefficient(weighted).value == pytest.approx(coefficient(votes).value)

    @pytest.mark.parametrize(
        ("given_settings", "want"),
        [({"n_resamples": -1}, "n_resamples"), ({"confidence": 1.0}, "confidence"), ({"confidence": math.nan}, "conf")],
    )
    def test_settings_out_of_bounds_are_refused(
        self, coefficient: Any, given_settings: dict[str, Any], want: str
    ) -> None:
        with pytest.raises(InvalidSettingError, match=want):
            coefficient(two_raters([[2, 1], [1, 2]]), **given_settings)

    def test_votes_that_cannot_be_read_are_refused(self, coefficient: Any) -> None:
        with pytest.raises(InvalidVotesError):
            coefficient({"item": []})


def test_the_order_of_classes_matters_to_ordinal_alpha_alone() -> None:
    frame = observers()
    ordered, shuffled = (VoteMatrix.from_table(frame, classes=list(order)) for order in ("12345", "31524"))
    assert krippendorff_alpha(ordered).value == pytest.approx(krippendorff_alpha(shuffled).value)
    assert krippendorff_alpha(ordered, level="ordinal").value > krippendorff_alpha(shuffled, level="ordinal").value


def test_interval_alpha_does_not_change_with_origin_and_unit() -> None:
    values = np.arange(5.0)
    one, other = (krippendorff_alpha(observers(), level="interval", values=v) for v in (values, 1e6 + 0.01 * values))
    assert one.value == pytest.approx(other.value, rel=1e-6)


def test_annotators_who_share_no_item_have_no_kappa() -> None:
    matrix = cohen_kappas(table_of([("a", "x", "0"), ("b", "y", "1"), ("c", "x", "1")]))
    assert math.isnan(matrix.kappa[0, 1])
    assert matrix.n_items.tolist() == [[2, 0], [0, 1]]


def test_one_class_in_all_leaves_ac1_undefined_with_items_of_two_votes() -> None:
    votes = VoteMatrix.from_table(table_of([("a", "x", "0"), ("a", "y", "0")]), classes=["0", "1"])
    assert gwet_ac1(votes).value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "want"),
    [
        pytest.param(lambda v: krippendorff_alpha(v, level="ratio"), "level: 'ratio'.*nominal", id="unknown level"),
        pytest.param(lambda v: krippendorff_alpha(v, level="interval", values=[1.0]), "2 classes", id="few values"),
        pytest.param(
            lambda v: krippendorff_alpha(v, level="interval", values=[1.0, math.nan]), "finite", id="NaN value"
        ),
        pytest.param(lambda v: cohen_kappa(v, "x", "nobody"), "'nobody' has no vote", id="unknown annotator"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call: Any, want: str) -> None:
    with pytest.raises(InvalidSettingError, match=want):
        call(two_raters([[2, 1], [1, 2]]))


def test_a_table_too_large_for_all_pairs_is_refused() -> None:
    rows = table_of((str(j), str(j), str(j % 30)) for j in range(2000))
    with pytest.raises(InvalidSettingError, match="2000 annotators x 30 classes"):
        cohen_kappas(rows)
