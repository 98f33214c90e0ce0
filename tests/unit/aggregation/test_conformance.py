"""What every aggregator must do, whatever its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labelplane_aggregation import MODELS as BUILT
from labelplane_aggregation import Blend, Fit, TruthModel, VoteMatrix
from labelplane_aggregation.errors import InvalidGoldError, InvalidVotesError

MODELS = {**BUILT, "Blend": Blend}


def votes_of(*rows: tuple[str, str, str]) -> dict[str, list[str]]:
    return dict(zip(("item", "annotator", "label"), map(list, zip(*rows, strict=True)), strict=True))


@pytest.mark.parametrize("name", list(MODELS))
class TestEveryModel:
    @pytest.fixture
    def make(self, name: str) -> Callable[..., TruthModel]:
        return MODELS[name]

    @pytest.fixture
    def crowd(self, make_crowd: Callable[..., Any]) -> Any:
        return make_crowd(1).items(80, votes=3).annotators(10, spammers=1).classes(4).accuracy(0.6, 0.9).build()

    def test_posterior_rows_are_distributions_and_labels_their_largest(self, make: Any, crowd: Any) -> None:
        fit: Fit = make().fit(crowd.frame())
        assert fit.posterior_.shape == (80, 4)
        assert fit.posterior_.dtype == np.float64
        assert (fit.posterior_ >= 0.0).all()
        np.testing.assert_allclose(fit.posterior_.sum(axis=1), 1.0, rtol=1e-12)
        rows = np.arange(80)
        np.testing.assert_array_equal(fit.posterior_[rows, fit.answers_], fit.posterior_.max(axis=1))
        np.testing.assert_array_equal(fit.confidence_, fit.posterior_.max(axis=1))
        assert fit.labels_.to_pylist() == [crowd.classes[k] for k in fit.answers_]
        assert fit.item_ids_.to_pylist() == sorted(set(crowd.frame()["item"]))
        np.testing.assert_allclose(fit.class_prior_.sum(), 1.0, rtol=1e-12)

    def test_inputs_are_left_as_they_were(self, make: Any, crowd: Any) -> None:
        votes = VoteMatrix.from_table(crowd.frame())
        before = [array.copy() for array in (votes.items, votes.annotators, votes.answers, votes.weights)]
        gold = crowd.gold(5)
        make().fit(votes, gold=gold)
        for was, array in zip(before, (votes.items, votes.annotators, votes.answers, votes.weights), strict=True):
            np.testing.assert_array_equal(was, array)
        assert gold == crowd.gold(5)

    def test_same_seed_gives_the_same_result_and_frames_equal_matrices(self, make: Any, crowd: Any) -> None:
        one, other = make(seed=5).fit(crowd.frame()), make(seed=5).fit(VoteMatrix.from_table(crowd.frame()))
        np.testing.assert_array_equal(one.posterior_, other.posterior_)
        np.testing.assert_array_equal(one.answers_, other.answers_)
        np.testing.assert_array_equal(one.objective_, other.objective_)

    def test_ties_fall_by_the_seed_and_not_by_the_order_of_classes(self, make: Any) -> None:
        rows = [(f"i{j}", annotator, label) for j in range(64) for annotator, label in (("x", "0"), ("y", "1"))]
        fits = [make(seed=seed).fit(votes_of(*rows)) for seed in (0, 0, 1)]
        assert all(fit.ties_.all() for fit in fits)
        assert fits[0].labels_.equals(fits[1].labels_)
        assert not fits[0].labels_.equals(fits[2].labels_)
        assert 12 < int(fits[0].answers_.sum()) < 52

    def test_clear_decisions_are_no_ties(self, make: Any) -> None:
        fit = make().fit(votes_of(("a", "x", "0"), ("a", "y", "0"), ("b", "x", "1"), ("b", "y", "1")))
        assert not fit.ties_.any()
        assert fit.labels_.to_pylist() == ["0", "1"]

    def test_gold_fixes_its_items_whatever_the_votes_say(self, make: Any, crowd: Any) -> None:
        gold = {"item-000003": "class-02", "item-000007": "class-00", "never voted on": "class-01"}
        fit = make().fit(crowd.frame(), gold=gold)
        assert fit.n_gold_ == 2
        np.testing.assert_array_equal(fit.posterior_[[3, 7]], np.eye(4)[[2, 0]])

    @pytest.mark.parametrize("kind", ["mapping", "dict of lists", "arrow"])
    def test_gold_may_be_a_mapping_or_a_frame(self, make: Any, crowd: Any, kind: str) -> None:
        columns = {"item": ["item-000001", "item-000002"], "label": ["class-03", "class-01"]}
        gold = {
            "mapping": dict(zip(columns["item"], columns["label"], strict=True)),
            "dict of lists": columns,
            "arrow": pa.table(columns),
        }
        fit = make().fit(crowd.frame(), gold=gold[kind])
        assert fit.answers_[[1, 2]].tolist() == [3, 1]

    def test_items_may_be_called_item_and_label(self, make: Any) -> None:
        votes = votes_of(("item", "x", "0"), ("label", "x", "1"), ("item", "y", "0"))
        assert make().fit(votes, gold={"item": "1", "label": "0"}).labels_.to_pylist() == ["1", "0"]

    @pytest.mark.parametrize("gold", [None, {}])
    def test_no_gold_is_fine(self, make: Any, crowd: Any, gold: Any) -> None:
        assert make().fit(crowd.frame(), gold=gold).n_gold_ == 0

    @pytest.mark.parametrize(
        ("gold", "want"),
        [
            pytest.param({"item-000001": "class-99"}, "item-000001.*class-99", id="unknown class"),
            pytest.param({"item": ["item-000001"] * 2, "label": ["class-00", "class-01"]}, "two classes", id="two"),
            pytest.param({"item-000001": None}, "label is empty", id="null"),
            pytest.param({"item": ["a"]}, "label", id="no label column"),
            pytest.param([("item-000001", "class-00")], "no frame", id="list"),
        ],
    )
    def test_gold_that_does_not_fit_is_refused(self, make: Any, crowd: Any, gold: Any, want: str) -> None:
        with pytest.raises(InvalidGoldError, match=want):
            make().fit(crowd.frame(), gold=gold)

    def test_votes_that_cannot_be_read_are_refused(self, make: Any) -> None:
        with pytest.raises(InvalidVotesError):
            make().fit({"item": []})

    @pytest.mark.parametrize(
        ("rows", "want"),
        [
            pytest.param([("a", "x", "0")], ["0"], id="one vote"),
            pytest.param([("a", "x", "0"), ("a", "y", "0"), ("a", "z", "1")], ["0"], id="one item"),
            pytest.param([("a", "x", "0"), ("b", "x", "1")], ["0", "1"], id="one annotator"),
            pytest.param([("a", "x", "0"), ("b", "y", "0")], ["0", "0"], id="one class"),
        ],
    )
    def test_the_smallest_inputs_work(self, make: Any, rows: list[tuple[str, str, str]], want: list[str]) -> None:
        fit = make().fit(votes_of(*rows))
        assert fit.labels_.to_pylist() == want
        assert np.isfinite(fit.posterior_).all()

    def test_items_annotators_and_classes_without_a_vote_are_kept(self, make: Any) -> None:
        votes = VoteMatrix(
            items=np.array([0, 0], np.int32),
            annotators=np.array([0, 2], np.int32),
            answers=np.array([1, 1], np.int32),
            weights=np.ones(2),
            offsets=np.array([0, 2, 2]),
            item_ids=pa.array(["voted", "silent"]),
            annotator_ids=pa.array(["x", "absent", "y"]),
            classes=pa.array(["unseen", "seen"]),
        )
        fit = make().fit(votes)
        assert fit.labels_[0].as_py() == "seen"
        np.testing.assert_allclose(fit.posterior_.sum(axis=1), 1.0)
        assert fit.reliability_["absent"].n_votes == 0
        assert 0.0 <= fit.reliability_["absent"].accuracy <= 1.0

    def test_votes_without_weight_count_nothing(self, make: Any, crowd: Any) -> None:
        frame = crowd.frame()
        noise = votes_of(("item-000000", "nobody", "class-01"), ("item-000001", "nobody", "class-02"))
        weighted = {key: frame[key] + noise[key] for key in frame}
        weighted["weight"] = [1.0] * len(frame["item"]) + [0.0, 0.0]
        one, other = make().fit(frame), make().fit(weighted)
        np.testing.assert_allclose(one.posterior_, other.posterior_, rtol=1e-9, atol=1e-12)

    def test_renaming_the_classes_renames_the_result(self, make: Any, crowd: Any) -> None:
        swap = dict(zip(crowd.classes, crowd.classes[::-1], strict=True))
        frame = crowd.frame()
        renamed = {**frame, "label": [swap[label] for label in frame["label"]]}
        one, other = make().fit(frame), make().fit(renamed)
        np.testing.assert_allclose(one.posterior_, other.posterior_[:, ::-1], rtol=1e-9, atol=1e-12)

    def test_renaming_items_and_annotators_permutes_the_result(self, make: Any, crowd: Any) -> None:
        frame = crowd.frame()
        renamed = {
            "item": [name[::-1] for name in frame["item"]],
            "annotator": [name[::-1] for name in frame["annotator"]],
            "label": frame["label"],
        }
        one, other = make().fit(frame), make().fit(renamed)
        back = [other.item_ids_.to_pylist().index(name[::-1]) for name in one.item_ids_.to_pylist()]
        np.testing.assert_allclose(one.posterior_, other.posterior_[back], rtol=1e-9, atol=1e-12)
        for name, reliability in one.reliability_.items():
            assert other.reliability_[name[::-1]].accuracy == pytest.approx(reliability.accuracy, rel=1e-9)

    def test_reliability_is_a_mapping_with_one_entry_an_annotator(self, make: Any, crowd: Any) -> None:
        fit = make().fit(crowd.frame())
        assert list(fit.reliability_) == sorted(set(crowd.frame()["annotator"]))
        assert len(fit.reliability_) == 10
        assert "annotator-0000" in fit.reliability_
        assert "10 annotators" in repr(fit.reliability_)
        assert sum(entry.n_votes for entry in fit.reliability_.values()) == 240
        for entry in fit.reliability_.values():
            np.testing.assert_allclose(entry.confusion.sum(axis=1), 1.0, rtol=1e-12)
            assert 0.0 <= entry.accuracy <= 1.0

    def test_a_random_annotator_is_the_least_reliable(self, make: Any, make_crowd: Callable[..., Any]) -> None:
        crowd = make_crowd(2).items(400, votes=5).annotators(10, spammers=1).classes(4).accuracy(0.8).build()
        reliability = make().fit(crowd.frame()).reliability_
        assert min(reliability, key=lambda name: reliability[name].accuracy) == "annotator-0000"

    def test_a_fit_cannot_be_changed(self, make: Any, crowd: Any) -> None:
        fit = make().fit(crowd.frame())
        with pytest.raises(AttributeError):
            fit.n_iter_ = 3
