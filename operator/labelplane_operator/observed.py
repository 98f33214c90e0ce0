"""What was seen of a job's world, as plain values; whoever reads the world makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = ["InboxView", "Observed", "OperationError", "OperationState", "OperationView", "Problem"]


class OperationState(StrEnum):
    """How far an operation is; all but running are final."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class OperationError:
    """Why an operation failed."""

    reason: str
    message: str
    is_retryable: bool


@dataclass(frozen=True, slots=True)
class OperationView:
    """One operation as its service knows it."""

    request_id: str
    state: OperationState
    done: int = 0
    total: int = 0
    unit: str = ""
    started: datetime | None = None
    updated: datetime | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    error: OperationError | None = None


@dataclass(frozen=True, slots=True)
class InboxView:
    """The people's side of the job."""

    votes: int = 0
    votes_pending: int = 0
    votes_missing: int = 0
    votes_set_aside: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the job's pods cannot run, and what to do about it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that one reconcile read.

    Attributes:
        operation: the operation that the status names; None when none was started or its service is away.
        inbox: read after the operation, so that the tasks of a finished Review are counted; None while the
            aggregation service is away.
        unavailable: what could not be reached and why, in words for people; empty when everything could.
        problem: why the job's pods cannot run; None when they can, or are not seen yet.
    """

    operation: OperationView | None = None
    inbox: InboxView | None = None
    unavailable: str = ""
    problem: Problem | None = None
