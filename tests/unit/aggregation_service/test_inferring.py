"""Votes to posteriors: gold, priors, edits, ties, and nothing at all."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from labelplane_aggregation.inbox import IncomingVote
from labelplane_aggregation.inbox.votes import votes_table
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import class_counts, infer
from labelplane_aggregation.models import MODELS
from labelplane_aggregation.predicting import PredictionTable, join_predictions, softmax
from labelplane_aggregation.requests import Inference, Task
from labelplane_core.errors import BadTable, UnknownClass
from labelplane_core.tables import POSTERIORS, RELIABILITIES, conform
from labelplane_core.tasks import task_kind

TASK = Task(task_kind("TextClassification"), ("cat", "dog", "owl"))
MAJORITY = Inference("MajorityVote", {}, seed=1)
DAWID_SKENE = Inference("DawidSkene", {"max_iterations": 50, "shrinkage_mass": 2.0}, seed=1)
OTHERS = [Inference(name, {}, seed=1) for name in MODELS if name not in {"MajorityVote", "DawidSkene"}]
VotesOf = Callable[[Sequence[tuple[str, str, str]]], pa.Table]
IndexOf = Callable[..., pa.Table]


def posterior_of(table: pa.Table, item: str) -> dict[str, object]:
    return next(row for row in table.to_pylist() if row["item_id"] == item)


@pytest.mark.parametrize("inference", [MAJORITY, DAWID_SKENE, *OTHERS], ids=lambda each: each.method)
def test_tables_are_of_their_schemas(votes_of: VotesOf, inference: Inference) -> None:
    votes = votes_of([("i", "a", "cat"), ("i", "b", "cat"), ("i", "c", "dog"), ("j", "a", "owl")])
    inferred = infer(votes, TASK, inference)
    conform(inferred.posteriors, POSTERIORS)
    conform(inferred.reliabilities, RELIABILITIES)
    row = posterior_of(inferred.posteriors, "i")
    assert (row["answer"], row["n_votes"]) == ("cat", 3)
    assert row["agreement"] == pytest.approx(2 / 3)
    assert sum(row["probabilities"]) == pytest.approx(1)  # type: ignore[arg-type]
    assert inferred.reliabilities.column("source").to_pylist() == ["humans"] * 3
    assert len(inferred.reliabilities.column("confusion")[0]) == 9


def test_no_votes_give_empty_tables() -> None:
    inferred = infer(votes_table([]), TASK, DAWID_SKENE)
    assert len(inferred.posteriors) == len(inferred.reliabilities) == 0
    assert (inferred.iterations, inferred.log_likelihood) == (0, 0.0)
    assert inferred.class_prior.tolist() == pytest.approx([1 / 3] * 3)


def test_later_answer_of_an_annotator_counts_alone(votes_of: VotesOf) -> None:
    inferred = infer(votes_of([("i", "a", "cat"), ("i", "a", "dog")]), TASK, MAJORITY)
    row = posterior_of(inferred.posteriors, "i")
    assert (row["answer"], row["n_votes"], row["agreement"]) == ("dog", 1, 1.0)


def test_retracted_votes_count_for_nothing(vote: Callable[..., IncomingVote]) -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    votes = [vote("1", "i", "a"), vote("2", "i", "a", "", supersedes="1", retracted=True, time=later)]
    assert len(infer(votes_table(votes), TASK, MAJORITY).posteriors) == 0


def test_ties_are_drawn_by_the_seed_and_not_by_the_order_of_the_classes(votes_of: VotesOf) -> None:
    votes = votes_of([(f"i{k}", name, name) for k in range(40) for name in ("dog", "owl")])
    answers = infer(votes, TASK, MAJORITY).posteriors.column("answer").to_pylist()
    assert set(answers) == {"dog", "owl"}
    assert infer(votes, TASK, MAJORITY).posteriors.column("answer").to_pylist() == answers
    assert infer(votes, TASK, Inference("MajorityVote", {}, seed=2)).posteriors.column("answer").to_pylist() != answers


def crowd(votes_of: VotesOf) -> pa.Table:
    """Items of class "cat" for the gold, on which one annotator is always right and two agree on "dog"."""
    rows = [
        (f"g{k}", name, answer) for k in range(12) for name, answer in (("good", "cat"), ("b", "dog"), ("c", "dog"))
    ]
    return votes_of(
        [*rows, *((f"i{k}", name, "owl" if name == "good" else "dog") for k in range(4) for name in ("good", "b", "c"))]
    )


def test_gate_gold_is_held_and_teaches_who_is_right(votes_of: VotesOf, index_of: IndexOf) -> None:
    gold = Gold.of(index_of([f"g{k}" for k in range(12)], gate={f"g{k}": "cat" for k in range(12)}), "gate")
    with_gold = infer(crowd(votes_of), TASK, DAWID_SKENE, gold=gold)
    without = infer(crowd(votes_of), TASK, DAWID_SKENE)
    assert posterior_of(with_gold.posteriors, "g0")["confidence"] == 1.0
    assert posterior_of(with_gold.posteriors, "g0")["answer"] == "cat"
    accuracy = dict(
        zip(*(with_gold.reliabilities.column(name).to_pylist() for name in ("annotator", "accuracy")), strict=True)
    )
    assert accuracy["good"] > accuracy["b"]
    held, free = (
        gold.answered(each.posteriors.column("item_id"), each.posteriors.column("answer"))[1]
        for each in (with_gold, without)
    )
    assert len(held) == len(free) > 0
    assert held.all()
    assert not free.any()


def test_gold_without_votes_has_no_accuracy(votes_of: VotesOf, index_of: IndexOf) -> None:
    gold = Gold.of(index_of(["g"], gate={"g": "cat"}), "gate")
    posteriors = infer(votes_of([("i", "a", "cat")]), TASK, MAJORITY, gold=gold).posteriors
    truth, is_right = gold.answered(posteriors.column("item_id"), posteriors.column("answer"))
    assert (len(truth), len(is_right)) == (0, 0)


def test_model_decides_where_people_are_split(votes_of: VotesOf) -> None:
    votes = votes_of([(f"i{k}", name, answer) for k in range(10) for name, answer in (("a", "cat"), ("b", "dog"))])
    sure = np.tile([0.02, 0.96, 0.02], (10, 1))
    predictions = PredictionTable(pa.array([f"i{k}" for k in range(10)]), sure)
    inferred = infer(votes, TASK, DAWID_SKENE, predictions=predictions)
    assert set(inferred.posteriors.column("answer").to_pylist()) == {"dog"}


def test_unknown_class_names_vote_and_item(votes_of: VotesOf) -> None:
    with pytest.raises(UnknownClass, match="vote 'v0' on item 'i'"):
        infer(votes_of([("i", "a", "cow")]), TASK, MAJORITY)


def test_counts_by_class_leave_gold_out(votes_of: VotesOf) -> None:
    posteriors = infer(votes_of([("i", "a", "cat"), ("j", "a", "cat"), ("k", "a", "owl")]), TASK, MAJORITY).posteriors
    assert class_counts(posteriors, TASK.classes, leave_out=pa.array(["j"])).tolist() == [1, 0, 1]


Rows = dict[str, list[float]]


def rows_of(rows: Rows) -> tuple[pa.ChunkedArray, np.ndarray]:
    return pa.chunked_array([list(rows)], pa.string()), np.array(list(rows.values()))


def test_out_of_fold_goes_before_the_score_of_the_same_item() -> None:
    table = join_predictions([rows_of({"j": [1, 0]}), rows_of({"i": [0, 1], "j": [0, 1]})], n_classes=2)
    assert table.item_ids.to_pylist() == ["j", "i"]
    assert table.probabilities.tolist() == [[1, 0], [0, 1]]


def test_softmax_stands_large_logits_and_no_rows() -> None:
    assert softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert softmax(np.zeros((0, 0))).shape == (0, 0)


def test_prior_is_floored_and_the_mean_where_the_model_says_nothing() -> None:
    table = PredictionTable(pa.array(["i", "j"]), np.array([[1.0, 0.0], [0.5, 0.5]]))
    prior = table.floored(pa.array(["j", "i", "new"]))
    assert prior[1].tolist() == pytest.approx([0.9975, 0.0025])
    assert prior[2].tolist() == pytest.approx([0.995 * 0.75 + 0.0025, 0.995 * 0.25 + 0.0025])
    assert prior.sum(axis=1) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("rows", "want"),
    [({"i": [0.2, 0.3, 0.5]}, "3 classes, the task has 2"), ({"i": [np.nan, 1.0]}, "item 'i' has a probability")],
)
def test_predictions_that_do_not_fit_are_refused(rows: Rows, want: str) -> None:
    with pytest.raises(BadTable, match=want):
        join_predictions([rows_of(rows)], n_classes=2)
