"""Density-weighted entropy and mutual information."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelplane_scoring.errors import BadProbabilitiesError, BadRequestError
from labelplane_scoring.strategies import Bald, Candidates, DensityWeighted
from labelplane_scoring.strategies.density import mean_cosine_similarity
from labelplane_scoring.uncertainty import entropy


def entropy_of(p: Any) -> Any:
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 8)), elements=st.floats(-100, 100, width=32))
)
@settings(deadline=None, max_examples=100)
def test_density_equals_the_mean_of_the_whole_similarity_matrix(x: Any) -> None:
    norms = np.linalg.norm(x, axis=1)
    units = x / np.where(norms > 1e-150, norms, np.inf)[:, None]
    usable = (norms == 0) | (norms > 1e-150)
    want = (units @ units.T).mean(axis=1)
    if usable.all():
        np.testing.assert_allclose(mean_cosine_similarity(x), want, atol=1e-12)


def test_density_is_the_same_over_several_chunks(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 800)).astype(np.float32) + 0.5
    units = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(mean_cosine_similarity(x)[:50], (units[:50] @ units.T).mean(axis=1), rtol=1e-9)


def test_density_does_not_depend_on_lengths(pool: Any) -> None:
    x = pool.arrays()["embeddings"]
    scale = np.arange(1, 41)[:, None]
    np.testing.assert_allclose(mean_cosine_similarity(x * scale), mean_cosine_similarity(x), rtol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_density_weighted_is_entropy_times_density_to_beta(pool: Any, beta: float) -> None:
    arrays = pool.arrays()
    units = arrays["embeddings"] / np.linalg.norm(arrays["embeddings"], axis=1, keepdims=True)
    density = np.maximum((units @ units.T).mean(axis=1), 0.0)
    want = entropy_of(arrays["probabilities"]) * density**beta
    np.testing.assert_allclose(DensityWeighted(beta=beta).scores(Candidates(**arrays)), want, atol=3e-6)


def test_an_uncertain_outlier_loses_against_an_uncertain_typical_item() -> None:
    p = np.full((5, 2), 0.5)
    x = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [1.0, 0.05], [-1.0, 0.0]])
    scores = DensityWeighted().scores(Candidates(probabilities=p, embeddings=x))
    assert scores[4] == 0.0
    assert scores[:4].min() > 0.3


@pytest.mark.parametrize("beta", [-1.0, np.nan, np.inf])
def test_a_beta_below_zero_or_not_finite_is_refused(beta: float, pool: Any) -> None:
    with pytest.raises(BadRequestError, match="beta is"):
        DensityWeighted(beta=beta).scores(pool.build())


def test_bald_equals_the_difference_of_entropies(pool: Any) -> None:
    samples = pool.arrays()["samples"]
    want = entropy_of(samples.mean(axis=0)) - entropy_of(samples).mean(axis=0)
    np.testing.assert_allclose(Bald().scores(Candidates(samples=samples)), want, atol=1e-12)


@pytest.mark.parametrize(
    ("samples", "want"),
    [
        ([[0.5, 0.5], [0.5, 0.5]], 0.0),
        ([[1.0, 0.0], [0.0, 1.0]], np.log(2)),
        ([[1.0, 0.0], [1.0, 0.0]], 0.0),
    ],
    ids=["agree-on-doubt", "certain-and-opposed", "certain-and-agreed"],
)
def test_bald_has_its_closed_form(samples: Any, want: Any) -> None:
    candidates = Candidates(samples=np.array(samples, dtype=np.float32)[:, None, :])
    assert Bald().scores(candidates)[0] == pytest.approx(want, abs=1e-12)


def test_bald_prefers_disagreement_where_entropy_cannot_tell(rng: np.random.Generator) -> None:
    doubt, dispute = np.array([[0.5, 0.5]] * 4), np.array([[0.99, 0.01], [0.01, 0.99]] * 2)
    samples = np.stack([doubt, dispute], axis=1)
    assert entropy(samples.mean(axis=0)).tolist() == pytest.approx([np.log(2)] * 2)
    assert Bald().query(Candidates(samples=samples), 1, rng=rng).indices.tolist() == [1]


def test_bald_refuses_a_single_pass(pool: Any, rng: np.random.Generator) -> None:
    with pytest.raises(BadRequestError, match="Bald got 1 samples of each item: it needs 2 or more"):
        Bald().query(Candidates(samples=pool.arrays()["samples"][:1]), 1, rng=rng)


def test_bald_names_the_sample_and_the_row(pool: Any, rng: np.random.Generator) -> None:
    samples = pool.arrays()["samples"]
    samples[3, 11, 0] = np.nan
    with pytest.raises(BadProbabilitiesError, match=r"sample 3: probabilities row 11 is NaN at class 0"):
        Bald().query(Candidates(samples=samples), 1, rng=rng)


def test_uncompiled_mutual_information_gives_what_the_compiled_one_does(pool: Any) -> None:
    kernels = import_module("labelplane_scoring.strategies._kernels")
    samples = pool.arrays()["samples"]
    out = np.empty(40)
    assert kernels.mutual_information_rows.py_func(samples, 0, 40, out) == -1
    np.testing.assert_allclose(out, Bald().scores(Candidates(samples=samples)), rtol=1e-12)
