"""The record of one operation in object storage: the one thing that every process believes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from labelplane_core.errors import DamagedRecord, ErrorCode, LabelplaneError

__all__ = ["Failure", "Invocation", "OperationRecord", "OperationState", "Outcome", "Progress"]

MAX_FIGURES = 64
MAX_RESULTS = 16
MAX_MESSAGE_LENGTH = 1024


class OperationState(StrEnum):
    """How far an operation is; all but running are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of one stage, and the leader that asks for it."""

    request_id: str
    leader_epoch: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage hands over: keys in the store by name, and named measurements."""

    results: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the bounds that the status of a job is sized for."""
        if len(self.results) > MAX_RESULTS or len(self.figures) > MAX_FIGURES:
            raise ValueError(
                f"an outcome holds at most {MAX_RESULTS} results and {MAX_FIGURES} figures, "
                f"not {len(self.results)} and {len(self.figures)}"
            )


@dataclass(frozen=True, slots=True)
class Progress:
    """Work done so far; `total` is 0 while it is not known."""

    done: int = 0
    total: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation failed: the canonical code's name, a constant for programs and words for people."""

    code: str
    reason: str
    message: str
    retryable: bool

    @classmethod
    def of(cls, error: LabelplaneError) -> Self:
        """Return the failure that an error of ours stands for, its message cut to the bound."""
        message = str(error)[:MAX_MESSAGE_LENGTH]
        return cls(code=error.code.name, reason=error.reason, message=message, retryable=error.retryable)

    @classmethod
    def unexpected(cls, error: BaseException) -> Self:
        """Return the failure for a defect: its type only, since its text was not written for people."""
        message = f"unexpected {type(error).__name__}: the service's log has the details"
        return cls(code=ErrorCode.INTERNAL.name, reason="Unexpected", message=message, retryable=True)


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """What is known of an operation.

    `owner` is the process that runs it; empty when it was given up and anyone may take it. `beat` changes with every
    heartbeat, so that the record's ETag shows whether the owner lives. `request` is the RPC's message as JSON, so that
    the operation can be replayed.
    """

    request_id: str
    stage: str
    request: str
    request_digest: str
    owner: str
    leader_epoch: int
    started: datetime
    updated: datetime
    state: OperationState = OperationState.RUNNING
    beat: int = 0
    takeovers: int = 0
    cancel_requested: bool = False
    progress: Progress = Progress()
    results: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None

    @property
    def is_final(self) -> bool:
        """Whether the record will never change again."""
        return self.state is not OperationState.RUNNING

    def beaten(self, now: datetime, *, progress: Progress) -> Self:
        """Return the record after one more heartbeat."""
        return replace(self, beat=self.beat + 1, updated=now, progress=progress)

    def taken_over(self, now: datetime, *, owner: str, leader_epoch: int) -> Self:
        """Return the record in the hands of another process, which resumes from what is in the store."""
        epoch = max(leader_epoch, self.leader_epoch)
        return replace(
            self, owner=owner, leader_epoch=epoch, updated=now, takeovers=self.takeovers + 1, beat=self.beat + 1
        )

    def succeeded(self, now: datetime, outcome: Outcome) -> Self:
        """Return the record with its results."""
        return replace(
            self,
            state=OperationState.SUCCEEDED,
            updated=now,
            results=dict(outcome.results),
            figures={name: float(value) for name, value in outcome.figures.items()},
        )

    def failed(self, now: datetime, failure: Failure) -> Self:
        """Return the record with the cause of its failure."""
        return replace(self, state=OperationState.FAILED, updated=now, failure=failure)

    def cancelled(self, now: datetime) -> Self:
        """Return the record of an operation that was stopped on request."""
        return replace(self, state=OperationState.CANCELLED, updated=now)

    def to_json(self) -> bytes:
        """Return the record as it lies in the store."""
        fields = asdict(self)
        fields |= {"started": self.started.isoformat(), "updated": self.updated.isoformat()}
        return json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes, *, key: str) -> Self:
        """Return the record that lies at `key`.

        Raises:
            DamagedRecord: the object there is no record of this version.
        """
        try:
            fields: dict[str, Any] = json.loads(data)
            fields["started"] = datetime.fromisoformat(fields["started"])
            fields["updated"] = datetime.fromisoformat(fields["updated"])
            fields["state"] = OperationState(fields["state"])
            fields["progress"] = Progress(**fields["progress"])
            fields["failure"] = None if fields["failure"] is None else Failure(**fields["failure"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedRecord(
                f"{key} is not an operation record ({error}): remove it to run the stage again"
            ) from error
