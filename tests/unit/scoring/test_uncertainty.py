import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelplane_scoring import threads, uncertainty
from labelplane_scoring.errors import BadProbabilitiesError, BadRequestError

MEASURES = [uncertainty.entropy, uncertainty.least_confidence, uncertainty.margin, uncertainty.check_probabilities]
# The bound that the docstring of entropy states.
STATED_ERROR = 2e-6


def exact_entropy(p: Any) -> Any:
    p = p.astype(np.float64)
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)


def random_rows(n: int, k: int, *, concentration: float = 1.0, dtype: Any = np.float32, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    p = rng.gamma(concentration, size=(n, k)) + 1e-300
    return (p / p.sum(axis=1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize(
    ("row", "entropy", "least_confidence", "margin"),
    [
        ([1.0, 0.0, 0.0, 0.0], 0.0, 0.0, 1.0),
        ([0.25, 0.25, 0.25, 0.25], np.log(4), 0.75, 0.0),
        ([0.5, 0.5, 0.0, -0.0], np.log(2), 0.5, 0.0),
        ([0.5, 0.25, 0.25, 0.0], 1.5 * np.log(2), 0.5, 0.25),
        ([1.0], 0.0, 0.0, 1.0),
    ],
    ids=["certain", "uniform", "tie-with-minus-zero", "half", "one-class"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measures_have_their_closed_forms(
    row: Any, entropy: Any, least_confidence: Any, margin: Any, dtype: Any
) -> None:
    p = np.array([row], dtype=dtype)
    assert uncertainty.entropy(p)[0] == pytest.approx(entropy, abs=1e-7)
    assert uncertainty.least_confidence(p)[0] == least_confidence
    assert uncertainty.margin(p)[0] == margin
    assert uncertainty.entropy(p).dtype == uncertainty.margin(p).dtype == dtype


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 17, 100, 1000, 2047, 2049, 10_000])
@pytest.mark.parametrize("concentration", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entropy_stays_within_its_stated_error_of_float64(classes: int, concentration: float, dtype: Any) -> None:
    p = random_rows(max(3, 60_000 // classes), classes, concentration=concentration, dtype=dtype)
    np.testing.assert_allclose(uncertainty.entropy(p), exact_entropy(p), rtol=0, atol=STATED_ERROR)


@pytest.mark.parametrize("classes", [2, 7, 100, 1000, 9999])
def test_entropy_of_uniform_rows_stays_within_its_stated_error(classes: int) -> None:
    p = np.full((5, classes), 1 / classes, dtype=np.float32)
    np.testing.assert_allclose(uncertainty.entropy(p), exact_entropy(p), rtol=0, atol=STATED_ERROR)


def test_the_logarithm_is_accurate_over_every_exponent() -> None:
    first = np.concatenate([np.logspace(-37, -0.001, 20_000), np.linspace(0.4, 1.0, 20_000)]).astype(np.float32)
    p = np.stack([first, 1 - first], axis=1)
    np.testing.assert_allclose(uncertainty.entropy(p), exact_entropy(p), rtol=0, atol=2e-7)


def test_subnormal_probabilities_count_as_nothing() -> None:
    p = np.array([[1.0, 1e-40]], dtype=np.float32)
    assert abs(uncertainty.entropy(p)[0]) < 1e-30


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 40)), elements=st.floats(-30, 30)))
@settings(deadline=None, max_examples=60)
def test_measures_agree_with_plain_numpy(logits: Any) -> None:
    p = uncertainty.softmax(logits)
    ordered = np.sort(np.concatenate([p, np.zeros((len(p), 1))], axis=1), axis=1)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(uncertainty.entropy(p), exact_entropy(p), rtol=0, atol=STATED_ERROR)
    np.testing.assert_array_equal(uncertainty.least_confidence(p), 1 - ordered[:, -1])
    np.testing.assert_array_equal(uncertainty.margin(p), ordered[:, -1] - ordered[:, -2])


@given(st.permutations(range(11)))
@settings(deadline=None, max_examples=30)
def test_measures_do_not_depend_on_the_order_of_the_classes(order: list[int]) -> None:
    p = random_rows(20, 11)
    np.testing.assert_allclose(uncertainty.entropy(p[:, order]), uncertainty.entropy(p), rtol=0, atol=STATED_ERROR)
    np.testing.assert_array_equal(uncertainty.margin(p[:, order]), uncertainty.margin(p))
    np.testing.assert_array_equal(uncertainty.least_confidence(p[:, order]), uncertainty.least_confidence(p))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("fault", "want"),
    [
        (np.nan, "row 31 is NaN at class 2"),
        (-1e-6, "row 31 is negative at class 2"),
        (-np.inf, "row 31 is negative at class 2"),
        (np.inf, "row 31 sums to inf, not 1"),
        (2.0, "row 31 sums to 2.* not 1 .tolerance 0.001.; pass softmax"),
    ],
    ids=["nan", "negative", "minus-infinity", "infinity", "unnormalised"],
)
def test_the_first_bad_row_is_named_with_its_fault(
    measure: Callable[..., Any], dtype: Any, fault: float, want: Any
) -> None:
    p = random_rows(50, 6, dtype=dtype)
    p[31, 2] = fault
    p[40, 0] = np.nan
    with pytest.raises(BadProbabilitiesError, match=want) as caught:
        measure(p)
    assert caught.value.row == 31


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_negative_entry_is_found_where_the_sum_is_right(measure: Callable[..., Any], dtype: Any) -> None:
    p = random_rows(50, 3, dtype=dtype)
    p[23] = [0.75, 0.5, -0.25]
    with pytest.raises(BadProbabilitiesError, match="row 23 is negative at class 2"):
        measure(p)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_first_bad_row_is_named_whatever_the_threads(measure: Callable[..., Any]) -> None:
    p = random_rows(9000, 128)
    p[[2000, 4000, 8999], [5, 6, 7]] = [np.nan, -1.0, 3.0]
    with pytest.raises(BadProbabilitiesError, match="row 2000"):
        measure(p, threads=4)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("scale", "is_accepted"), [(1.0009, True), (0.9991, True), (1.0011, False), (0.9989, False)])
