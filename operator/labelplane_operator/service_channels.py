"""Long-lived channels to the services of jobs, each call with the job's token."""

from collections.abc import Callable
from typing import Any

import grpc

from labelplane_operator.service_calls import ServiceCalls

__all__ = ["ServiceChannels"]

_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A pod that is gone without a word is noticed between calls.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Jobs share nothing, not even a connection pool.
    ("grpc.use_local_subchannel_pool", 1),
)


class ServiceChannels:
    """Opens a channel at the first call to a Service and keeps it until the job is closed.

    Args:
        address: where a Service is reached, with {service} and {namespace} to be filled in.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._open: dict[str, dict[str, tuple[Any, ServiceCalls]]] = {}

    def calls(self, uid: str, *, namespace: str, service: str, token: str) -> ServiceCalls:
        """Return the calls to a Service of the job with this uid."""
        of_job = self._open.setdefault(uid, {})
        if service not in of_job:
            target = self._address.format(service=service, namespace=namespace)
            channel = grpc.aio.insecure_channel(target, options=_RECONNECT, interceptors=_interceptors(token))
            of_job[service] = (channel, ServiceCalls(channel))
        return of_job[service][1]

    async def close(self, uid: str) -> None:
        """Close what is open to a job's services."""
        for channel, _ in self._open.pop(uid, {}).values():
            await channel.close()

    async def close_all(self) -> None:
        """Close everything."""
        for uid in tuple(self._open):
            await self.close(uid)


def _interceptors(token: str) -> list[Any]:
    # gRPC sorts an interceptor by the first of its kinds, so each kind is its own object.
    return [_UnaryToken(token), _StreamToken(token)]


def _with_token(details: Any, token: str) -> Any:
    header = ("authorization", f"Bearer {token}")
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), header))


class _UnaryToken(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_with_token(client_call_details, self._token), request)


class _StreamToken(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_stream(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_with_token(client_call_details, self._token), request)
