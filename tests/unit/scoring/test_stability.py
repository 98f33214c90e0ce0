from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane_scoring.errors import BadRequestError
from labelplane_scoring.stability import Stability, cohen_kappa, equal_share, prediction_stability

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("previous", "current", "want_share", "want_kappa"),
    [
        ([0, 1, 2], [0, 1, 2], 1.0, 1.0),
        ([0, 1], [1, 0], 0.0, -1.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], 0.5, 0.0),
        ([0] * 9 + [1], [0] * 10, 0.9, 0.0),
        ([2, 2], [2, 2], 1.0, 1.0),
        (["cat", "dog", "dog", "dog"], ["cat", "dog", "dog", "cat"], 0.75, 0.5),
    ],
    ids=["equal", "opposed", "chance", "rare-class-lost", "one-class", "names"],
)
def test_agreement_has_its_closed_form(previous: Any, current: Any, want_share: float, want_kappa: float) -> None:
    measured = prediction_stability(previous, current)
    assert measured == Stability(equal_share=want_share, kappa=measured.kappa, items=len(previous))
    assert measured.kappa == pytest.approx(want_kappa)


def test_kappa_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    a = rng.integers(0, 6, 500)
    b = np.where(rng.random(500) < 0.7, a, rng.integers(0, 6, 500))
    assert cohen_kappa(a, b) == pytest.approx(metrics.cohen_kappa_score(a, b))


@given(PAIRS)
def test_agreement_is_symmetric_and_bounded(pairs: Any) -> None:
    a, b = np.array(pairs).T
    assert cohen_kappa(a, b) == pytest.approx(cohen_kappa(b, a))
    assert -1.0 - 1e-12 <= cohen_kappa(a, b) <= equal_share(a, b) + 1e-12


@given(PAIRS, st.permutations(range(5)))
def test_kappa_does_not_depend_on_the_names_of_classes(pairs: Any, names: list[int]) -> None:
    a, b = np.array(pairs).T
    assert cohen_kappa(np.array(names)[a], np.array(names)[b]) == pytest.approx(cohen_kappa(a, b))


@pytest.mark.parametrize(
    ("previous", "current", "want"),
    [([1], [1, 2], "shapes"), ([[1]], [[1]], "one vector for each round"), ([], [], "the stop set is empty")],
    ids=["two-lengths", "matrix", "empty"],
)
def test_predictions_that_cannot_be_compared_are_refused(previous: Any, current: Any, want: Any) -> None:
    with pytest.raises(BadRequestError, match=want):
        prediction_stability(previous, current)