def test_sums_are_held_to_the_stated_tolerance(measure: Callable[..., Any], scale: float, is_accepted: bool) -> None:
    p = np.array([[0.5, 0.25, 0.25]]) * scale
    if is_accepted:
        measure(p)
    else:
        with pytest.raises(BadProbabilitiesError, match="row 0 sums to"):
            measure(p)


@pytest.mark.parametrize("measure", MEASURES)
def test_threads_do_not_change_a_result(measure: Callable[..., Any]) -> None:
    p = random_rows(9000, 128)
    np.testing.assert_array_equal(measure(p, threads=1), measure(p, threads=4))


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([0.5, 0.5], "shape .2,.: give a matrix"),
        (np.empty((3, 0)), "at least one class"),
        ([["a", "b"]], "give real numbers"),
        (np.array([[1j, 0]]), "give real numbers"),
    ],
    ids=["vector", "no-classes", "text", "complex"],
)
def test_what_is_no_matrix_of_numbers_is_refused(values: Any, want: Any) -> None:
    with pytest.raises(BadRequestError, match=want):
        uncertainty.entropy(values)


def test_lists_integers_and_float16_are_converted() -> None:
    assert uncertainty.margin([[1, 0], [0, 1]]).tolist() == [1.0, 1.0]
    assert uncertainty.margin(np.array([[0.75, 0.25]], dtype=np.float16)).dtype == np.float32


def test_no_rows_give_no_scores() -> None:
    assert uncertainty.entropy(np.empty((0, 3))).shape == (0,)


def test_contiguous_float32_is_used_without_a_copy() -> None:
    p = random_rows(5, 3)
    assert uncertainty.check_probabilities(p) is p


