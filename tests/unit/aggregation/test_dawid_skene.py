from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labelplane_aggregation import DawidSkene, MajorityVote, VoteMatrix
from labelplane_aggregation.errors import InvalidPriorError, InvalidSettingError
from labelplane_aggregation.models import _chunks

MAXIMUM_LIKELIHOOD = {"shrinkage_mass": 0.0, "smoothing": 1e-10, "class_smoothing": 1e-10}


def dense_em(
    votes: VoteMatrix, prior: NDArray[np.float64], *, iterations: int, known: NDArray[np.int32], item_prior: Any = None
) -> tuple[NDArray[np.float64], list[float]]:
    """The textbook loop on dense arrays: `prior` holds pseudo-votes, (annotators, true, answer)."""
    posterior = votes.shares()
    posterior[known >= 0] = np.eye(votes.n_classes)[known[known >= 0]]
    objective = []
    for _ in range(iterations):
        counts = prior.copy()
        for item, annotator, answer, weight in zip(
            votes.items, votes.annotators, votes.answers, votes.weights, strict=True
        ):
            counts[annotator, :, answer] += weight * posterior[item]
        theta = counts / counts.sum(axis=2, keepdims=True)
        share = (posterior.sum(axis=0) + 1.0) / (posterior.sum() + votes.n_classes)
        joint = np.tile(share, (votes.n_items, 1)) if item_prior is None else item_prior.copy()
        for item, annotator, answer, weight in zip(
            votes.items, votes.annotators, votes.answers, votes.weights, strict=True
        ):
            joint[item] *= theta[annotator, :, answer] ** weight
        evidence = np.where(known >= 0, joint[np.arange(len(joint)), known], joint.sum(axis=1))
        penalty = (prior * np.log(theta)).sum() + (0.0 if item_prior is not None else np.log(share).sum())
        objective.append(float(np.log(evidence).sum() + penalty))
        posterior = joint / joint.sum(axis=1, keepdims=True)
        posterior[known >= 0] = np.eye(votes.n_classes)[known[known >= 0]]
    return posterior, objective


def assert_never_falls(objective: NDArray[np.float64]) -> None:
    """To 1e-9 of its size, or of 1 nat where votes fit so well that terms of order one cancel to nearly nothing."""
    assert (np.diff(objective) >= -1e-9 * np.maximum(1.0, np.abs(objective[1:]))).all(), objective


def pooled_prior(votes: VoteMatrix, mass: float, known: NDArray[np.int32]) -> NDArray[np.float64]:
    start = votes.shares()
    start[known >= 0] = np.eye(votes.n_classes)[known[known >= 0]]
    pooled = np.zeros((votes.n_classes, votes.n_classes))
    for item, answer, weight in zip(votes.items, votes.answers, votes.weights, strict=True):
        pooled[:, answer] += weight * start[item]
    accuracy = (np.trace(pooled) + 1) / (pooled.sum() + 2)
    pooled += 10 * np.where(np.eye(votes.n_classes, dtype=bool), accuracy, (1 - accuracy) / (votes.n_classes - 1))
    pooled /= pooled.sum(axis=1, keepdims=True)
    return np.tile(mass * pooled + 1e-9, (votes.n_annotators, 1, 1))


