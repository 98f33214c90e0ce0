"""A label for every item, by what is known of it."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from labelplane_aggregation.finalizing.labels import label_everything
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import infer
from labelplane_aggregation.predicting import PredictionTable
from labelplane_aggregation.requests import Acceptance, Inference, Task
from labelplane_core.tables import LABELS, conform
from labelplane_core.tasks import task_kind

CLASSES = ("cat", "dog", "owl")
TASK = Task(task_kind("TextClassification"), CLASSES)
MAJORITY = Inference("MajorityVote", {}, seed=1)
NO_ACCEPTANCE = Acceptance(is_enabled=False, maximum_risk=0.2, confidence=0.9)
ACCEPTANCE = Acceptance(is_enabled=True, maximum_risk=0.2, confidence=0.9)
VotesOf = Callable[[Sequence[tuple[str, str, str]]], pa.Table]


def by_item(labels: pa.Table) -> dict[str, tuple[object, ...]]:
    rows = conform(labels, LABELS).to_pylist()
    return {row["item_id"]: (row["label"], row["state"], row["n_votes"]) for row in rows}


def predictions(rows: dict[str, list[float]]) -> PredictionTable:
    return PredictionTable(pa.array(list(rows)), np.array(list(rows.values())))


def test_people_go_before_the_model_and_gold_before_both(votes_of: VotesOf, index_of: Callable[..., pa.Table]) -> None:
    index = index_of(["g", "h", "v", "m", "n"], gate={"g": "owl"}, audit={"h": "owl"})
    votes = votes_of([("v", "a", "dog"), ("h", "a", "dog"), ("g", "a", "dog")])
    inferred = infer(votes, TASK, MAJORITY, gold=Gold.of(index, "gate"))
    model = predictions({item: [0.9, 0.05, 0.05] for item in ("g", "h", "v", "m")})
    labels = label_everything(index, inferred, classes=CLASSES, predictions=model, acceptance=NO_ACCEPTANCE)
    assert by_item(labels.published) == {
        "g": ("owl", "human", 1),
        "h": ("owl", "human", 1),
        "v": ("dog", "human", 1),
        "m": ("cat", "predicted", 0),
        "n": ("dog", "predicted", 0),
    }
    assert by_item(labels.measured)["h"] == ("dog", "human", 1)
    confidence = dict(
        zip(*(labels.published.column(name).to_pylist() for name in ("item_id", "confidence")), strict=True)
    )
    assert confidence["h"] == 1.0
    assert confidence["m"] == pytest.approx(0.9)


def test_model_is_let_decide_above_the_threshold_alone(votes_of: VotesOf, index_of: Callable[..., pa.Table]) -> None:
    gold = {f"g{k}": "cat" for k in range(40)}
    index = index_of([*gold, "sure", "unsure", "unseen"], gate=gold)
    rows = {item: [0.95, 0.03, 0.02] for item in gold} | {"sure": [0.97, 0.02, 0.01], "unsure": [0.0, 0.5, 0.5]}
    rows |= {f"g{k}": [0.3, 0.4, 0.3] for k in range(12)}  # wrong where it is unsure
    inferred = infer(votes_of([]), TASK, MAJORITY)
    labels = label_everything(index, inferred, classes=CLASSES, predictions=predictions(rows), acceptance=ACCEPTANCE)
    assert labels.threshold is not None
    assert 0.4 < labels.threshold.confidence <= 0.95
    found = by_item(labels.published)
    assert (found["sure"][1], found["unseen"][1]) == ("accepted", "predicted")
    held = label_everything(index, inferred, classes=CLASSES, predictions=predictions(rows), acceptance=NO_ACCEPTANCE)
    assert by_item(held.published)["sure"][1] == "predicted"


def test_nothing_known_gives_even_odds_and_vouches_for_nothing(
    votes_of: VotesOf, index_of: Callable[..., pa.Table]
) -> None:
    labels = label_everything(
        index_of(["i"]), infer(votes_of([]), TASK, MAJORITY), classes=CLASSES, predictions=None, acceptance=ACCEPTANCE
    )
    assert by_item(labels.published) == {"i": ("cat", "predicted", 0)}
    assert labels.published.column("confidence")[0].as_py() == pytest.approx(1 / 3)