def test_softmax_is_stable_and_leaves_its_input() -> None:
    logits = np.array([[1e4, 0.0], [-1e4, -1e4], [0.0, -np.inf]])
    before = logits.copy()
    np.testing.assert_allclose(uncertainty.softmax(logits), np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]]), atol=1e-12)
    np.testing.assert_array_equal(logits, before)


def test_temperature_flattens_and_sharpens() -> None:
    logits = np.array([[0.0, np.log(3.0)]])
    np.testing.assert_allclose(uncertainty.softmax(logits, temperature=0.5), np.array([[0.1, 0.9]]))
    np.testing.assert_allclose(uncertainty.softmax(logits), np.array([[0.25, 0.75]]))
    assert uncertainty.softmax(logits, temperature=1e9)[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(BadRequestError, match="temperature is"):
        uncertainty.softmax([[0.0, 1.0]], temperature=temperature)


@pytest.mark.parametrize("row", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]])
def test_logits_without_a_softmax_are_named(row: Any) -> None:
    with pytest.raises(BadProbabilitiesError, match="logits row 1 has no softmax") as caught:
        uncertainty.softmax([[0.0, 1.0], row])
    assert caught.value.row == 1


def test_the_number_of_threads_is_what_numba_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    assert uncertainty.thread_count() == 3


@pytest.mark.parametrize(("rows", "width", "limit", "want"), [(10, 1, 4, 1), (8 << 18, 1, 2, 16), (2, 1 << 20, 4, 2)])
def test_rows_are_split_once_each_and_small_inputs_are_not(rows: int, width: int, limit: int, want: Any) -> None:
    ends = []

    def kernel(start: int, stop: int) -> int:
        ends.append((start, stop))
        return stop - start

    assert sum(threads.run_over_rows(kernel, rows, elements_per_row=width, threads=limit)) == rows
    assert len(ends) == want


def test_uncompiled_kernels_give_what_compiled_ones_do() -> None:
    kernels = import_module("labelplane_scoring._kernels")
    p = random_rows(30, 5)
    out = np.empty(30, np.float32)
    assert kernels.entropy_rows.py_func(p, 0, 30, 1e-3, out) == -1
    np.testing.assert_allclose(out, uncertainty.entropy(p), rtol=0, atol=STATED_ERROR)
    terms = [kernels._p_log_p.py_func(x) for x in p[:, 0]]
    np.testing.assert_allclose(terms, p[:, 0] * np.log(p[:, 0]), atol=1e-6)
    largest, second = np.empty(30, np.float32), np.empty(30, np.float32)
    arguments = (p, p.view(np.int32), 0, 30, 1e-3, largest.view(np.int32), second.view(np.int32))
    assert kernels.top_two_rows.py_func(*arguments) == -1
    np.testing.assert_array_equal(largest - second, uncertainty.margin(p))
    assert kernels.first_negative_row.py_func(p, 0, 30) == -1
    p[4, 1] = -p[4, 1]
    assert kernels.first_negative_row.py_func(p, 0, 30) == 4


@pytest.mark.parametrize("fault", [2.0, -0.5])
def test_uncompiled_kernels_find_the_bad_row(fault: float) -> None:
    kernels = import_module("labelplane_scoring._kernels")
    p = np.array([[0.5, 0.5], [1.5, fault - 1.0 if fault > 0 else fault]], np.float32)
    out = np.empty(2, np.float32)
    with warnings.catch_warnings():
        # NumPy warns where an int32 wraps; compiled code does not.
        warnings.simplefilter("ignore", RuntimeWarning)
        assert kernels.entropy_rows.py_func(p, 0, 2, 1e-3, out) == 1
    bits = p.view(np.int32)
    assert kernels.top_two_rows.py_func(p, bits, 0, 2, 1e-3, out.view(np.int32), out.view(np.int32).copy()) == 1
