"""Errors of inference by a server.

LabelplaneError
└── ServingError
    ├── ServerAway           retryable: nobody answers at the address, or not in time
    ├── ModelNotReady        retryable: the server knows the model and does not offer it yet
    ├── ModelNotServed       the server has no such model and took none
    ├── ModelDiffers         the server's model takes or gives other tensors than the job's
    ├── BatchTooLarge        the server takes no batch of that size; a smaller one may go
    ├── InferenceFailed      the server tried and failed
    └── NoServingClient      this installation lacks the client of such servers
"""

from labelplane_core.errors import ErrorCode, LabelplaneError

__all__ = [
    "BatchTooLarge",
    "InferenceFailed",
    "ModelDiffers",
    "ModelNotReady",
    "ModelNotServed",
    "NoServingClient",
    "ServerAway",
    "ServingError",
]


class ServingError(LabelplaneError):
    """Inference by a server did not go as it should."""

    reason = "ServingFailed"


class ServerAway(ServingError):
    """Nobody answers at the server's address, or not in time."""

    reason = "InferenceServerAway"
    code = ErrorCode.UNAVAILABLE
    retryable = True


class ModelNotReady(ServingError):
    """The server knows the model, but no version of it is ready."""

    reason = "ModelNotReady"
    code = ErrorCode.UNAVAILABLE
    retryable = True


class ModelNotServed(ServingError):
    """The server has no model of that name and cannot be given one."""

    reason = "ModelNotServed"
    code = ErrorCode.FAILED_PRECONDITION


class ModelDiffers(ServingError):
    """The server's model takes or gives tensors of another shape or type than the job's model."""

    reason = "ModelDiffers"
    code = ErrorCode.FAILED_PRECONDITION


class BatchTooLarge(ServingError):
    """The server takes no batch of this size."""

    reason = "BatchTooLarge"
    code = ErrorCode.RESOURCE_EXHAUSTED


class InferenceFailed(ServingError):
    """The server failed on a request."""

    reason = "InferenceFailed"
    code = ErrorCode.FAILED_PRECONDITION


class NoServingClient(ServingError):
    """The client of inference servers is not installed."""

    reason = "NoServingClient"
    code = ErrorCode.FAILED_PRECONDITION
