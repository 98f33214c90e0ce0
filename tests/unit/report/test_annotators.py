import numpy as np
import pytest
from report_tables import make_reliabilities

from labelplane_core.errors import BadTable
from labelplane_report.annotators import annotator_rows, suspicion
from labelplane_report.data import Interval, Suspicion
from labelplane_report.intervals import wilson_interval

CLASSES = ("cat", "dog")
EVEN = (50.0, 50.0)
GOOD = [[0.9, 0.1], [0.1, 0.9]]


def test_the_least_accurate_annotator_comes_first_and_equal_ones_keep_their_order() -> None:
    table = make_reliabilities([("x", 0.9, 10, GOOD), ("b", 0.4, 10, GOOD), ("a", 0.9, 10, GOOD)])
    assert [row.annotator for row in annotator_rows(table, classes=CLASSES, class_shares=EVEN)] == ["b", "x", "a"]


def test_chance_and_bias_agree_with_a_loop_over_the_cells() -> None:
    rng = np.random.default_rng(3)
    confusions, shares = rng.dirichlet(np.ones(4), size=(5, 4)), rng.dirichlet(np.ones(4))
    classes = ("a", "b", "c", "d")
    table = make_reliabilities(
        [(f"n{number}", 0.5, 10_000, matrix.tolist()) for number, matrix in enumerate(confusions)]
    )
    for row in annotator_rows(table, classes=classes, class_shares=tuple(1000 * shares)):
        matrix = confusions[int(row.annotator[1:])]
        answers = [sum(shares[true] * matrix[true][answer] for true in range(4)) for answer in range(4)]
        assert row.chance == pytest.approx(sum(a * b for a, b in zip(answers, shares, strict=True)))
        excess = [answer - share for answer, share in zip(answers, shares, strict=True)]
        if max(excess) > 0.05:
            assert row.bias is not None
            assert (row.bias.class_name, row.bias.excess) == (
                classes[int(np.argmax(excess))],
                pytest.approx(max(excess)),
            )
        else:
            assert row.bias is None


def test_bias_of_few_votes_is_noise() -> None:
    leaning = [[1.0, 0.0], [0.3, 0.7]]
    few, many = (
        annotator_rows(make_reliabilities([("a", 0.8, votes, leaning)]), classes=CLASSES, class_shares=EVEN)[0]
        for votes in (10, 1000)
    )
    assert few.bias is None
    assert many.bias is not None
    assert many.bias.class_name == "cat"


def test_confusions_in_counts_say_the_same_as_in_shares() -> None:
    counts = [[90.0, 10.0], [5.0, 45.0]]
    shares = [[0.9, 0.1], [0.1, 0.9]]
    first, second = (
        annotator_rows(make_reliabilities([("a", 0.9, 150, matrix)]), classes=CLASSES, class_shares=EVEN)
        for matrix in (counts, shares)
    )
    assert first == second


def test_an_annotator_without_votes_has_no_interval() -> None:
    empty = [[0.0, 0.0], [0.0, 0.0]]
    row = annotator_rows(make_reliabilities([("a", 0.5, 0, empty)]), classes=CLASSES, class_shares=EVEN)[0]
    assert (row.interval, row.suspicion, row.chance) == (None, Suspicion.TOO_FEW_VOTES, 0.5)


def test_the_interval_is_that_of_the_estimated_accuracy() -> None:
    row = annotator_rows(make_reliabilities([("a", 0.85, 40, GOOD)]), classes=CLASSES, class_shares=EVEN)[0]
    assert row.interval == wilson_interval(34, 40)


@pytest.mark.parametrize(
    ("interval", "chance", "want"),
    [
        pytest.param(Interval(0.8, 0.9), 0.1, None, id="good"),
        pytest.param(Interval(0.05, 0.18), 0.1, Suspicion.RANDOM, id="at chance"),
        pytest.param(Interval(0.14, 0.31), 0.1, Suspicion.RANDOM, id="drawn to the crowd, yet far below it"),
        pytest.param(Interval(0.01, 0.05), 0.1, Suspicion.WORSE_THAN_RANDOM, id="below chance"),
        pytest.param(Interval(0.05, 0.7), 0.1, Suspicion.TOO_FEW_VOTES, id="could be anything"),
        pytest.param(Interval(0.3, 0.6), 0.1, None, id="weak, but not at random"),
        pytest.param(Interval(0.45, 0.6), 0.5, Suspicion.RANDOM, id="two classes, a coin"),
        pytest.param(None, 0.5, Suspicion.TOO_FEW_VOTES, id="no votes"),
    ],
)
def test_suspicion_follows_from_the_interval_and_chance(
    interval: Interval | None, chance: float, want: Suspicion | None
) -> None:
    assert suspicion(interval, chance=chance) is want


def test_a_confusion_of_another_size_is_refused() -> None:
    with pytest.raises(BadTable, match="4 values for 3 classes"):
        annotator_rows(make_reliabilities([("a", 0.9, 1, GOOD)]), classes=("a", "b", "c"), class_shares=(1, 1, 1))


def test_an_accuracy_that_is_no_share_names_the_annotator() -> None:
    with pytest.raises(BadTable, match=r"'eve' has accuracy 1\.2"):
        annotator_rows(make_reliabilities([("eve", 1.2, 1, GOOD)]), classes=CLASSES, class_shares=EVEN)


def test_no_annotators_give_no_rows() -> None:
    assert annotator_rows(make_reliabilities([]), classes=CLASSES, class_shares=(0, 0)) == ()
