"""Operations: idempotent, fenced, resumable runs of one stage (architecture, section 6)."""

from labelplane_core.operations.context import OperationContext
from labelplane_core.operations.record import Failure, Invocation, OperationRecord, OperationState, Outcome, Progress
from labelplane_core.operations.runner import Body, OperationRunner, RunnerSettings, request_digest

__all__ = [
    "Body",
    "Failure",
    "Invocation",
    "OperationContext",
    "OperationRecord",
    "OperationRunner",
    "OperationState",
    "Outcome",
    "Progress",
    "RunnerSettings",
    "request_digest",
]
