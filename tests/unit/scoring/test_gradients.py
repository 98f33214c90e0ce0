"""Strategies on the last layer's gradients, against gradients that are really made."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from labelplane_scoring.strategies import Badge, Candidates, ExpectedGradientLength


def gradient_embeddings(p: Any, h: Any) -> Any:
    a = p.copy()
    a[np.arange(len(p)), p.argmax(axis=1)] -= 1
    return (a[:, :, None] * h[:, None, :]).reshape(len(p), -1)


def materialised_badge(p: Any, h: Any, n: int, rng: np.random.Generator) -> list[int]:
    """k-means++ seeding on gradients that are made, with the same draws as the strategy."""
    g = gradient_embeddings(p, h)
    lengths = np.linalg.norm(g, axis=1)
    assert (lengths == lengths.max()).sum() == 1, "the reference leaves ties to the strategy"
    rng.permutation(np.empty(0))
    rng.permutation(1)
    picks = [int(lengths.argmax())]
    nearest = np.full(len(p), np.inf)
    while len(picks) < n:
        nearest = np.minimum(nearest, ((g - g[picks[-1]]) ** 2).sum(axis=1))
        sums = np.cumsum(nearest)
        picks.append(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")))
    return picks


@pytest.mark.parametrize("size", [25, 1024, 2500])
@pytest.mark.parametrize("seed", range(4))
def test_badge_equals_seeding_on_materialised_gradients(pool: Any, size: int, seed: int) -> None:
    arrays = pool.sized(size).seeded(seed).arrays()
    selection = Badge().query(Candidates(**arrays), 20, rng=np.random.default_rng(seed))
    want = materialised_badge(arrays["probabilities"], arrays["embeddings"], 20, np.random.default_rng(seed))
    assert selection.indices.tolist() == want


def test_badge_scores_are_distances_between_gradients(pool: Any, rng: np.random.Generator) -> None:
    arrays = pool.arrays()
    selection = Badge().query(Candidates(**arrays), 15, rng=rng)
    g = gradient_embeddings(arrays["probabilities"], arrays["embeddings"])[selection.indices]
    want = [np.linalg.norm(g[0])] + [np.linalg.norm(g[:t] - g[t], axis=1).min() for t in range(1, 15)]
    np.testing.assert_allclose(selection.scores, want, rtol=1e-6)


def test_badge_leaves_items_without_a_gradient_to_the_end(pool: Any) -> None:
    arrays = pool.arrays()
    arrays["probabilities"][10:] = np.eye(4)[0]
    for seed in range(30):
        picks = Badge().query(Candidates(**arrays), 20, rng=np.random.default_rng(seed)).indices
        # One of the certain items stands for all: its gradient, zero, is a place of its own.
        assert set(range(10)) <= set(picks[:11].tolist())


def test_badge_draws_by_squared_distance() -> None:
    # Gradients lie on a line at 8, 0, 6 and 7 (times the root of a half): distances 8, 2 and 1 from the first pick.
    p = np.full((4, 2), 0.5)
    h = np.array([[16.0], [0.0], [12.0], [14.0]])
    draws = [
        int(Badge().query(Candidates(probabilities=p, embeddings=h), 2, rng=np.random.default_rng(s)).indices[1])
        for s in range(2000)
    ]
    counts = np.bincount(draws, minlength=4) / 2000
    np.testing.assert_allclose(counts, [0, 64 / 69, 4 / 69, 1 / 69], atol=0.03)


def test_badge_stays_within_the_pool_at_the_edges_of_a_draw(pool: Any) -> None:
    badge = import_module("labelplane_scoring.strategies.badge")
    arrays = pool.sized(3000).arrays()
    seeding = badge._Seeding(arrays["probabilities"], arrays["embeddings"])
    seeding.add(0)
    assert seeding.row_at(0.0) == 1
    assert seeding.row_at(1.0) == 2999
    assert seeding.row_at(np.nextafter(1.0, 0.0)) == 2999


def test_expected_gradient_length_equals_the_sum_over_labels(pool: Any) -> None:
    arrays = pool.arrays()
    p, h = arrays["probabilities"], arrays["embeddings"]
    with_bias = np.concatenate([h, np.ones((len(h), 1))], axis=1)
    want = [
        sum(p[i, y] * np.linalg.norm(np.outer(p[i] - np.eye(4)[y], with_bias[i])) for y in range(4))
        for i in range(len(p))
    ]
    np.testing.assert_allclose(ExpectedGradientLength().scores(Candidates(**arrays)), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("row", "feature", "want"),
    [([1.0, 0.0], [3.0], 0.0), ([0.5, 0.5], [0.0], np.sqrt(0.5)), ([0.5, 0.5], [np.sqrt(7.0)], 2.0)],
    ids=["certain", "bias-only", "uniform"],
)
def test_expected_gradient_length_has_its_closed_form(row: Any, feature: Any, want: Any) -> None:
    candidates = Candidates(probabilities=np.array([row]), embeddings=np.array([feature]))
    assert ExpectedGradientLength().scores(candidates)[0] == pytest.approx(want, abs=1e-12)


def test_uncompiled_kernels_give_what_compiled_ones_do(pool: Any) -> None:
    kernels = import_module("labelplane_scoring.strategies._kernels")
    arrays = pool.arrays()
    p, h = arrays["probabilities"], arrays["embeddings"]
    out = np.empty(40)
    kernels.expected_gradient_rows.py_func(p, h, out)
    np.testing.assert_allclose(out, ExpectedGradientLength().scores(Candidates(**arrays)), rtol=1e-12)
    g = gradient_embeddings(p, h)
    norms, labels = np.empty((40, 2)), p.argmax(axis=1)
    kernels.gradient_norms.py_func(p, h, labels, norms)
    np.testing.assert_allclose(norms[:, 1], np.linalg.norm(g, axis=1), rtol=1e-9)
    nearest, sums = np.full(40, np.inf), np.empty(1)
    for pick in (3, 8):
        kernels.nearest_gradient_blocks.py_func(p, h, labels, norms, pick, 0, 1, nearest, sums)
    want = np.minimum(((g - g[3]) ** 2).sum(axis=1), ((g - g[8]) ** 2).sum(axis=1))
    np.testing.assert_allclose(nearest, want, atol=1e-9)
    assert sums[0] == pytest.approx(want.sum())
