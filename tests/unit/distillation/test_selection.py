from typing import Self

import numpy as np
import pyarrow as pa
import pytest

from labelplane_core.errors import BadTable
from labelplane_core.tables import from_matrix
from labelplane_distillation.errors import TooFewItems
from labelplane_distillation.selection import choose_items

CLASSES = ("cat", "dog")


class Tables:
    """Builds an index and posteriors, an item at a time."""

    def __init__(self) -> None:
        self._items: list[tuple[str, str | None, str]] = []
        self._votes: list[tuple[str, list[float]]] = []

    def item(self, name: str, *, gold: str | None = None, role: str = "", votes: list[float] | None = None) -> Self:
        self._items.append((name, gold, role))
        if votes is not None:
            self._votes.append((name, votes))
        return self

    def stranger(self, name: str) -> Self:
        self._votes.append((name, [0.5, 0.5]))
        return self

    def build(self) -> tuple[pa.Table, pa.Table]:
        names, gold, roles = zip(*self._items, strict=True)
        index = pa.table(
            {"item_id": pa.array(names), "gold": pa.array(gold, pa.string()), "gold_role": pa.array(roles)}
        )
        ids = pa.array([name for name, _ in self._votes], pa.string())
        matrix = np.array([row for _, row in self._votes], dtype=np.float64).reshape(len(self._votes), len(CLASSES))
        return index, pa.table({"item_id": ids, "probabilities": from_matrix(matrix)})


def make_tables() -> Tables:
    return (
        Tables()
        .item("a", votes=[0.9, 0.1])
        .item("b", gold="dog", role="gate", votes=[0.8, 0.2])
        .item("c")
        .item("d", gold="cat", role="audit", votes=[0.7, 0.3])
        .item("e", votes=[0.2, 0.8])
        .item("f", gold="cat", role="gate")
    )


def test_gold_is_measured_on_and_never_trained_on_even_when_it_has_votes() -> None:
    index, posteriors = make_tables().build()
    chosen = choose_items(index, posteriors, CLASSES, trains_on_gold=False)
    assert chosen.labelled.tolist() == [0, 4]
    assert chosen.gate.tolist() == [1, 5]
    assert chosen.gate_classes.tolist() == [1, 0]
    assert chosen.unlabelled.tolist() == [2]
    np.testing.assert_array_equal(chosen.targets, [[0.9, 0.1], [0.2, 0.8]])
    assert chosen.weights.mean() == pytest.approx(1.0)
    assert chosen.weights[0] > chosen.weights[1]


def test_a_job_that_trains_on_gold_learns_the_known_class_of_gate_gold_but_never_audit_gold() -> None:
    index, posteriors = make_tables().build()
    chosen = choose_items(index, posteriors, CLASSES, trains_on_gold=True)
    assert chosen.labelled.tolist() == [0, 1, 4, 5]
    np.testing.assert_array_equal(chosen.targets[1], [0.0, 1.0])
    assert chosen.is_gold.tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("tables", "want_error", "want_message"),
    [
        pytest.param(make_tables().stranger("zebra"), BadTable, "'zebra'", id="an item that the index does not hold"),
        pytest.param(
            make_tables().item("x", votes=[0.9, 0.9]), BadTable, "'x' does not sum to 1", id="not a distribution"
        ),
        pytest.param(make_tables().item("x", votes=[np.nan, 1.0]), BadTable, "'x' does not sum", id="not a number"),
        pytest.param(Tables().item("a", votes=[1.0, 0.0]).item("b"), TooFewItems, "1 items", id="one labelled item"),
        pytest.param(Tables().item("a").item("b"), TooFewItems, "0 items", id="no labelled item"),
    ],
)
def test_bad_tables_are_refused_by_name(tables: Tables, want_error: type[Exception], want_message: str) -> None:
    index, posteriors = tables.build()
    with pytest.raises(want_error, match=want_message):
        choose_items(index, posteriors, CLASSES, trains_on_gold=False)


def test_posteriors_of_other_classes_are_refused() -> None:
    index, posteriors = make_tables().build()
    with pytest.raises(BadTable, match="2 probabilities a row for 3 classes"):
        choose_items(index, posteriors, ("cat", "dog", "emu"), trains_on_gold=False)
