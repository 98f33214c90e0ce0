"""The figures that quality gates are judged by, from votes and gold small enough to count by hand."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from labelplane_aggregation.inbox.votes import votes_table
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import infer
from labelplane_aggregation.measuring import agreement_figures, estimated_error, gate_figures
from labelplane_aggregation.requests import Inference, Task
from labelplane_core.tasks import task_kind

TASK = Task(task_kind("TextClassification"), ("cat", "dog", "owl"))
MAJORITY = Inference("MajorityVote", {}, seed=1)
VotesOf = Callable[[Sequence[tuple[str, str, str]]], pa.Table]
IndexOf = Callable[..., pa.Table]

PAIRS = [("i", "cat", "cat"), ("j", "dog", "dog"), ("k", "cat", "cat"), ("l", "cat", "dog")]
ROWS = [row for item, ann, bob in PAIRS for row in ((item, "ann", ann), (item, "bob", bob))]


def test_agreement_is_as_counted_by_hand(votes_of: VotesOf) -> None:
    figures = agreement_figures(votes_of(ROWS), TASK)
    assert figures["alpha"] == pytest.approx(1 - (2 / 8) / (2 * 5 * 3 / (8 * 7)))
    chance = 2 * (5 / 8) * (3 / 8) / 2
    assert figures["ac1"] == pytest.approx((3 / 4 - chance) / (1 - chance))


def test_agreement_is_of_people_and_of_their_last_answers(votes_of: VotesOf) -> None:
    machine = votes_of([(item, "model", "owl") for item, _, _ in PAIRS])
    column = pa.array(["models"] * len(machine), pa.string())
    machine = machine.set_column(machine.schema.get_field_index("source"), machine.schema.field("source"), column)
    machine = machine.set_column(
        machine.schema.get_field_index("vote_id"),
        machine.schema.field("vote_id"),
        pa.array([f"m{place}" for place in range(len(machine))], pa.string()),
    )
    changed = votes_of([*ROWS[:-1], ("l", "bob", "owl"), ROWS[-1]])
    assert agreement_figures(pa.concat_tables([changed, machine]), TASK) == agreement_figures(votes_of(ROWS), TASK)


UNDEFINED = [
    pytest.param([], set(), id="no votes"),
    pytest.param([("i", "ann", "cat"), ("j", "bob", "dog")], set(), id="one vote an item"),
    pytest.param([("i", "ann", "cat"), ("i", "bob", "cat")], {"ac1"}, id="one class only leaves alpha undefined"),
]


@pytest.mark.parametrize(("rows", "want"), UNDEFINED)
def test_agreement_that_is_not_defined_is_absent(
    votes_of: VotesOf, rows: list[tuple[str, str, str]], want: set[str]
) -> None:
    assert set(agreement_figures(votes_of(rows), TASK)) == want


def test_estimated_error_is_of_items_outside_gold(votes_of: VotesOf) -> None:
    posteriors = infer(votes_of(ROWS), TASK, MAJORITY).posteriors
    assert estimated_error(posteriors, leave_out=pa.array(["i", "j"])) == pytest.approx(0.25)
    assert estimated_error(posteriors, leave_out=pa.array(["i", "j", "k", "l"])) is None
    assert estimated_error(infer(votes_table([]), TASK, MAJORITY).posteriors, leave_out=pa.array(["i"])) is None


def gate_gold(index_of: IndexOf, **known: str) -> Gold:
    return Gold.of(index_of(list(known), gate=known), "gate")


NEAREST = [
    pytest.param({}, {}, id="no minimum and no figure of classes"),
    pytest.param({"cat": 0.9}, {"gate_classes": 1, "gate_class": 0, "gate_class_accuracy": 0.5}, id="one class"),
    pytest.param(
        {"cat": 0.1, "dog": 0.9},
        {"gate_classes": 2, "gate_class": 1, "gate_class_accuracy": 1.0},
        id="nearest to its own minimum, not the worst",
    ),
    pytest.param(
        {"dog": 0.75, "cat": 0.25},
        {"gate_classes": 2, "gate_class": 0, "gate_class_accuracy": 0.5},
        id="the first of equals by the task's classes",
    ),
    pytest.param(
        {"dog": 0.5, "owl": 0.5},
        {"gate_classes": 1, "gate_class": 1, "gate_class_accuracy": 1.0},
        id="a class without gold is not counted",
    ),
    pytest.param({"owl": 0.5}, {"gate_classes": 0}, id="no class of them has gold"),
]


@pytest.mark.parametrize(("minimums", "want"), NEAREST)
def test_class_nearest_to_missing_speaks_for_all(
    votes_of: VotesOf, index_of: IndexOf, minimums: dict[str, float], want: dict[str, float]
) -> None:
    gold = gate_gold(index_of, i="cat", j="dog", k="cat", silent="cat")
    votes = votes_of([("i", "ann", "cat"), ("j", "ann", "dog"), ("k", "ann", "owl")])
    figures = gate_figures(infer(votes, TASK, MAJORITY).posteriors, gold, classes=TASK.classes, minimums=minimums)
    assert figures.pop("gate_accuracy") == pytest.approx(2 / 3)
    assert figures == want


def test_gold_that_nobody_voted_on_gives_no_accuracy(votes_of: VotesOf, index_of: IndexOf) -> None:
    posteriors = infer(votes_of(ROWS), TASK, MAJORITY).posteriors
    gold = gate_gold(index_of, silent="cat")
    assert gate_figures(posteriors, gold, classes=TASK.classes, minimums={"cat": 0.5}) == {"gate_classes": 0}
