"""Channels of callers: the token on every call, and long-lived."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

__all__ = ["open_channel"]


class _Token:
    """The job's token as metadata of a call."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def on(self, details: Any) -> Any:
        """Return the call's details with the token."""
        return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), self._header))


class _UnaryCaller(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    def __init__(self, token: _Token) -> None:
        self._token = token

    async def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self._token.on(client_call_details), request)


class _StreamCaller(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    def __init__(self, token: _Token) -> None:
        self._token = token

    async def intercept_unary_stream(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self._token.on(client_call_details), request)


def open_channel(address: str, *, token: str, options: Sequence[tuple[str, Any]] = ()) -> Any:
    """Return a channel to `host:port` or `unix:/path` that carries the token, with options of gRPC. Close it after."""
    with_token = _Token(token)
    # gRPC sorts an interceptor by the first of its kinds, so each kind is its own object.
    interceptors: list[Any] = [_UnaryCaller(with_token), _StreamCaller(with_token)]
    return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
