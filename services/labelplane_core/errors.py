"""Every error that labelplane's services raise on purpose.

LabelplaneError
├── InvalidInput                 what somebody gave is wrong; trying again does not help
│   ├── BadItem                  one item cannot be read; the job goes on without it
│   │   ├── CorruptItem
│   │   ├── EmptyItem
│   │   ├── ItemTooLarge
│   │   └── UnsupportedFormat
│   ├── BadVote                  one vote cannot count; it is set aside
│   │   └── UnknownClass
│   ├── BadTable                 a table is not what its reader expects
│   │   └── SchemaVersion
│   ├── BadManifest
│   ├── BadKey                   an object's key or a store's address is malformed
│   │   └── LinkLeavesRoot
│   ├── BadInputSpec
│   ├── UnknownTaskKind
│   └── EmptyDataset
├── Unauthenticated
├── StoreError                   object storage
│   ├── ObjectNotFound
│   ├── StoreNotFound
│   ├── AlreadyExists
│   ├── PreconditionFailed
│   ├── NoConditionalPut
│   ├── AccessDenied
│   ├── StoreNotTrusted
│   ├── StoreReadOnly
│   ├── StoreFull                retryable
│   ├── StoreUnavailable         retryable
│   ├── StoreTimeout             retryable
│   ├── ChecksumMismatch         retryable
│   └── StoreRefused
├── QueueError                   the work queue
│   ├── LeaseLost
│   ├── QueueRefused
│   ├── QueueUnavailable         retryable
│   └── ShardGivenUp
└── OperationError               one run of one stage
    ├── OperationNotFound
    ├── DamagedRecord
    ├── StaleEpoch
    ├── Fenced
    ├── RequestMismatch
    ├── OperationCancelled
    ├── Draining                 retryable
    └── DeadlineExceeded         retryable

A class says what its errors mean to a caller: `reason` is a constant for programs, `code` the canonical code,
`retryable` whether the same call may succeed later. The message is for people: what was wrong, where, and what to do.
"""

from enum import StrEnum
from typing import ClassVar

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "BadInputSpec",
    "BadItem",
    "BadKey",
    "BadManifest",
    "BadTable",
    "BadVote",
    "ChecksumMismatch",
    "CorruptItem",
    "DamagedRecord",
    "DeadlineExceeded",
    "Draining",
    "EmptyDataset",
    "EmptyItem",
    "ErrorCode",
    "Fenced",
    "InvalidInput",
    "ItemTooLarge",
    "LabelplaneError",
    "LeaseLost",
    "LinkLeavesRoot",
    "NoConditionalPut",
    "ObjectNotFound",
    "OperationCancelled",
    "OperationError",
    "OperationNotFound",
    "PreconditionFailed",
    "QueueError",
    "QueueRefused",
    "QueueUnavailable",
    "RequestMismatch",
    "SchemaVersion",
    "ShardGivenUp",
    "StaleEpoch",
    "StoreError",
    "StoreFull",
    "StoreNotFound",
    "StoreNotTrusted",
    "StoreReadOnly",
    "StoreRefused",
    "StoreTimeout",
    "StoreUnavailable",
    "Unauthenticated",
    "UnknownClass",
    "UnknownTaskKind",
    "UnsupportedFormat",
]


class ErrorCode(StrEnum):
    """The canonical codes that our errors map to; their names are gRPC's, without gRPC."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class LabelplaneError(Exception):
    """The base of all errors that are raised on purpose."""

    reason: ClassVar[str] = "Internal"
    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    retryable: ClassVar[bool] = False


# What somebody gave us.


class InvalidInput(LabelplaneError):
    """A value from outside is wrong; the same call fails again until it is changed."""

    reason = "InvalidInput"
    code = ErrorCode.INVALID_ARGUMENT


class BadItem(InvalidInput):
    """An item cannot be used; it is counted and listed, and the job goes on up to `maxItemErrors`."""

    reason = "BadItem"


class CorruptItem(BadItem):
    """An item's bytes are not what its format says."""

    reason = "CorruptItem"


class EmptyItem(BadItem):
    """An item has no content: no bytes, or nothing but white space."""

    reason = "EmptyItem"


class ItemTooLarge(BadItem):
    """An item is larger, or would be after decoding, than the bound that protects the worker's memory."""

    reason = "ItemTooLarge"


class UnsupportedFormat(BadItem):
    """An item's format is none of those that the task reads."""

    reason = "UnsupportedFormat"


class BadVote(InvalidInput):
    """A vote cannot count; it is set aside with its file and line or message id."""

    reason = "BadVote"


class UnknownClass(BadVote):
    """An answer names a class that the task does not have."""

    reason = "UnknownClass"


class BadTable(InvalidInput):
    """A table is unreadable, or its columns or types are not those of its schema."""

    reason = "BadTable"


class SchemaVersion(BadTable):
    """A table was written under another schema or another version of it."""

    reason = "SchemaVersion"


class BadManifest(InvalidInput):
    """A table's manifest is not valid JSON of our form, or disagrees with its parts."""

    reason = "BadManifest"


class BadKey(InvalidInput):
    """An object's key or a store's address is malformed or would leave the store."""

    reason = "BadKey"


class LinkLeavesRoot(BadKey):
    """A symbolic link in a folder store leads out of the folder."""

    reason = "LinkLeavesRoot"