@pytest.mark.parametrize("with_gold", [False, True])
@pytest.mark.parametrize("with_item_prior", [False, True])
def test_the_sparse_fit_is_the_textbook_loop(
    make_crowd: Callable[..., Any], with_gold: bool, with_item_prior: bool
) -> None:
    crowd = make_crowd(4).items(50, votes=3).annotators(8).classes(3).accuracy(0.5, 0.9).build()
    rng = np.random.default_rng(0)
    votes = VoteMatrix.from_table({**crowd.frame(), "weight": rng.uniform(0.5, 2, 150)})
    item_prior = rng.dirichlet(np.ones(3), 50) if with_item_prior else None
    known = np.full(50, -1, np.int32)
    if with_gold:
        known[:10] = crowd.truth[:10]
    fit = DawidSkene(max_iterations=7, tolerance=0.0).fit(
        votes, gold=crowd.gold(10) if with_gold else None, item_prior=item_prior
    )
    want, want_objective = dense_em(
        votes, pooled_prior(votes, 2.0, known), iterations=7, known=known, item_prior=item_prior
    )
    np.testing.assert_allclose(fit.posterior_, want, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(fit.objective_, want_objective, rtol=1e-12)


def test_agreeing_annotators_have_a_closed_form() -> None:
    """All agree, so maximum likelihood says: matrices are the identity and the likelihood is the class shares'."""
    rows = [(f"i{j}", annotator, "a" if j < 6 else "b") for j in range(8) for annotator in "xyz"]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit = DawidSkene(**MAXIMUM_LIKELIHOOD).fit(votes)
    np.testing.assert_allclose(fit.class_prior_, [0.75, 0.25], rtol=1e-9)
    np.testing.assert_allclose(fit.reliability_["x"].confusion, np.eye(2), atol=1e-9)
    assert fit.reliability_["y"].accuracy == pytest.approx(1.0)
    assert fit.log_likelihood_[-1] == pytest.approx(6 * np.log(0.75) + 2 * np.log(0.25))
    assert fit.converged_


def test_one_step_from_a_given_start_is_bayes_rule_on_its_counts() -> None:
    votes = {"item": ["a", "b"], "annotator": ["x", "x"], "label": ["0", "1"]}
    model = DawidSkene(max_iterations=1, shrinkage_mass=0.0, smoothing=1e-12, class_prior="uniform")
    fit = model.fit(votes, start=[[0.75, 0.25], [0.5, 0.5]])
    right = np.array([[0.75 / 1.25, 0.25 / 0.75], [0.5 / 1.25, 0.5 / 0.75]])  # P(answer of a, of b | class 0, class 1)
    np.testing.assert_allclose(fit.posterior_, right / right.sum(axis=1, keepdims=True), rtol=1e-9)
    assert not fit.converged_
    assert fit.n_iter_ == 1


VOTE = st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0, 1.0, 4.0]))


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(VOTE, min_size=1, max_size=60),
    mass=st.sampled_from([0.0, 0.1, 2.0, 50.0]),
    shrink_to=st.sampled_from(["pooled", "annotator"]),
    class_prior=st.sampled_from(["learned", "uniform", (0.7, 0.1, 0.1, 0.1)]),
    n_gold=st.integers(0, 3),
    item_prior_seed=st.none() | st.integers(0, 99),
)
def test_the_objective_never_falls(
    rows: list[tuple[int, int, int, float]],
    mass: float,
    shrink_to: str,
    class_prior: Any,
    n_gold: int,
    item_prior_seed: int | None,
) -> None:
    frame = dict(zip(("item", "annotator", "label", "weight"), map(list, zip(*rows, strict=True)), strict=True))
    votes = VoteMatrix.from_table(frame, classes=[0, 1, 2, 3])
    item_prior = None
    if item_prior_seed is not None and isinstance(class_prior, str):
        item_prior = np.random.default_rng(item_prior_seed).dirichlet(np.full(4, 0.3), votes.n_items)
    gold = dict.fromkeys(votes.item_ids.to_pylist()[:n_gold], "3")
    model = DawidSkene(shrinkage_mass=mass, shrink_to=shrink_to, class_prior=class_prior, tolerance=0.0)
    fit = model.fit(votes, gold=gold, item_prior=item_prior)
    assert np.isfinite(fit.objective_).all()
    assert len(fit.objective_) == len(fit.log_likelihood_) == fit.n_iter_
    assert_never_falls(fit.objective_)
    np.testing.assert_allclose(fit.posterior_.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("mass", [0.0, 2.0])
def test_the_objective_never_falls_on_simulated_crowds(make_crowd: Callable[..., Any], seed: int, mass: float) -> None:
    crowd = make_crowd(seed).items(120, votes=4).annotators(12, spammers=3).classes(5).accuracy(0.3, 0.95).build()
    fit = DawidSkene(shrinkage_mass=mass, tolerance=0.0, max_iterations=200).fit(crowd.frame())
    assert fit.n_iter_ > 10
    assert_never_falls(fit.objective_)


def test_without_shrinkage_the_log_likelihood_itself_never_falls(make_crowd: Callable[..., Any]) -> None:
    crowd = make_crowd(9).items(200, votes=4).annotators(12).classes(4).accuracy(0.4, 0.9).build()
    fit = DawidSkene(**MAXIMUM_LIKELIHOOD, tolerance=0.0).fit(crowd.frame())
    assert_never_falls(fit.log_likelihood_)


@pytest.mark.parametrize(
    ("accuracy", "spammers"), [pytest.param(0.7, 0, id="equal annotators"), pytest.param(0.85, 3, id="three spammers")]
)
def test_a_cold_start_does_not_collapse(make_crowd: Callable[..., Any], accuracy: float, spammers: int) -> None:
    """60 items x 3 votes, 15 annotators, 10 classes: 1,500 numbers in full matrices from 180 votes.

    Mean error over 200 such crowds: one pseudo-vote a cell 0.84 and 0.83, majority 0.161 and 0.149, pooled 0.170 and
    0.140 (a standard error of 0.003 on the difference to majority). 30 crowds leave 0.02 for chance.
    """
    errors: dict[str, list[float]] = {"majority": [], "pseudo-vote": [], "pooled": []}
    for seed in range(30):
        builder = make_crowd(seed).items(60, votes=3).annotators(15, spammers=spammers).classes(10)
        crowd = builder.accuracy(accuracy).build()
        votes = VoteMatrix.from_table(crowd.frame(), classes=crowd.classes)
        errors["majority"].append(crowd.error(MajorityVote().fit(votes).answers_))
        errors["pseudo-vote"].append(crowd.error(DawidSkene(shrinkage_mass=0.0, smoothing=1.0).fit(votes).answers_))
        errors["pooled"].append(crowd.error(DawidSkene().fit(votes).answers_))
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    assert means["pseudo-vote"] > 0.7, means
    assert 0.1 < means["majority"] < 0.22, means
    assert means["pooled"] < means["majority"] + 0.03, means


def test_shrinking_to_each_annotators_accuracy_finds_spammers_early(make_crowd: Callable[..., Any]) -> None:
    """Mean error over 200 such crowds: majority 0.154, pooled 0.136, annotator 0.106."""
    errors: dict[str, list[float]] = {"majority": [], "pooled": [], "annotator": []}
    for seed in range(30):
        crowd = make_crowd(seed).items(100, votes=3).annotators(15, spammers=3).classes(10).accuracy(0.85).build()
        votes = VoteMatrix.from_table(crowd.frame(), classes=crowd.classes)
        errors["majority"].append(crowd.error(MajorityVote().fit(votes).answers_))
        for shrink_to in ("pooled", "annotator"):
            errors[shrink_to].append(crowd.error(DawidSkene(shrink_to=shrink_to).fit(votes).answers_))
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    assert means["annotator"] < means["pooled"] - 0.01, means
    assert means["annotator"] < means["majority"] - 0.02, means


@pytest.mark.parametrize("shrink_to", ["pooled", "annotator"])
def test_confusions_and_accuracies_are_recovered(make_crowd: Callable[..., Any], shrink_to: str) -> None:
    crowd = make_crowd(5).items(3000, votes=6).annotators(8, spammers=1).classes(3).accuracy(0.5, 0.9).build()
    fit = DawidSkene(shrink_to=shrink_to).fit(crowd.frame())
    assert fit.converged_
    assert crowd.error(fit.answers_) < crowd.error(MajorityVote().fit(crowd.frame()).answers_)
    np.testing.assert_allclose(fit.reliability_.confusion, crowd.confusion, atol=0.06)
    np.testing.assert_allclose(fit.reliability_.accuracy, crowd.confusion[:, 0, 0], atol=0.03)
    np.testing.assert_allclose(fit.class_prior_, 1 / 3, atol=0.03)


def test_an_annotator_who_always_swaps_two_classes_is_of_use() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    answers = {"x": truth, "y": np.where(rng.random(400) < 0.9, truth, 1 - truth), "liar": 1 - truth}
    rows = [(j, name, int(given_answers[j])) for j in range(400) for name, given_answers in answers.items()]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    fit = DawidSkene().fit(votes)
    assert fit.reliability_["liar"].accuracy < 0.05
    by_id = dict(zip(fit.item_ids_.to_pylist(), fit.answers_.tolist(), strict=True))
    assert all(by_id[str(j)] == truth[j] for j in range(400))


def test_an_annotator_of_weight_two_is_two_equal_annotators(make_crowd: Callable[..., Any]) -> None:
    """Under maximum likelihood: each twin learns the same matrix from half the counts."""
    frame = make_crowd(6).items(150, votes=4).annotators(8).classes(3).accuracy(0.5, 0.9).build().frame()
    heavy = "annotator-0003"
    twin = [row for row, name in enumerate(frame["annotator"]) if name == heavy]
    twins = {key: values + [values[row] for row in twin] for key, values in frame.items()}
    twins["annotator"][-len(twin) :] = ["twin"] * len(twin)
    weighted = {**frame, "weight": [2.0 if name == heavy else 1.0 for name in frame["annotator"]]}
    model = DawidSkene(**MAXIMUM_LIKELIHOOD, max_iterations=15, tolerance=0.0)
    np.testing.assert_allclose(model.fit(twins).posterior_, model.fit(weighted).posterior_, rtol=1e-5, atol=1e-7)


def test_gold_teaches_the_confusions() -> None:
    """Four of five swap the classes: only gold can tell which way round the truth is."""
    truth = np.random.default_rng(1).integers(0, 2, 300)
    rows = [(f"{j:03d}", f"a{i}", int(1 - truth[j] if i < 4 else truth[j])) for j in range(300) for i in range(5)]
    votes = dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))
    gold = {f"{j:03d}": int(truth[j]) for j in range(180)}
    blind, taught = DawidSkene().fit(votes), DawidSkene().fit(votes, gold=gold)
    assert (blind.answers_[180:] == truth[180:]).mean() < 0.1
    assert (taught.answers_[180:] == truth[180:]).mean() == 1.0
    assert taught.reliability_["a0"].accuracy < 0.05


