"""What every model must do that climbs an objective, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_aggregation import MODELS as BUILT
from labelplane_aggregation import Blend, MajorityVote, VoteMatrix
from labelplane_aggregation.errors import InvalidPriorError, InvalidSettingError
from labelplane_aggregation.models import _chunks
from labelplane_aggregation.models._em import ClimbingModel

MODELS = {**BUILT, "Blend": Blend, "Blend alone": partial(Blend, own_mass=None)}
NAMES = [name for name, model in MODELS.items() if isinstance(model(), ClimbingModel)]
VOTES = {"item": ["a", "a", "b"], "annotator": ["x", "y", "x"], "label": ["0", "1", "0"]}
VOTE = st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0, 1.0, 4.0]))


def assert_never_falls(objective: Any) -> None:
    """To 1e-9 of its size, or of 1 nat where votes fit so well that terms of order one cancel to nearly nothing."""
    assert (np.diff(objective) >= -1e-9 * np.maximum(1.0, np.abs(objective[1:]))).all(), objective


@pytest.mark.parametrize("name", NAMES)
class TestEveryClimbingModel:
    @settings(max_examples=60, deadline=None)
    @given(
        rows=st.lists(VOTE, min_size=1, max_size=60),
        n_classes=st.sampled_from([4, 7]),
        class_prior=st.sampled_from(["learned", "uniform", None]),
        n_gold=st.integers(0, 3),
        item_prior_seed=st.none() | st.integers(0, 99),
    )
    def test_the_objective_never_falls(
        self,
        name: str,
        rows: list[tuple[int, int, int, float]],
        n_classes: int,
        class_prior: Any,
        n_gold: int,
        item_prior_seed: int | None,
    ) -> None:
        frame = dict(zip(("item", "annotator", "label", "weight"), map(list, zip(*rows, strict=True)), strict=True))
        votes = VoteMatrix.from_table(frame, classes=list(range(n_classes)))
        item_prior = None
        if item_prior_seed is not None and class_prior is not None:
            item_prior = np.random.default_rng(item_prior_seed).dirichlet(np.full(n_classes, 0.3), votes.n_items)
        shares = np.arange(1.0, n_classes + 1) / np.arange(1.0, n_classes + 1).sum()
        gold = dict.fromkeys(votes.item_ids.to_pylist()[:n_gold], "3")
        model = MODELS[name](class_prior=shares if class_prior is None else class_prior, tolerance=0.0)
        fit = model.fit(votes, gold=gold, item_prior=item_prior)
        assert np.isfinite(fit.objective_).all()
        assert np.isfinite(fit.log_likelihood_).all()
        assert len(fit.objective_) == len(fit.log_likelihood_) == fit.n_iter_
        assert_never_falls(fit.objective_)
        np.testing.assert_allclose(fit.posterior_.sum(axis=1), 1.0, rtol=1e-12)

    @pytest.mark.parametrize("seed", range(4))
    def test_the_objective_never_falls_on_simulated_crowds(
        self, name: str, make_crowd: Callable[..., Any], seed: int
    ) -> None:
        crowd = make_crowd(seed).items(120, votes=4).annotators(12, spammers=3).classes(5).accuracy(0.3, 0.95).build()
        fit = MODELS[name](tolerance=0.0, max_iterations=200).fit(crowd.frame())
        assert fit.n_iter_ > 5
        assert_never_falls(fit.objective_)

    def test_accuracies_and_class_shares_are_recovered(self, name: str, make_crowd: Callable[..., Any]) -> None:
        crowd = make_crowd(5).items(2000, votes=6).annotators(8, spammers=1).classes(3).accuracy(0.5, 0.9).build()
        fit = MODELS[name]().fit(crowd.frame())
        assert fit.converged_
        assert crowd.error(fit.answers_) < crowd.error(MajorityVote().fit(crowd.frame()).answers_)
        np.testing.assert_allclose(fit.reliability_.accuracy, crowd.confusion[:, 0, 0], atol=0.05)
        np.testing.assert_allclose(fit.class_prior_, 1 / 3, atol=0.04)

    def test_a_bound_of_iterations_that_is_met_is_no_convergence(
        self, name: str, make_crowd: Callable[..., Any]
    ) -> None:
        fit = MODELS[name](max_iterations=2, tolerance=0.0).fit(make_crowd(1).build().frame())
        assert (fit.converged_, fit.n_iter_) == (False, 2)

    def test_an_item_prior_decides_where_votes_balance_and_is_left_as_it_was(self, name: str) -> None:
        prior = np.array([[0.1, 0.9], [0.5, 0.5]])
        fit = MODELS[name]().fit(VOTES, item_prior=prior)
        assert fit.answers_[0] == 1
        np.testing.assert_array_equal(prior, [[0.1, 0.9], [0.5, 0.5]])
        np.testing.assert_allclose(fit.class_prior_, fit.posterior_.mean(axis=0))

    def test_a_given_class_prior_is_used_and_reported(self, name: str) -> None:
        votes = {"item": ["a", "a"], "annotator": ["x", "y"], "label": ["0", "1"]}
        fit = MODELS[name](class_prior=[0.2, 0.8]).fit(votes)
        assert fit.labels_.to_pylist() == ["1"]
        np.testing.assert_allclose(fit.class_prior_, [0.2, 0.8])

    def test_an_item_prior_with_nan_is_refused_by_row(self, name: str) -> None:
        with pytest.raises(InvalidPriorError, match=r"row 1 .item 'b'.*nan"):
            MODELS[name]().fit(VOTES, item_prior=[[0.5, 0.5], [np.nan, 0.5]])

    @pytest.mark.parametrize(
        ("given_settings", "want"),
        [
            ({"max_iterations": 0}, "max_iterations: 0: must be at least 1"),
            ({"tolerance": float("nan")}, "tolerance"),
            ({"class_smoothing": 0.0}, "class_smoothing"),
            ({"threads": 0}, "threads"),
            ({"class_prior": "flat"}, "class_prior.*learned, uniform"),
        ],
    )
    def test_settings_out_of_bounds_are_refused_by_name(
        self, name: str, given_settings: dict[str, Any], want: str
    ) -> None:
        with pytest.raises(InvalidSettingError, match=want):
            MODELS[name](**given_settings).fit(VOTES)

    def test_a_given_class_prior_beside_an_item_prior_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidSettingError, match="item_prior"):
            MODELS[name](class_prior=[0.5, 0.5]).fit(VOTES, item_prior=np.full((2, 2), 0.5))

    def test_the_number_of_threads_changes_no_bit(
        self, name: str, make_crowd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_chunks, "_CHUNK_VOTES", 100)
        votes = VoteMatrix.from_table(make_crowd(2).items(300, votes=4).annotators(6).classes(2).build().frame())
        one, two = (MODELS[name](threads=threads, max_iterations=5).fit(votes) for threads in (1, 2))
        np.testing.assert_array_equal(one.posterior_, two.posterior_)
        np.testing.assert_array_equal(one.objective_, two.objective_)