class BadInputSpec(InvalidInput):
    """A model's input specification is malformed, or does not fit the items it is given."""

    reason = "BadInputSpec"


class UnknownTaskKind(InvalidInput):
    """A task's type is none that this version knows."""

    reason = "UnknownTaskKind"


class EmptyDataset(InvalidInput):
    """A data set has no usable item."""

    reason = "EmptyDataset"


class Unauthenticated(LabelplaneError):
    """A call carries no token, or one that is not the job's."""

    reason = "Unauthenticated"
    code = ErrorCode.UNAUTHENTICATED


# Object storage.


class StoreError(LabelplaneError):
    """Object storage did not do what was asked."""

    reason = "StoreError"


class ObjectNotFound(StoreError):
    """There is no object under the key."""

    reason = "ObjectNotFound"
    code = ErrorCode.NOT_FOUND


class StoreNotFound(StoreError):
    """The folder, bucket or container itself does not exist."""

    reason = "StoreNotFound"
    code = ErrorCode.FAILED_PRECONDITION


class AlreadyExists(StoreError):
    """An object that was to be created is there already."""

    reason = "AlreadyExists"
    code = ErrorCode.ALREADY_EXISTS


class PreconditionFailed(StoreError):
    """An object changed since it was read, or is gone."""

    reason = "PreconditionFailed"
    code = ErrorCode.ABORTED


class NoConditionalPut(StoreError):
    """The store ignores or refuses conditional puts, which fencing needs."""

    reason = "NoConditionalPut"
    code = ErrorCode.FAILED_PRECONDITION


class AccessDenied(StoreError):
    """The credentials or file permissions do not allow it."""

    reason = "AccessDenied"
    code = ErrorCode.FAILED_PRECONDITION


class StoreNotTrusted(StoreError):
    """The store's server shows a certificate that is not accepted."""

    reason = "StoreNotTrusted"
    code = ErrorCode.FAILED_PRECONDITION


class StoreReadOnly(StoreError):
    """A write was tried through a store that was opened for reading."""

    reason = "StoreReadOnly"
    code = ErrorCode.FAILED_PRECONDITION


class StoreFull(StoreError):
    """The disk or quota is full."""

    reason = "StoreFull"
    code = ErrorCode.RESOURCE_EXHAUSTED
    retryable = True


class StoreUnavailable(StoreError):
    """The store cannot be reached or answers with a server error."""

    reason = "StoreUnavailable"
    code = ErrorCode.UNAVAILABLE
    retryable = True


class StoreTimeout(StoreError):
    """The store did not answer in time."""

    reason = "StoreTimeout"
    code = ErrorCode.DEADLINE_EXCEEDED
    retryable = True


class ChecksumMismatch(StoreError):
    """What the store holds after a write is not what was written."""

    reason = "ChecksumMismatch"
    code = ErrorCode.DATA_LOSS
    retryable = True


class StoreRefused(StoreError):
    """The store understood the request and refuses it, for a reason that trying again does not change."""

    reason = "StoreRefused"
    code = ErrorCode.FAILED_PRECONDITION


# The work queue.


class QueueError(LabelplaneError):
    """The work queue did not do what was asked."""

    reason = "QueueError"


class LeaseLost(QueueError):
    """A lease ran out or was taken over; whoever held it must stop."""

    reason = "LeaseLost"
    code = ErrorCode.ABORTED


class QueueRefused(QueueError):
    """The queue's server does not know the credentials, or they do not allow what was asked."""

    reason = "QueueRefused"
    code = ErrorCode.FAILED_PRECONDITION


class QueueUnavailable(QueueError):
    """The queue's server cannot be reached."""

    reason = "QueueUnavailable"
    code = ErrorCode.UNAVAILABLE
    retryable = True


class ShardGivenUp(QueueError):
    """A shard failed too often; the message has its last cause."""

    reason = "ShardGivenUp"


# Operations.


class OperationError(LabelplaneError):
    """One run of one stage cannot start or go on."""

    reason = "OperationError"


class OperationNotFound(OperationError):
    """There is no operation with this request id."""

    reason = "OperationNotFound"
    code = ErrorCode.NOT_FOUND


class DamagedRecord(OperationError):
    """An operation's record is not what this version writes."""

    reason = "DamagedRecord"
    code = ErrorCode.DATA_LOSS


class Draining(OperationError):
    """The process shuts down; the operation is to be started on another one."""

    reason = "Draining"
    code = ErrorCode.UNAVAILABLE
    retryable = True


class StaleEpoch(OperationError):
    """The caller's leader epoch is lower than one already seen: another leader has taken over."""

    reason = "StaleEpoch"
    code = ErrorCode.FAILED_PRECONDITION


class Fenced(OperationError):
    """Another process has taken the operation over; this one must stop and write nothing more."""

    reason = "Fenced"
    code = ErrorCode.ABORTED


class RequestMismatch(OperationError):
    """A request id is used again with other inputs or parameters."""

    reason = "RequestMismatch"
    code = ErrorCode.INVALID_ARGUMENT


class OperationCancelled(OperationError):
    """The operation was cancelled by its caller."""

    reason = "OperationCancelled"
    code = ErrorCode.CANCELLED


class DeadlineExceeded(OperationError):
    """The operation did not finish in the time it was given."""

    reason = "DeadlineExceeded"
    code = ErrorCode.DEADLINE_EXCEEDED
    retryable = True
