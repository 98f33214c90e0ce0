"""What rules add to people's votes, and what they may not do."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from source_cases import block, rule

from labelplane_aggregation.finalizing.labels import label_everything
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import infer
from labelplane_aggregation.predicting import PredictionTable
from labelplane_aggregation.requests import Acceptance, Inference, Task
from labelplane_aggregation.sources import Family, GazetteerSpec, KnowledgeBase, KnowledgeBaseSpec, Rule, Setting
from labelplane_core.errors import InvalidInput
from labelplane_core.tables import KNOWLEDGE_BASES, RULES
from labelplane_core.tasks import Modality, task_kind

CLASSES = ("cat", "dog", "owl")
TASK = Task(task_kind("TextClassification"), CLASSES)
SETTING = Setting(CLASSES, Modality.TEXT)
VotesOf = Callable[[Sequence[tuple[str, str, str]]], pa.Table]
METHODS = ("DawidSkene", "OneCoin", "Mace", "Glad", "VariationalBayes", "Auto", "LabelModel", "MajorityVote")


def method(name: str) -> Inference:
    return Inference(name, {}, seed=3)


def rule_votes(texts: dict[str, str], *labels: str) -> pa.Table:
    """Let a rule for each class vote for the texts that hold its name."""
    items = block(*texts.values())
    items.item_ids = list(texts)
    rules: tuple[Rule, ...] = tuple(rule(label, name=f"says-{label}", label=label, setting=SETTING) for label in labels)
    return Family(RULES, rules, CLASSES).vote(items, number=0)


def crowd(n_items: int) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """Return votes of three people on some items, one of whom errs on every fourth, and the truth of all."""
    truth = {f"i{number:03d}": CLASSES[number % 3] for number in range(n_items)}
    rows = []
    for number, (item, label) in enumerate(list(truth.items())[: n_items // 3]):
        wrong = CLASSES[(CLASSES.index(label) + 1) % 3]
        rows += [(item, "ann", label), (item, "bob", label), (item, "cy", wrong if number % 4 == 0 else label)]
    return rows, truth


@pytest.mark.parametrize("name", METHODS)
def test_every_method_labels_what_people_and_rules_have_voted_on(name: str, votes_of: VotesOf) -> None:
    rows, truth = crowd(90)
    # Each rule knows one class and is right: with silence taken for an accident, such votes would say nothing.
    votes = pa.concat_tables([votes_of(rows), rule_votes(truth, *CLASSES)])

    inferred = infer(votes, TASK, method(name))

    posteriors = inferred.posteriors
    answers = dict(zip(*(posteriors.column(each).to_pylist() for each in ("item_id", "answer")), strict=True))
    assert answers == truth
    assert len(inferred.asked) == 30
    sources = {row["annotator"]: row["source"] for row in inferred.reliabilities.to_pylist()}
    assert sources == {
        **dict.fromkeys(("ann", "bob", "cy"), "humans"),
        **dict.fromkeys(("says-cat", "says-dog", "says-owl"), RULES),
    }


def test_rules_alone_give_labels_too() -> None:
    inferred = infer(rule_votes({"a": "cat", "b": "dog", "c": "cat"}, "cat", "dog"), TASK, method("DawidSkene"))

    answers = dict(zip(*(inferred.posteriors.column(each).to_pylist() for each in ("item_id", "answer")), strict=True))
    assert answers == {"a": "cat", "b": "dog", "c": "cat"}
    assert len(inferred.asked) == 0
    assert inferred.class_prior.sum() == pytest.approx(1)
    assert inferred.iterations == 0


def test_people_overrule_a_rule_that_errs(votes_of: VotesOf) -> None:
    rows, truth = crowd(90)
    wrong = {item: "owl" if label == "cat" else label for item, label in truth.items()}
    votes = pa.concat_tables([votes_of(rows), rule_votes(wrong, *CLASSES)])

    inferred = infer(votes, TASK, method("DawidSkene"))

    answers = dict(zip(*(inferred.posteriors.column(each).to_pylist() for each in ("item_id", "answer")), strict=True))
    assert all(answers[item] == truth[item] for item in inferred.asked.to_pylist())
    accuracy = {row["annotator"]: row["accuracy"] for row in inferred.reliabilities.to_pylist()}
    assert accuracy["says-owl"] < accuracy["says-dog"]


def test_gate_gold_is_held_where_rules_alone_have_voted(index_of: Callable[..., pa.Table]) -> None:
    gold = Gold.of(index_of(["a", "b"], gate={"a": "owl"}), "gate")

    inferred = infer(rule_votes({"a": "cat", "b": "cat"}, "cat"), TASK, method("DawidSkene"), gold=gold)

    rows = {row["item_id"]: row for row in inferred.posteriors.to_pylist()}
    assert (rows["a"]["answer"], rows["a"]["confidence"]) == ("owl", 1.0)
    assert rows["b"]["probabilities"][0] < 0.5  # the rule erred on the one item that is known


def test_votes_and_agreement_count_everybody(votes_of: VotesOf) -> None:
    votes = pa.concat_tables(
        [votes_of([("a", "ann", "cat"), ("a", "bob", "cat")]), rule_votes({"a": "dog"}, "dog"), rule_votes({}, "owl")]
    )

    row = infer(votes, TASK, method("DawidSkene")).posteriors.to_pylist()[0]

    assert (row["answer"], row["n_votes"]) == ("cat", 3)
    assert row["agreement"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["MajorityVote", "DawidSkene"])
def test_a_person_and_a_rule_of_one_name_are_two_annotators(name: str, votes_of: VotesOf) -> None:
    votes = pa.concat_tables([votes_of([("a", "says-cat", "dog")]), rule_votes({"a": "cat", "b": "cat"}, "cat")])

    found = infer(votes, TASK, method(name)).reliabilities.to_pylist()

    assert sorted((row["annotator"], row["source"], row["n_votes"]) for row in found) == [
        ("says-cat", "humans", 1),
        ("says-cat", RULES, 2),
    ]


@pytest.mark.parametrize("name", ["MajorityVote", "DawidSkene"])
def test_a_split_vote_is_one_annotator_with_all_its_classes(name: str) -> None:
    spec = KnowledgeBaseSpec("kb", GazetteerSpec("t.csv"))
    terms = b"term,class,weight\npaw,cat,3\npaw,dog,1\n"
    source = KnowledgeBase(spec, {"": terms}, SETTING)
    votes = Family(KNOWLEDGE_BASES, (source,), CLASSES).vote(block("a paw", "two paws", "paw"), number=0)

    inferred = infer(votes, TASK, method(name))

    rows = inferred.posteriors.to_pylist()
    assert [row["answer"] for row in rows] == ["cat", "cat"]
    assert all(row["probabilities"][0] > row["probabilities"][1] > row["probabilities"][2] for row in rows)
    assert [(row["annotator"], row["n_votes"]) for row in inferred.reliabilities.to_pylist()] == [("kb", 2)]


def test_a_vote_of_a_class_that_is_gone_is_told() -> None:
    task = Task(TASK.kind, ("cat", "owl"))

    with pytest.raises(InvalidInput, match="answer 'dog' is no class of the task"):
        infer(rule_votes({"a": "dog"}, "dog"), task, method("DawidSkene"))


def test_a_model_is_the_prior_beside_the_rules(votes_of: VotesOf) -> None:
    votes = pa.concat_tables([votes_of([("a", "ann", "cat")]), rule_votes({"b": "cat"}, "cat")])
    sure = PredictionTable(pa.array(["a", "b"]), np.array([[0.1, 0.8, 0.1], [0.001, 0.998, 0.001]]))

    answers = {
        row["item_id"]: row["answer"]
        for row in infer(votes, TASK, method("DawidSkene"), predictions=sure).posteriors.to_pylist()
    }

    assert answers["b"] == "dog"  # one rule of which nothing is known does not overrule a sure model


def test_the_machine_decides_alone_by_the_model_and_not_by_rules(
    votes_of: VotesOf, index_of: Callable[..., pa.Table]
) -> None:
    gold = {f"g{number:02d}": "cat" for number in range(40)}
    index = index_of([*gold, "asked", "rule", "unsure", "free"], gate=gold)
    votes = pa.concat_tables([votes_of([("asked", "ann", "dog")]), rule_votes({"rule": "dog", "unsure": "dog"}, "dog")])
    inferred = infer(votes, TASK, method("DawidSkene"), gold=Gold.of(index, "gate"))
    sure, unsure = [0.98, 0.01, 0.01], [0.3, 0.4, 0.3]
    model = PredictionTable(
        pa.array([*gold, "asked", "rule", "unsure", "free"]),
        np.array([sure] * 25 + [unsure] * 15 + [sure, sure, unsure, sure]),
    )

    labels = label_everything(
        index,
        inferred,
        classes=CLASSES,
        predictions=model,
        acceptance=Acceptance(is_enabled=True, maximum_risk=0.2, confidence=0.9),
    )

    rows = {row["item_id"]: (row["label"], row["state"]) for row in labels.published.to_pylist()}
    assert rows["asked"] == ("dog", "human")
    assert rows["rule"] == ("cat", "accepted")  # the bound was measured on the model's labels
    assert rows["unsure"] == ("dog", "predicted")
    assert rows["free"] == ("cat", "accepted")
