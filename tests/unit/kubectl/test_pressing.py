import pytest

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, Reason
from labelplane_kubectl.pressing import Weight, pressing, weight

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def _condition(kind: ConditionType, value: ConditionStatus, reason: Reason, message: str = "") -> Condition:
    return Condition(type=kind, status=value, reason=reason, message=message, observed_generation=1)


@pytest.mark.parametrize(
    ("kind", "value", "reason", "want"),
    [
        pytest.param(ConditionType.ACCEPTED, TRUE, Reason.SPEC_VALID, None, id="accepted"),
        pytest.param(ConditionType.ACCEPTED, FALSE, Reason.SPEC_INVALID, Weight.WRONG, id="refused"),
        pytest.param(ConditionType.PROGRESSING, TRUE, Reason.STAGE_RUNNING, None, id="gets on"),
        pytest.param(ConditionType.PROGRESSING, TRUE, Reason.STAGE_RETRYING, Weight.WARNING, id="is tried again"),
        pytest.param(ConditionType.PROGRESSING, TRUE, Reason.DEPENDENCY_UNAVAILABLE, Weight.WARNING, id="is away"),
        pytest.param(ConditionType.PROGRESSING, FALSE, Reason.IMAGE_UNAVAILABLE, Weight.WRONG, id="does not get on"),
        pytest.param(ConditionType.PROGRESSING, FALSE, Reason.FINISHED, None, id="has ended"),
        pytest.param(ConditionType.PROGRESSING, FALSE, Reason.SUSPENDED_BY_USER, None, id="rests"),
        pytest.param(ConditionType.PROGRESSING, FALSE, Reason.CLEANUP_FAILED, Weight.WRONG, id="cannot be cleaned up"),
        pytest.param(ConditionType.QUALITY_GATE_PASSED, FALSE, Reason.GATE_MISSED, Weight.WARNING, id="missed gate"),
        pytest.param(ConditionType.QUALITY_GATE_PASSED, TRUE, Reason.GATES_MET, None, id="met gates"),
        pytest.param(ConditionType.SUSPENDED, FALSE, Reason.RESUMED, None, id="resumed"),
        pytest.param(ConditionType.FAILED, TRUE, Reason.INVALID_INPUT, Weight.WRONG, id="failed"),
        pytest.param(ConditionType.FAILED, FALSE, Reason.RESUMED, None, id="tried again after a failure"),
    ],
)
def test_a_condition_weighs_what_it_means(
    kind: ConditionType, value: ConditionStatus, reason: Reason, want: Weight | None
) -> None:
    assert weight(_condition(kind, value, reason)) is want


def test_what_is_wrong_comes_first() -> None:
    told = _condition(ConditionType.QUALITY_GATE_PASSED, UNKNOWN, Reason.NO_GOLD)
    warning = _condition(ConditionType.PROGRESSING, TRUE, Reason.STAGE_RETRYING)
    wrong = _condition(ConditionType.DATASET_READY, FALSE, Reason.DATASET_INVALID)
    assert pressing([told, warning, wrong]) == [wrong, warning, told]


def test_a_refusal_is_told_once() -> None:
    echo = _condition(ConditionType.PROGRESSING, FALSE, Reason.SPEC_INVALID, "the job is not accepted")
    refusal = _condition(ConditionType.ACCEPTED, FALSE, Reason.SPEC_INVALID, "spec.dataset.uri: is a folder")
    assert pressing([echo, refusal]) == [refusal]


def test_a_condition_of_a_newer_version_is_left_out() -> None:
    newer = Condition(type="Frozen", status=TRUE, reason="Winter", observed_generation=1)
    assert pressing([newer]) == []
