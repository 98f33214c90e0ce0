"""How refusals look: a code, a constant for programs and one line for people."""

from typing import Any, Final

import grpc
from aiohttp import web

__all__ = ["Refused", "of_rpc", "to_response"]

_REASON_KEY: Final = "labelplane-reason"
_CODES: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.ABORTED: 503,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.UNAUTHENTICATED: 502,
}
_LATER: Final = frozenset({"NotPrepared"})
"""Reasons that pass by themselves, whatever their code says."""


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


def of_rpc(error: grpc.aio.AioRpcError) -> Refused:
    """Return what a page is told of an inbox's error."""
    metadata: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]  # as its stubs have it
    reason = str(metadata.get(_REASON_KEY, error.code().name))
    status = 503 if reason in _LATER else _CODES.get(error.code(), 500)
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        return Refused(status, reason, "the review page has a wrong token for the job: start it again")
    return Refused(status, reason, error.details() or "the inbox did not answer")


def to_response(refused: Refused) -> web.Response:
    """Return the answer."""
    return web.json_response({"error": {"reason": refused.reason, "message": refused.message}}, status=refused.status)
