"""Whether a new student takes the place of the standing one."""

import math
from dataclasses import dataclass

from labelplane_api.conditions import Reason
from labelplane_api.status import LabelingJobStatus, StageResult
from labelplane_operator.policies.quality import has_gate_gold

__all__ = ["Promotion", "decide_promotion"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of a new student."""

    is_promoted: bool
    reason: Reason
    message: str


def decide_promotion(status: LabelingJobStatus, train: StageResult) -> Promotion:
    """Promote the first student, and every later one that gate gold does not show to be worse.

    Both models answer the same gate items, so only those count on which exactly one is right. The new model is worse
    when the standing one leads by more than one standard error of that paired difference, sqrt(b + c) items (the
    variance of McNemar's statistic, 1947): with little gold a strict comparison would keep an old model because of
    one lucky item, and the new one has seen more labels. Without gate gold there is nothing to compare.
    """
    accuracy = train.figures.get("student_accuracy")
    if status.model is None:
        return Promotion(
            is_promoted=True, reason=Reason.FIRST_MODEL, message=f"first student{_shown(accuracy, status)}"
        )
    standing = train.figures.get("standing_accuracy")
    if accuracy is None or standing is None:
        return Promotion(is_promoted=True, reason=Reason.NO_GOLD, message="no gate gold to compare by: newest student")
    gained, lost = train.figures.get("only_student_right", 0.0), train.figures.get("only_standing_right", 0.0)
    both = f"{100 * standing:.1f} -> {100 * accuracy:.1f} % {_measured_on(status)}"
    if lost - gained > math.sqrt(lost + gained):
        return Promotion(is_promoted=False, reason=Reason.NOT_BETTER, message=f"new student is worse: {both}")
    return Promotion(is_promoted=True, reason=Reason.BETTER_MODEL, message=f"new student: {both}")


def _shown(accuracy: float | None, status: LabelingJobStatus) -> str:
    return "" if accuracy is None else f": {100 * accuracy:.1f} % {_measured_on(status)}"


def _measured_on(status: LabelingJobStatus) -> str:
    """Say what the figures were measured on; distillation holds labels out where there is no gold."""
    return "on gate gold" if has_gate_gold(status) else "on labels that were held out"
