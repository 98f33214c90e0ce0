"""The compiled kernels against themselves as plain Python: the same loops, so the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelplane_aggregation import VoteMatrix
from labelplane_aggregation.models import _kernels

KINDS = [pytest.param(lambda kernel: kernel, id="compiled"), pytest.param(lambda kernel: kernel.py_func, id="python")]


@pytest.fixture(name="votes")
def _votes(make_crowd: Callable[..., Any]) -> VoteMatrix:
    return VoteMatrix.from_table(make_crowd(3).items(40, votes=3).annotators(6).classes(3).build().frame())


@pytest.mark.parametrize("kind", KINDS)
def test_votes_are_sorted_by_item_annotator_and_position(kind: Callable[..., Any]) -> None:
    items = np.array([1, 0, 1, 0, 1], np.int32)
    annotators = np.array([1, 0, 0, 0, 1], np.int32)
    assert kind(_kernels.sort_votes)(items, annotators, 2, 2).tolist() == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_tally_sums_posterior_rows_by_annotator_and_answer(kind: Callable[..., Any], votes: VoteMatrix) -> None:
    rng = np.random.default_rng(0)
    posterior = rng.dirichlet(np.ones(3), votes.n_items)
    cells = votes.annotators * np.int32(3) + votes.answers
    counts, totals = np.zeros((votes.n_annotators * 3, 3)), np.zeros(3)
    weights = rng.random(votes.n_votes)
    kind(_kernels.tally)(0, votes.n_items, votes.offsets, cells, weights, posterior, counts, totals)
    want = np.zeros_like(counts)
    np.add.at(want, cells, weights[:, None] * posterior[votes.items])
    np.testing.assert_allclose(counts, want, rtol=1e-13)
    np.testing.assert_allclose(totals, posterior.sum(axis=0), rtol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_maximise_gives_rows_of_probabilities_and_the_log_prior(kind: Callable[..., Any]) -> None:
    counts = np.array([[[3.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    pooled = np.array([[0.0, 1.0], [1.0, 0.0]])
    hits = np.array([[0.8, 0.6], [0.8, 0.6]])
    log_confusion, penalties = np.empty_like(counts), np.empty(2)
    kind(_kernels.maximise)(counts, pooled, hits, 2.0, 0.5, log_confusion, penalties)
    pseudo = 2.0 * np.array([[0.8, 0.4], [0.2, 0.6]]) + 0.5
    want = (counts + pseudo) / (counts + pseudo).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(log_confusion), want, rtol=1e-13)
    np.testing.assert_allclose(penalties, (pseudo * np.log(want)).sum(axis=(1, 2)), rtol=1e-13)


@pytest.mark.parametrize("per_item", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_expect_is_bayes_rule_in_log_space(kind: Callable[..., Any], votes: VoteMatrix, per_item: bool) -> None:
    rng = np.random.default_rng(1)
    confusion = rng.dirichlet(np.ones(3), (votes.n_annotators, 3)).transpose(0, 2, 1)
    prior = rng.dirichlet(np.ones(3), votes.n_items if per_item else 1)
    gold = np.full(votes.n_items, -1, np.int32)
    gold[5] = 2
    cells = votes.annotators * np.int32(3) + votes.answers
    posterior, counts, totals = np.empty((votes.n_items, 3)), np.zeros((votes.n_annotators * 3, 3)), np.zeros(3)
    tables = (np.log(confusion).reshape(-1, 3), np.log(prior))
    sums = (gold, posterior, counts, totals)
    got = kind(_kernels.expect)(0, votes.n_items, votes.offsets, cells, votes.weights, *tables, *sums)

    joint = np.broadcast_to(prior, (votes.n_items, 3)).copy()
    for item, annotator, answer in zip(votes.items, votes.annotators, votes.answers, strict=True):
        joint[item] *= confusion[annotator, answer]
    evidence = joint.sum(axis=1)
    evidence[5] = joint[5, 2]
    want = joint / joint.sum(axis=1, keepdims=True)
    want[5] = [0.0, 0.0, 1.0]
    np.testing.assert_allclose(posterior, want, rtol=1e-12)
    assert got == pytest.approx(np.log(evidence).sum(), rel=1e-12)
    np.testing.assert_allclose(totals, want.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("row", "known", "want_row", "want_value"),
    [
        pytest.param([-1e4, -1e4], -1, [0.5, 0.5], -1e4 + np.log(2), id="far below what exp can hold"),
        pytest.param([0.0, -800.0], -1, [1.0, 0.0], 0.0, id="so unlikely that it is zero"),
        pytest.param([-3.0, -2.0], 0, [1.0, 0.0], -3.0, id="known class"),
        pytest.param([0.0], -1, [1.0], 0.0, id="one class"),
    ],
)
def test_settle_turns_log_joints_into_a_posterior(
    kind: Callable[..., Any], row: list[float], known: int, want_row: list[float], want_value: float
) -> None:
    values = np.array(row)
    assert kind(_kernels.settle)(values, known) == pytest.approx(want_value, rel=1e-14)
    np.testing.assert_allclose(values, want_row, rtol=1e-14)


def test_a_kernel_compiles_where_no_cache_can_be_written() -> None:
    namespace: dict[str, Any] = {}
    exec(compile("def double(x):\n    return 2 * x\n", "<a file that does not exist>", "exec"), namespace)
    assert _kernels.compiled(namespace["double"])(21) == 42


@pytest.mark.parametrize("per_item", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_expect_hits_is_expect_with_confusions_that_know_right_and_wrong(
    kind: Callable[..., Any], votes: VoteMatrix, per_item: bool
) -> None:
    rng = np.random.default_rng(2)
    right, wrong = rng.random((2, votes.n_annotators * 3))
    confusion = np.where(np.tile(np.eye(3, dtype=bool), (votes.n_annotators, 1)), right[:, None], wrong[:, None])
    log_prior = np.log(rng.dirichlet(np.ones(3), votes.n_items if per_item else 1))
    gold = np.full(votes.n_items, -1, np.int32)
    gold[7] = 0
    cells = votes.annotators * np.int32(3) + votes.answers
    weights = rng.random(votes.n_votes)
    want, counts, want_totals = np.empty((votes.n_items, 3)), np.zeros((len(right), 3)), np.zeros(3)
    full = (np.log(confusion), log_prior, gold, want, counts, want_totals)
    want_value = _kernels.expect(0, votes.n_items, votes.offsets, cells, weights, *full)
    posterior, hits, totals = np.empty_like(want), np.zeros(len(right)), np.zeros(3)
    tables = (np.log(right) - np.log(wrong), np.log(wrong), log_prior, gold, posterior, hits, totals)
    sparse = (votes.offsets, cells, votes.answers, weights)
    assert kind(_kernels.expect_hits)(0, votes.n_items, *sparse, *tables) == pytest.approx(want_value, rel=1e-12)
    np.testing.assert_allclose(posterior, want, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(hits, counts[np.arange(len(right)), np.arange(len(right)) % 3], rtol=1e-11)
    np.testing.assert_allclose(totals, want_totals, rtol=1e-12)