class TestItemPrior:
    VOTES = {"item": ["a", "a", "b"], "annotator": ["x", "y", "x"], "label": ["0", "1", "0"]}  # noqa: RUF012

    def test_it_decides_where_votes_balance(self) -> None:
        fit = DawidSkene().fit(self.VOTES, item_prior=[[0.1, 0.9], [0.5, 0.5]])
        assert fit.answers_[0] == 1
        assert not fit.ties_[0]

    def test_a_uniform_one_is_the_uniform_class_prior(self, make_crowd: Callable[..., Any]) -> None:
        frame = make_crowd(3).build().frame()
        one = DawidSkene(class_prior="uniform").fit(frame)
        other = DawidSkene().fit(frame, item_prior=np.full((60, 4), 0.25))
        np.testing.assert_allclose(one.posterior_, other.posterior_, rtol=1e-9, atol=1e-12)

    def test_the_reported_class_prior_is_then_the_mean_posterior(self) -> None:
        fit = DawidSkene().fit(self.VOTES, item_prior=[[0.1, 0.9], [0.5, 0.5]])
        np.testing.assert_allclose(fit.class_prior_, fit.posterior_.mean(axis=0))

    def test_a_certain_classifier_does_not_overrule_people(self, make_crowd: Callable[..., Any]) -> None:
        crowd = make_crowd(3).items(200, votes=9).annotators(9).accuracy(0.95).build()
        prior = np.full((200, 4), 0.25)
        prior[0] = np.eye(4)[(crowd.truth[0] + 1) % 4]
        assert DawidSkene().fit(crowd.frame(), item_prior=prior).answers_[0] == crowd.truth[0]

    def test_it_is_left_as_it_was(self) -> None:
        prior = np.array([[0.0, 1.0], [0.5, 0.5]])
        DawidSkene().fit(self.VOTES, item_prior=prior)
        np.testing.assert_array_equal(prior, [[0.0, 1.0], [0.5, 0.5]])

    @pytest.mark.parametrize("name", ["item_prior", "start"])
    @pytest.mark.parametrize(
        ("rows", "want"),
        [
            pytest.param([[0.5, 0.5], [np.nan, 0.5]], "row 1 .item 'b'.*nan", id="NaN"),
            pytest.param([[np.inf, 0.5], [0.5, 0.5]], "row 0 .item 'a'", id="infinite"),
            pytest.param([[-0.5, 1.5], [0.5, 0.5]], "row 0", id="negative"),
            pytest.param([[0.5, 0.5], [2.0, 2.0]], "row 1", id="logits"),
            pytest.param([[0.5, 0.5]], r"shape \(1, 2\).*\(2, 2\)", id="too short"),
        ],
    )
    def test_rows_that_are_no_distribution_are_refused_by_name(self, name: str, rows: Any, want: str) -> None:
        with pytest.raises(InvalidPriorError, match=f"{name}: {want}"):
            DawidSkene().fit(self.VOTES, **{name: rows})

    def test_a_given_class_prior_beside_it_is_refused(self) -> None:
        with pytest.raises(InvalidSettingError, match="item_prior"):
            DawidSkene(class_prior=[0.5, 0.5]).fit(self.VOTES, item_prior=np.full((2, 2), 0.5))


