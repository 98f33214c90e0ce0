"""The gRPC server that every service process and the embedded run use."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from labelplane_core.clock import Clock
from labelplane_core.errors import InvalidInput
from labelplane_core.rpc.interceptors import (
    DeadlineInterceptor,
    ErrorInterceptor,
    LogInterceptor,
    MetricInterceptor,
    TokenInterceptor,
)

__all__ = ["Registration", "RpcServer", "TlsFiles"]

MAX_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Registration:
    """One gRPC service to serve: its full name, and what adds its servicer to a server."""

    name: str
    add: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a listener."""

    certificate: Path
    key: Path


class RpcServer:
    """An aio gRPC server with health, reflection, token check and interceptors.

    Health answers SERVING for each service and for "" once started, and NOT_SERVING from the moment it drains.
    """

    def __init__(
        self,
        registrations: Sequence[Registration],
        *,
        token: str,
        clock: Clock,
        registry: CollectorRegistry,
        longest_call_seconds: float = 30.0,
    ) -> None:
        # The first interceptor is the outermost: what it logs and counts is what the caller gets.
        interceptors = [
            LogInterceptor(clock),
            MetricInterceptor(registry, clock),
            TokenInterceptor(token),
            DeadlineInterceptor(longest_call_seconds),
            ErrorInterceptor(),
        ]
        options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
        self._server = grpc.aio.server(interceptors=interceptors, options=options)
        self._health = HealthServicer()
        self._names = [each.name for each in registrations]
        for each in registrations:
            each.add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self._names, "grpc.health.v1.Health", reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, listen: str, *, tls: TlsFiles | None = None) -> int:
        """Listen on `host:port` or `unix:/path`, and return the port (1 for a socket file).

        Raises:
            InvalidInput: the address is taken, or the certificate cannot be read.
        """
        try:
            if tls is None:
                port = self._server.add_insecure_port(listen)
            else:
                pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
                port = self._server.add_secure_port(listen, grpc.ssl_server_credentials([pair]))
        except (RuntimeError, OSError) as error:
            raise InvalidInput(f"cannot listen on {listen}: {error}") from error
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return int(port)

    async def stop(self, *, grace_seconds: float) -> None:
        """Say NOT_SERVING, refuse new calls and give running ones `grace_seconds`."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.stop(grace_seconds)

    async def _set_health(self, status: Any) -> None:
        await asyncio.gather(*(self._health.set(name, status) for name in ("", *self._names)))
