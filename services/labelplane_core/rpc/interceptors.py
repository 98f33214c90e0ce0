"""What happens around every call: who may call, how errors look, how long it may take, what is logged and counted.

Each interceptor is one async context manager around the handler; `around` builds the gRPC side of it once.
"""

import asyncio
import hmac
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

from labelplane_core.clock import Clock
from labelplane_core.errors import ErrorCode, LabelplaneError

__all__ = [
    "REASON_KEY",
    "Call",
    "DeadlineInterceptor",
    "ErrorInterceptor",
    "LogInterceptor",
    "MetricInterceptor",
    "TokenInterceptor",
]

REASON_KEY = "labelplane-reason"
"""The trailing metadata that carries an error's reason constant."""

_HEALTH_PREFIX = "/grpc.health.v1.Health/"
_log = logging.getLogger(__name__)

Context = Any  # grpc.aio.ServicerContext: generic over messages that no interceptor looks at
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call as an interceptor sees it."""

    method: str
    metadata: dict[str, str]
    context: Context


class _AroundInterceptor(grpc.aio.ServerInterceptor, ABC):  # type: ignore[type-arg]  # generic in the stubs alone
    """Runs `around` about every handler, whether it answers once or streams."""

    @abstractmethod
    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Return what to do before and after the handler."""

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler with `around` about it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = str(handler_call_details.method)
        metadata = {
            key: value for key, value in handler_call_details.invocation_metadata or () if isinstance(value, str)
        }
        if handler.response_streaming:
            return self._streaming(handler, method, metadata)
        return self._unary(handler, method, metadata)

    def _unary(self, handler: Any, method: str, metadata: dict[str, str]) -> Any:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        make = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )

        async def behave(request: Any, context: Context) -> Any:
            async with self.around(Call(method, metadata, context)):
                return await inner(request, context)

        return make(behave, handler.request_deserializer, handler.response_serializer)

    def _streaming(self, handler: Any, method: str, metadata: dict[str, str]) -> Any:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        make = (
            grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        )

        async def behave(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self.around(Call(method, metadata, context)):
                async for response in inner(request, context):
                    yield response

        return make(behave, handler.request_deserializer, handler.response_serializer)


class TokenInterceptor(_AroundInterceptor):
    """Refuses calls without the job's token; health checks need none, since probes have none."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Let the call through when its authorization is the token's."""
        given = call.metadata.get("authorization", "").encode()
        if not call.method.startswith(_HEALTH_PREFIX) and not hmac.compare_digest(given, self._expected):
            call.context.set_trailing_metadata(((REASON_KEY, "BadToken"),))
            await call.context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "send the job's token as metadata `authorization: Bearer TOKEN`"
            )
        yield


class ErrorInterceptor(_AroundInterceptor):
    """Turns errors of ours into status codes with their reason, and hides the text of all others."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Answer an error with its code."""
        try:
            yield
        except LabelplaneError as error:
            call.context.set_trailing_metadata(((REASON_KEY, error.reason),))
            await call.context.abort(_status(error.code), str(error))
        except (grpc.aio.AbortError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception:  # noqa: BLE001 - the last place that can answer a defect with a code
            _log.exception("unexpected error in %s", call.method)
            call.context.set_trailing_metadata(((REASON_KEY, "Unexpected"),))
            await call.context.abort(grpc.StatusCode.INTERNAL, "unexpected error: the service's log has the details")


class DeadlineInterceptor(_AroundInterceptor):
    """Ends calls at their deadline, and gives those that came without one a bound of ours."""

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Run the handler no longer than the call may take."""
        remaining = call.context.time_remaining()
        bound = self._longest_seconds if remaining is None else min(remaining, self._longest_seconds)
        is_stream = call.method.endswith("/WatchOperation") or "ServerReflection" in call.method
        try:
            async with asyncio.timeout(remaining if is_stream else bound):
                yield
        except TimeoutError:
            await call.context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"{call.method} took longer than {bound:.1f} s")


class LogInterceptor(_AroundInterceptor):
    """Writes one line for each call that is no health check."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Log how the call ended and how long it took."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            if not call.method.startswith(_HEALTH_PREFIX):
                took_milliseconds = 1e3 * (self._clock.monotonic() - began)
                _log.debug("%s %s %.1f ms", call.method, _code_name(call.context), took_milliseconds)


class MetricInterceptor(_AroundInterceptor):
    """Counts calls by method and code, and measures how long they take."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._calls = Counter(
            "labelplane_rpc_calls", "Calls by method and status code.", ["method", "code"], registry=registry
        )
        self._seconds = Histogram("labelplane_rpc_seconds", "Duration of calls.", ["method"], registry=registry)

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Count and measure the call."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._calls.labels(call.method, _code_name(call.context)).inc()
            self._seconds.labels(call.method).observe(self._clock.monotonic() - began)


def _status(code: ErrorCode) -> grpc.StatusCode:
    return grpc.StatusCode[code.name]


def _code_name(context: Context) -> str:
    """Return the status that the handler has set; a handler that just returned has set none, which is OK."""
    code = context.code()
    if isinstance(code, int):
        code = next((each for each in grpc.StatusCode if each.value[0] == code), grpc.StatusCode.UNKNOWN)
    return "OK" if code is None else str(code.name)
