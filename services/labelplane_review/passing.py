"""Which errors pass: a connector waits and tries again, and the votes stay where they are."""

import grpc

from labelplane_core.errors import StoreError

__all__ = ["passes"]

_PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.FAILED_PRECONDITION,  # the data set is not indexed yet
    }
)


def passes(error: grpc.aio.AioRpcError | StoreError) -> bool:
    """Return whether an error may pass by itself; the others would be told of for ever and never seen."""
    return error.code() in _PASSING if isinstance(error, grpc.aio.AioRpcError) else error.retryable
