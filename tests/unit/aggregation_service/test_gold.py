"""Which gold decides and which reports."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_aggregation.errors import BadDataset
from labelplane_aggregation.preparing.gold import known_classes, split_gold
from labelplane_aggregation.preparing.listing import Listing
from labelplane_aggregation.requests import Task
from labelplane_core.tasks import task_kind

TASK = Task(task_kind("TextClassification"), ("cat", "dog"))


def split(gold: list[str], share: float, seed: int = 0) -> list[str]:
    return split_gold(gold, gate_share=share, rng=np.random.default_rng(seed))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=80),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.integers(0, 5),
)
def test_split_gives_every_class_its_share_and_leaves_the_rest_alone(gold: list[str], share: float, seed: int) -> None:
    roles = split(gold, share, seed)
    assert [role == "" for role in roles] == [each == "" for each in gold]
    total = len([each for each in gold if each])
    gate = Counter(each for each, role in zip(gold, roles, strict=True) if role == "gate")
    assert sum(gate.values()) == pytest.approx(total * share, abs=0.5)
    for name, count in Counter(each for each in gold if each).items():
        assert abs(gate[name] - count * share) < 1


def test_split_depends_on_the_seed_alone() -> None:
    gold = ["a", "b"] * 20
    assert split(gold, 0.5, seed=1) == split(gold, 0.5, seed=1)
    assert split(gold, 0.5, seed=1) != split(gold, 0.5, seed=2)


def listing() -> Listing:
    return Listing(["x", "y"], None, ["a", "b"], {}, lambda row: f"items.csv:{row + 2}")


def test_gold_takes_the_spelling_of_the_classes() -> None:
    assert known_classes([" Cat", None], listing(), TASK, field="gold") == ["cat", ""]


def test_unknown_gold_names_line_and_nearest_class() -> None:
    with pytest.raises(BadDataset, match=r"items.csv:3: gold: answer 'dgo' .* did you mean 'dog'"):
        known_classes(["cat", "dgo"], listing(), TASK, field="gold")
