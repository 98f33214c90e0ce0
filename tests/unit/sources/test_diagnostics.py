import numpy as np
import pyarrow as pa
import pytest
from source_cases import CLASSES, TEXTS, block, rule

from labelplane_aggregation.sources import Family, GazetteerSpec, KnowledgeBase, KnowledgeBaseSpec, diagnose
from labelplane_core.tables import KNOWLEDGE_BASES, POSTERIORS, RULE_DIAGNOSTICS, RULES, VOTES, from_matrix

ITEMS = block("a cat eats", "an oat plant", "a cat plant", "nothing")
ANNOTATORS = {"cat": RULES, "plant": RULES, "zebra": RULES, "kb": KNOWLEDGE_BASES}


@pytest.fixture
def votes() -> pa.Table:
    rules = Family(
        RULES,
        (
            rule("cat", name="cat"),
            rule("plant", name="plant", label="plant", priority=1),
            rule("zebra", name="zebra"),
        ),
        CLASSES,
    )
    spec = KnowledgeBaseSpec("kb", GazetteerSpec("t.csv"))
    terms = b"term,class,weight\neats,food,1\neats,animal,2\nnothing,food,1\n"
    base = Family(KNOWLEDGE_BASES, (KnowledgeBase(spec, {"": terms}, TEXTS),), CLASSES)
    person = rules.vote(block("a cat"), number=9).set_column(
        VOTES.columns.names.index("source"), VOTES.columns.field("source"), pa.array(["humans"])
    )
    return pa.concat_tables([rules.vote(ITEMS, number=0), base.vote(ITEMS, number=0), person])


def rows(table: pa.Table) -> dict[str, dict[str, object]]:
    return {str(row["annotator"]): row for row in table.to_pylist()}


def test_coverage_overlap_and_conflict_are_counted_for_each_rule(votes: pa.Table) -> None:
    found = diagnose(votes, ANNOTATORS, classes=CLASSES)
    counts = {
        name: (row["hits"], row["overlaps"], row["conflicts"], row["outvoted"])
        for name, row in rows(found.table).items()
    }

    assert found.table.schema.equals(RULE_DIAGNOSTICS.columns)
    assert counts == {
        "cat": (2, 2, 1, 1),  # with kb on i0, which says animal first; against plant on i2, and yields to it
        "plant": (2, 1, 1, 0),
        "zebra": (0, 0, 0, 0),
        "kb": (2, 1, 0, 0),
    }
    assert (found.covered, found.overlapping, found.conflicting) == (4, 2, 1)
    assert found.silent == ["zebra"]
    assert rows(found.table)["cat"]["answers"] == [2, 0, 0]


def test_accuracy_is_estimated_from_the_posteriors_of_the_votes_that_count(votes: pa.Table) -> None:
    posteriors = pa.table(
        {
            "item_id": ["i0", "i1", "i2"],
            "answer": ["animal", "plant", "plant"],
            "confidence": [0.8, 0.6, 0.9],
            "probabilities": from_matrix(np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.1, 0.0, 0.9]])),
            "n_votes": pa.array([1, 1, 1], pa.int32()),
            "agreement": [1.0, 1.0, 1.0],
        },
        schema=POSTERIORS.arrow,
    )

    found = rows(diagnose(votes, ANNOTATORS, classes=CLASSES, posteriors=posteriors).table)

    assert found["cat"]["estimated_accuracy"] == pytest.approx(0.8)  # on i2 it has yielded
    assert found["plant"]["estimated_accuracy"] == pytest.approx(0.75)
    assert found["zebra"]["estimated_accuracy"] is None


def test_accuracy_is_measured_on_gold(votes: pa.Table) -> None:
    gold = (pa.array(["i2", "i3"]), pa.array(["animal", "food"]))

    found = rows(diagnose(votes, ANNOTATORS, classes=CLASSES, gold=gold).table)

    assert {name: (row["gold_hits"], row["gold_right"]) for name, row in found.items()} == {
        "cat": (1, 1),
        "plant": (1, 0),
        "zebra": (0, 0),
        "kb": (1, 1),
    }


def test_without_a_vote_every_rule_is_silent() -> None:
    gold = (pa.array(["i2"]), pa.array(["animal"]))

    found = diagnose(VOTES.empty(), {"a": RULES}, classes=CLASSES, posteriors=POSTERIORS.empty(), gold=gold)

    assert found.silent == ["a"]
    assert found.covered == 0
    assert rows(found.table)["a"]["answers"] == [0, 0, 0]