def test_a_given_class_prior_is_used_and_reported() -> None:
    votes = {"item": ["a", "a"], "annotator": ["x", "y"], "label": ["0", "1"]}
    fit = DawidSkene(class_prior=[0.2, 0.8]).fit(votes)
    assert fit.labels_.to_pylist() == ["1"]
    np.testing.assert_allclose(fit.class_prior_, [0.2, 0.8])


@pytest.mark.parametrize(
    ("prior", "want"),
    [([0.2, 0.3, 0.5], "2 classes"), ([0.0, 1.0], "positive"), ([0.2, 0.2], "sum to one"), ([np.nan, 1.0], "positive")],
)
def test_a_class_prior_that_is_none_is_refused(prior: list[float], want: str) -> None:
    with pytest.raises(InvalidPriorError, match=want):
        DawidSkene(class_prior=prior).fit(TestItemPrior.VOTES)


@pytest.mark.parametrize(
    ("settings_", "want"),
    [
        ({"max_iterations": 0}, "max_iterations: 0: must be at least 1"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"shrinkage_mass": -0.1}, "shrinkage_mass"),
        ({"smoothing": 0.0}, "smoothing.*above 0"),
        ({"class_smoothing": 0.0}, "class_smoothing"),
        ({"threads": 0}, "threads"),
        ({"shrink_to": "nothing"}, "shrink_to.*pooled, annotator"),
        ({"class_prior": "flat"}, "class_prior.*learned, uniform"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(settings_: dict[str, Any], want: str) -> None:
    with pytest.raises(InvalidSettingError, match=want):
        DawidSkene(**settings_).fit(TestItemPrior.VOTES)


def test_a_result_given_as_start_stays_where_it_is(make_crowd: Callable[..., Any]) -> None:
    votes = VoteMatrix.from_table(make_crowd(8).items(300, votes=5).accuracy(0.8).build().frame())
    model = DawidSkene(**MAXIMUM_LIKELIHOOD, tolerance=1e-12, max_iterations=2000)
    first = model.fit(votes)
    again = model.fit(votes, start=first.posterior_)
    assert first.converged_
    assert again.n_iter_ < first.n_iter_
    np.testing.assert_allclose(again.posterior_, first.posterior_, atol=1e-3)


@pytest.fixture(name="large", scope="module")
def _large() -> VoteMatrix:
    rng = np.random.default_rng(0)
    items, annotators = np.divmod(rng.choice(40_000 * 50, 120_000, replace=False), 50)
    frame = {"item": items, "annotator": annotators, "label": rng.integers(0, 3, 120_000)}
    return VoteMatrix.from_table(frame)


def test_the_number_of_threads_changes_no_bit(large: VoteMatrix) -> None:
    assert _chunks._count_chunks(large.n_votes, large.n_annotators * 9) > 1
    one, two = (DawidSkene(threads=threads, max_iterations=6).fit(large) for threads in (1, 2))
    np.testing.assert_array_equal(one.posterior_, two.posterior_)
    np.testing.assert_array_equal(one.objective_, two.objective_)
    np.testing.assert_array_equal(one.reliability_.confusion, two.reliability_.confusion)


def test_the_number_of_chunks_changes_rounding_alone(large: VoteMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    many = DawidSkene(max_iterations=6).fit(large)
    monkeypatch.setattr(_chunks, "_MAX_CHUNKS", 1)
    one = DawidSkene(max_iterations=6).fit(large)
    np.testing.assert_allclose(many.posterior_, one.posterior_, rtol=1e-8)
    np.testing.assert_allclose(many.objective_, one.objective_, rtol=1e-12)


def test_fits_at_the_same_time_do_not_disturb_each_other(large: VoteMatrix) -> None:
    model = DawidSkene(max_iterations=4, threads=2)
    alone = model.fit(large)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(model.fit, [large, large]))
    for fit in together:
        np.testing.assert_array_equal(fit.posterior_, alone.posterior_)


def test_chunk_sums_never_outweigh_the_votes(make_crowd: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    items, annotators = np.divmod(rng.choice(2_000 * 5_000, 110_000, replace=False), 5_000)
    wide = VoteMatrix.from_table({"item": items, "annotator": annotators, "label": rng.integers(0, 10, 110_000)})
    assert _chunks._count_chunks(wide.n_votes, wide.n_annotators * 100) == 1


def test_importing_the_package_loads_neither_numba_nor_arrow_and_naming_a_model_no_numba() -> None:
    program = (
        "import sys, labelplane_aggregation as package\n"
        "assert not {'numba', 'numpy', 'pyarrow'} & set(sys.modules)\n"
        "assert 'DawidSkene' in dir(package)\n"
        "package.MODELS, package.VoteMatrix, package.AggregationError\n"
        "assert 'numba' not in sys.modules\n"
        "try:\n    package.nothing\nexcept AttributeError:\n    print('fine')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "fine\n"
