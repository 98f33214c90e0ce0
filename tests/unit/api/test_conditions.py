from datetime import UTC, datetime, timedelta, timezone

import pytest

from labelplane_api import Condition, ConditionStatus, ConditionType, Reason, find_condition, is_true, set_condition

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def _condition(
    condition_type: ConditionType = ConditionType.PROGRESSING,
    status: ConditionStatus = ConditionStatus.TRUE,
    *,
    reason: Reason = Reason.STAGE_RUNNING,
    message: str = "Train runs",
    generation: int = 1,
) -> Condition:
    return Condition(type=condition_type, status=status, reason=reason, message=message, observed_generation=generation)


def test_a_first_condition_gets_the_time() -> None:
    (stood,) = set_condition((), _condition(), now=NOON)

    assert stood == _condition().model_copy(update={"last_transition_time": NOON})


@pytest.mark.parametrize(
    ("changed", "want_time"),
    [
        pytest.param(_condition(), NOON, id="nothing changed"),
        pytest.param(_condition(message="Score runs"), NOON, id="another message"),
        pytest.param(_condition(reason=Reason.STAGE_RETRYING), NOON, id="another reason"),
        pytest.param(_condition(generation=2), NOON, id="another generation"),
        pytest.param(_condition(status=ConditionStatus.FALSE), LATER, id="another status"),
        pytest.param(_condition(status=ConditionStatus.UNKNOWN), LATER, id="not known any more"),
    ],
)
def test_the_time_moves_only_with_the_status(changed: Condition, want_time: datetime) -> None:
    present = set_condition((), _condition(), now=NOON)

    (stood,) = set_condition(present, changed, now=LATER)

    assert stood == changed.model_copy(update={"last_transition_time": want_time})


def test_setting_what_stands_changes_nothing() -> None:
    present = set_condition((), _condition(), now=NOON)

    assert set_condition(present, _condition(), now=LATER) == present


def test_a_condition_keeps_its_place_and_the_others_stay() -> None:
    present = set_condition((), _condition(ConditionType.ACCEPTED), now=NOON)
    present = set_condition(present, _condition(), now=NOON)

    changed = set_condition(present, _condition(ConditionType.ACCEPTED, ConditionStatus.FALSE), now=LATER)

    assert [condition.type for condition in changed] == ["Accepted", "Progressing"]
    assert changed[1] is present[1]
    assert is_true(present, ConditionType.ACCEPTED)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(ConditionType.COMPLETE, ConditionType.FAILED, id="failed after complete"),
        pytest.param(ConditionType.FAILED, ConditionType.COMPLETE, id="complete after failed"),
    ],
)
def test_complete_and_failed_are_never_both_true(first: ConditionType, second: ConditionType) -> None:
    present = set_condition((), _condition(first), now=NOON)

    changed = set_condition(present, _condition(second, generation=2), now=LATER)

    yielded = find_condition(changed, first)
    assert yielded is not None
    assert yielded.status is ConditionStatus.FALSE
    assert (yielded.observed_generation, yielded.last_transition_time) == (2, LATER)
    assert is_true(changed, second)


def test_a_false_rival_leaves_a_true_condition_alone() -> None:
    present = set_condition((), _condition(ConditionType.COMPLETE), now=NOON)

    changed = set_condition(present, _condition(ConditionType.FAILED, ConditionStatus.FALSE), now=LATER)

    assert is_true(changed, ConditionType.COMPLETE)
    assert not is_true(changed, ConditionType.FAILED)


def test_an_absent_condition_is_not_true() -> None:
    assert find_condition((), ConditionType.COMPLETE) is None
    assert not is_true((), ConditionType.COMPLETE)


def test_times_are_kept_in_utc_to_the_second() -> None:
    summer = datetime(2026, 7, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))

    (stood,) = set_condition((), _condition(), now=summer)

    assert stood.to_manifest()["lastTransitionTime"] == "2026-07-01T12:00:00Z"
    assert Condition.model_validate(stood.to_manifest()) == stood
