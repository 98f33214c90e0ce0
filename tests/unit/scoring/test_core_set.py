from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelplane_scoring.errors import BadCandidatesError, BadRequestError
from labelplane_scoring.strategies import Candidates, CoreSet, KCenter


def naive_k_center(x: Any, n: int, *, start: Any = None, labelled: Any = None) -> tuple[list[int], list[float]]:
    """The plain loop in float64; ties are left to the caller to avoid."""
    x = x.astype(np.float64)
    centres = [] if labelled is None else list(labelled.astype(np.float64))
    picks, distances = [], []
    if not centres:
        picks, distances, centres = [start], [0.0], [x[start]]
    while len(picks) < n:
        nearest = np.min([np.linalg.norm(x - centre, axis=1) for centre in centres], axis=0)
        nearest[picks] = -1.0
        best = int(nearest.argmax())
        picks.append(best)
        distances.append(nearest[best])
        centres.append(x[best])
    return picks, distances


def features(shape: str, *, n: int = 700, d: int = 12, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    if shape == "clusters":
        x = 0.2 * x + 4 * rng.standard_normal((6, d))[rng.integers(0, 6, n)]
    if shape == "sparse":
        x = np.maximum(x - 1, 0)
    if shape == "heavy-tailed":
        x = x**3
    return x.astype(np.float32)


@pytest.mark.parametrize("shape", ["gaussian", "clusters", "sparse", "heavy-tailed"])
def test_lazy_picks_equal_the_plain_loop_from_a_start(shape: str, rng: np.random.Generator) -> None:
    x = features(shape)
    selection = CoreSet(start=5).query(Candidates(embeddings=x), 60, rng=rng)
    picks, distances = naive_k_center(x, 60, start=5)
    assert selection.indices.tolist() == picks
    np.testing.assert_allclose(selection.scores, distances, rtol=1e-9)


@pytest.mark.parametrize("shape", ["gaussian", "clusters", "sparse", "heavy-tailed"])
@pytest.mark.parametrize("labelled", [1, 40])
def test_lazy_picks_equal_the_plain_loop_from_labelled_items(
    shape: str, labelled: int, rng: np.random.Generator
) -> None:
    x, centres = features(shape), features(shape, n=labelled, seed=1)
    selection = CoreSet().query(Candidates(embeddings=x, labelled_embeddings=centres), 60, rng=rng)
    picks, distances = naive_k_center(x, 60, labelled=centres)
    assert selection.indices.tolist() == picks
    np.testing.assert_allclose(selection.scores, distances, rtol=1e-9)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.integers(-3, 3).map(float)),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=100)
def test_each_pick_is_a_farthest_item_even_among_ties(x: Any, seed: int) -> None:
    selection = KCenter().query(Candidates(embeddings=x), len(x), rng=np.random.default_rng(seed))
    for t in range(1, len(x)):
        done, rest = selection.indices[:t], selection.indices[t:]
        nearest = np.min(np.linalg.norm(x[rest][:, None] - x[done][None], axis=2), axis=1)
        assert selection.scores[t] == pytest.approx(nearest.max())
        assert nearest[0] == pytest.approx(nearest.max())


def test_scores_never_rise(pool: Any, rng: np.random.Generator) -> None:
    scores = CoreSet().query(pool.build(), 40, rng=rng).scores
    assert (np.diff(scores) <= 0).all()


def test_a_translated_pool_gives_the_same_picks() -> None:
    x = features("gaussian").astype(np.float64)
    picks = [CoreSet(start=1).query(Candidates(embeddings=y), 30, rng=np.random.default_rng(0)) for y in (x, x + 8)]
    np.testing.assert_array_equal(picks[0].indices, picks[1].indices)


def test_duplicates_are_covered_by_one_of_them(rng: np.random.Generator) -> None:
    x = np.repeat(np.eye(4), 5, axis=0)
    selection = KCenter().query(Candidates(embeddings=x), 4, rng=rng)
    assert sorted(selection.indices // 5) == [0, 1, 2, 3]


def test_a_cold_start_begins_anywhere(pool: Any) -> None:
    candidates = pool.sized(5).without_labelled().build()
    firsts = {int(KCenter().query(candidates, 1, rng=np.random.default_rng(seed)).indices[0]) for seed in range(60)}
    assert firsts == set(range(5))


def test_no_labelled_rows_are_a_cold_start(rng: np.random.Generator) -> None:
    x = features("gaussian")
    candidates = Candidates(embeddings=x, labelled_embeddings=np.empty((0, 12), np.float32))
    assert CoreSet(start=9).query(candidates, 3, rng=rng).indices[0] == 9


@pytest.mark.parametrize("start", [-1, 40])
def test_a_start_outside_the_pool_is_refused(start: int, pool: Any, rng: np.random.Generator) -> None:
    with pytest.raises(BadRequestError, match=f"start is row {start}: the pool has rows 0 to 39"):
        CoreSet(start=start).query(pool.without_labelled().build(), 2, rng=rng)


def test_a_labelled_embedding_that_is_not_finite_is_named(pool: Any, rng: np.random.Generator) -> None:
    arrays = pool.arrays()
    arrays["labelled_embeddings"][2, 0] = np.nan
    with pytest.raises(BadCandidatesError, match="labelled_embeddings row 2"):
        CoreSet().query(Candidates(**arrays), 2, rng=rng)


def test_half_precision_and_integer_features_are_converted(rng: np.random.Generator) -> None:
    x = np.arange(12).reshape(6, 2)
    for dtype in (np.float16, np.int64):
        assert CoreSet(start=0).query(Candidates(embeddings=x.astype(dtype)), 2, rng=rng).indices.tolist() == [0, 5]


def test_uncompiled_kernels_give_what_compiled_ones_do(rng: np.random.Generator) -> None:
    kernels = import_module("labelplane_scoring.strategies._kernels")
    x = features("clusters", n=300)
    want, _ = naive_k_center(x, 12, start=3)
    picks, scores = np.empty(12, np.int64), np.empty(12)
    kernels.k_center.py_func(x, np.empty((12, 12), np.float32), 0, 3, rng.permutation(300), picks, scores)
    assert picks.tolist() == want
    bounds, seen = np.full(300, np.inf), np.zeros(300, np.int64)
    best, bound, largest = kernels._scan_block.py_func(x, x[3:4], 1, 0, rng.permutation(300), bounds, seen, -1, -0.5)
    assert best == int(np.linalg.norm(x[:256] - x[3], axis=1).argmax())
    assert bound == largest == pytest.approx(kernels._squared_distance.py_func(x[best], x[3]))
    assert kernels._dot.py_func(x[0], x[1]) == pytest.approx(float(x[0] @ x[1]), rel=1e-5)
    assert kernels.first_row_not_finite.py_func(x) == -1
    x[9, 1] = np.nan
    assert kernels.first_row_not_finite.py_func(x) == 9
    assert kernels._is_better.py_func(1.0, 2, 1.0, 1)
