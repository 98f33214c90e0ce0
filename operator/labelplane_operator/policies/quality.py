"""Whether the machine may accept labels by itself."""

from labelplane_api.conditions import ConditionStatus, Reason
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus

__all__ = ["has_gate_gold", "may_accept", "quality_gate"]


def has_gate_gold(status: LabelingJobStatus) -> bool:
    """Whether there is gold that decides."""
    return status.prepare is not None and status.prepare.gold_gate > 0


def quality_gate(status: LabelingJobStatus) -> tuple[ConditionStatus, Reason, str]:
    """Return the condition QualityGatePassed: without gold it is unknown, and without gates it holds."""
    if not has_gate_gold(status):
        return (
            ConditionStatus.UNKNOWN,
            Reason.NO_GOLD,
            "no gate gold: nothing is accepted by the machine alone; set dataset.goldField for some items",
        )
    return ConditionStatus.TRUE, Reason.NO_GATES, "no gates are set"


def may_accept(job: LabelingJob, status: LabelingJobStatus) -> bool:
    """Whether Finalize may accept labels inside the risk bound."""
    gate, _, _ = quality_gate(status)
    return job.spec.quality.acceptance.enabled and gate is ConditionStatus.TRUE
