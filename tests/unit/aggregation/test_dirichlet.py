from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation.models import _gamma_kernels
from labelplane_aggregation.models._dirichlet import Dirichlets

EULER = 0.57721566490153286


@pytest.mark.parametrize(
    "digamma", [_gamma_kernels.digamma, _gamma_kernels.digamma.py_func], ids=["compiled", "python"]
)
@pytest.mark.parametrize(
    ("value", "want"),
    [
        pytest.param(1.0, -EULER, id="one"),
        pytest.param(0.5, -EULER - 2 * math.log(2), id="a half"),
        pytest.param(0.25, -math.pi / 2 - 3 * math.log(2) - EULER, id="a quarter"),
        pytest.param(10.0, sum(1 / k for k in range(1, 10)) - EULER, id="ten"),
        pytest.param(1e-9, -1e9 - EULER, id="nearly zero"),
        pytest.param(1e9, math.log(1e9) - 0.5e-9, id="large"),
    ],
)
def test_digamma_has_its_known_values(digamma: Any, value: float, want: float) -> None:
    assert digamma(value) == pytest.approx(want, rel=1e-14)


def test_without_counts_a_distribution_is_its_prior() -> None:
    flat = Dirichlets(np.ones(3), 2)
    np.testing.assert_allclose(flat.expected_log, -1.5)
    np.testing.assert_allclose(flat.mean, 1 / 3)
    assert flat.divergence() == 0.0


def test_the_divergence_of_a_beta_is_its_integral() -> None:
    learned = Dirichlets(np.array([1.0, 1.0]), 1)
    learned.count(np.array([[2.0, 1.0]]))
    p = (np.arange(100_000) + 0.5) / 100_000
    density = 12 * p**2 * (1 - p)
    assert learned.divergence() == pytest.approx(np.mean(density * np.log(density)), abs=1e-6)
    np.testing.assert_allclose(learned.expected_log[0, 0], np.mean(density * np.log(p)), atol=1e-6)
    np.testing.assert_allclose(learned.mean, [[0.6, 0.4]])


@pytest.mark.parametrize("learn", [_gamma_kernels.learn, _gamma_kernels.learn.py_func], ids=["compiled", "python"])
def test_rows_learn_by_themselves(learn: Any) -> None:
    """Dirichlet(2, 1) against (1, 1): E log p is -1/2 and -3/2, the divergence log 2 - 1/2; row 2 is its prior."""
    prior, pseudo = np.ones((2, 2)), np.array([[2.0, 1.0], [1.0, 1.0]])
    expected, divergences = np.empty((2, 2)), np.empty(2)
    learn(prior, pseudo, expected, divergences)
    np.testing.assert_allclose(expected, [[-0.5, -1.5], [-1.0, -1.0]], rtol=1e-13)
    np.testing.assert_allclose(divergences, [math.log(2) - 0.5, 0.0], rtol=1e-13)
