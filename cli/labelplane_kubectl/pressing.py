"""Which conditions a person should read: what is wrong, what is waited for, and how the job ended."""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, Reason

__all__ = ["Weight", "pressing", "weight"]


class Weight(Enum):
    """How much a condition matters, the most first."""

    WRONG = auto()
    """Nothing goes on until somebody does something."""
    WARNING = auto()
    """It goes on, and not as it should."""
    TOLD = auto()
    """It is as it should be, and worth knowing."""


_CALM: Final = frozenset({Reason.FINISHED, Reason.SUSPENDED_BY_USER, Reason.DELETING_RESULTS})
_TROUBLED: Final = frozenset({Reason.STAGE_RETRYING, Reason.DEPENDENCY_UNAVAILABLE})
_TRUE, _FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
_WEIGHTS: Final[Mapping[tuple[str, ConditionStatus], Weight]] = {
    (ConditionType.ACCEPTED, _FALSE): Weight.WRONG,
    (ConditionType.DATASET_READY, _FALSE): Weight.WRONG,
    (ConditionType.FAILED, _TRUE): Weight.WRONG,
    (ConditionType.QUALITY_GATE_PASSED, _FALSE): Weight.WARNING,
    (ConditionType.QUALITY_GATE_PASSED, ConditionStatus.UNKNOWN): Weight.TOLD,
    (ConditionType.WAITING_FOR_ANNOTATIONS, _TRUE): Weight.TOLD,
    (ConditionType.SUSPENDED, _TRUE): Weight.TOLD,
    (ConditionType.COMPLETE, _TRUE): Weight.TOLD,
}


def pressing(conditions: Sequence[Condition]) -> list[Condition]:
    """Return the conditions that matter, what is wrong first."""
    weighed = [(found, each) for each in conditions if (found := weight(each)) is not None]
    return [each for _, each in sorted(weighed, key=lambda pair: pair[0].value)]


def weight(condition: Condition) -> Weight | None:
    """Return how much a condition matters, None when it is as it nearly always is."""
    if condition.type != ConditionType.PROGRESSING:
        return _WEIGHTS.get((condition.type, condition.status))
    if condition.status is _FALSE:
        # The same refusal stands in Accepted, at length.
        is_echo = condition.reason in _CALM or condition.message == "the job is not accepted"
        return None if is_echo else Weight.WRONG
    return Weight.WARNING if condition.reason in _TROUBLED else None
