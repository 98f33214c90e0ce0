"""The condition QualityGatePassed: figures of Aggregate against the bounds of the job."""

from collections.abc import Mapping
from typing import Any

import pytest
from job_builder import make_job

from labelplane_api.status import LabelingJobStatus, PrepareStatus, RoundStatus, Stage, StageResult
from labelplane_operator.policies.quality import may_accept, may_export, quality_gate


def measured(figures: Mapping[str, float] | None, *, gold: int = 50) -> LabelingJobStatus:
    """Return the status after an Aggregate with these figures; None is before the first."""
    prepare = PrepareStatus(result=StageResult(request_id="p"), items=1000, gold_gate=gold, data_hash="h")
    stages = {} if figures is None else {Stage.AGGREGATE: StageResult(request_id="a", figures=dict(figures))}
    return LabelingJobStatus(prepare=prepare, rounds=(RoundStatus(round=0, stages=stages),))


def of_class(place: int, accuracy: float, *, classes: int = 2) -> dict[str, float]:
    return {"gate_classes": classes, "gate_class": place, "gate_class_accuracy": accuracy}


CLASS_GATES = {"minimum_class_accuracy": {"3": 0.9, "7": 0.5}}

CASES = [
    pytest.param({}, {}, 50, "True", "NoGates", "no gates are set", id="no gate is set"),
    pytest.param({}, {}, 0, "Unknown", "NoGold", "no gate gold: nothing is accepted", id="no gate and no gold"),
    pytest.param(
        {"minimum_alpha": 0.8},
        {"alpha": 0.8},
        50,
        "True",
        "GatesMet",
        "minimumAlpha: alpha is 0.8, at least 0.8 is wanted",
        id="people agree just enough",
    ),
    pytest.param(
        {"minimum_alpha": 0.8},
        {"alpha": 0.7996},
        50,
        "False",
        "GateMissed",
        "minimumAlpha: alpha is 0.7996, at least 0.8 is wanted",
        id="people agree almost enough",
    ),
    pytest.param(
        {"minimum_ac1": -0.5}, {"ac1": -0.6}, 50, "False", "GateMissed", "minimumAc1: AC1 is -0.6", id="AC1 below zero"
    ),
    pytest.param(
        {"maximum_estimated_error": 0.05},
        {"estimated_error": 0.06},
        50,
        "False",
        "GateMissed",
        "maximumEstimatedError: the estimated error is 0.06, at most 0.05 is wanted",
        id="posteriors too unsure",
    ),
    pytest.param(
        {"maximum_estimated_error": 0.05},
        {"estimated_error": 0.05},
        50,
        "True",
        "GatesMet",
        "",
        id="as unsure as may be",
    ),
    pytest.param(
        {"minimum_gold_accuracy": 0.9},
        {"gate_accuracy": 0.875},
        50,
        "False",
        "GateMissed",
        "minimumGoldAccuracy: accuracy is 0.875, at least 0.9 is wanted",
        id="too often wrong on gate gold",
    ),
    pytest.param(
        CLASS_GATES,
        of_class(3, 0.8),
        50,
        "False",
        "GateMissed",
        "minimumClassAccuracy: accuracy of class '3' is 0.8, at least 0.9 is wanted",
        id="one class too often wrong",
    ),
    pytest.param(
        CLASS_GATES, of_class(7, 0.5), 50, "True", "GatesMet", "class '7' is 0.5", id="worst class just right"
    ),
    pytest.param(
        CLASS_GATES,
        of_class(7, 0.6, classes=1),
        50,
        "Unknown",
        "NotMeasured",
        "minimumClassAccuracy: 1 of 2 classes have votes on their gate gold",
        id="a class without votes on its gold",
    ),
    pytest.param(
        CLASS_GATES, of_class(3, 0.6, classes=1), 50, "False", "GateMissed", "class '3'", id="missed whatever the rest"
    ),
    pytest.param(
        CLASS_GATES, of_class(5, 0.6), 50, "Unknown", "NotMeasured", "", id="the worst class by gates of before"
    ),
    pytest.param(
        {"minimum_gold_accuracy": 0.9},
        {},
        0,
        "Unknown",
        "NoGold",
        "minimumGoldAccuracy: no gate gold: set dataset.goldField",
        id="a gate on gold without gold",
    ),
    pytest.param(CLASS_GATES, {}, 0, "Unknown", "NoGold", "minimumClassAccuracy: no gate", id="classes without gold"),
    pytest.param({"minimum_alpha": 0.8}, {"alpha": 0.9}, 0, "True", "GatesMet", "", id="a gate that needs no gold"),
    pytest.param(
        {"minimum_alpha": 0.8, "minimum_gold_accuracy": 0.9},
        {"alpha": 0.1},
        0,
        "False",
        "GateMissed",
        "minimumAlpha: alpha is 0.1",
        id="one missed and one unknown",
    ),
    pytest.param(
        {"minimum_alpha": 0.8, "minimum_ac1": 0.8},
        {"alpha": 0.1, "ac1": 0.2},
        50,
        "False",
        "GateMissed",
        "alpha is 0.1, at least 0.8 is wanted; minimumAc1: AC1 is 0.2, at least 0.8 is wanted",
        id="two missed are both told",
    ),
    pytest.param(
        {"minimum_alpha": 0.8}, None, 50, "Unknown", "NotMeasured", "the first Aggregate", id="before any Aggregate"
    ),
    pytest.param(
        {"minimum_alpha": 0.8}, {}, 50, "Unknown", "NotMeasured", "minimumAlpha: not defined yet", id="one vote an item"
    ),
    pytest.param(
        {"minimum_gold_accuracy": 0.9},
        {},
        50,
        "Unknown",
        "NotMeasured",
        "minimumGoldAccuracy: gate gold has no votes yet",
        id="gold that nobody voted on",
    ),
    pytest.param(
        {"minimum_alpha": 0.8, "minimum_ac1": 0.1},
        {"ac1": 0.9},
        50,
        "Unknown",
        "NotMeasured",
        "minimumAlpha",
        id="one met and one not measured",
    ),
]


@pytest.mark.parametrize(("gates", "figures", "gold", "want_status", "want_reason", "want_text"), CASES)
def test_quality_gate(
    gates: dict[str, Any],
    figures: dict[str, float] | None,
    gold: int,
    want_status: str,
    want_reason: str,
    want_text: str,
) -> None:
    job, status = make_job().with_gates(**gates).build(), measured(figures, gold=gold)
    value, reason, message = quality_gate(job, status)
    assert (value, reason) == (want_status, want_reason)
    assert want_text in message
    assert may_accept(job, status) == (want_status == "True" and gold > 0)
    assert may_export(job, status) == (want_status != "False")


def test_newest_aggregate_decides() -> None:
    first, second = measured({"alpha": 0.9}), measured({"alpha": 0.1})
    both = first.model_copy(update={"rounds": (*first.rounds, *second.rounds)})
    assert quality_gate(make_job().with_gates(minimum_alpha=0.8).build(), both)[1] == "GateMissed"


def test_acceptance_that_is_switched_off_stays_off_when_the_gates_are_met() -> None:
    job = make_job().with_gates(minimum_alpha=0.8).having("spec.quality.acceptance", {"enabled": False}).build()
    assert not may_accept(job, measured({"alpha": 0.9}))
