"""The HTTP side of the process: /healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["ProbeServer"]


class ProbeServer:
    """Answers the kubelet and Prometheus.

    A stand-by is ready too: it takes over without a start. What is not alive is restarted by the kubelet.

    Args:
        problem: returns why the process should be restarted, empty while it should not.
        registry: what /metrics shows.
    """

    def __init__(self, problem: Callable[[], Awaitable[str]], registry: CollectorRegistry) -> None:
        self._problem = problem
        self._registry = registry
        self._runners: list[web.AppRunner] = []

    async def start(self, *, health_port: int, metrics_port: int) -> None:
        """Listen on both ports, of every address."""
        health = web.Application()
        health.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        metrics = web.Application()
        metrics.add_routes([web.get("/metrics", self._metrics)])
        for application, port in ((health, health_port), (metrics, metrics_port)):
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            self._runners.append(runner)
            await web.TCPSite(runner, port=port).start()

    async def stop(self) -> None:
        """Close both ports."""
        for runner in self._runners:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        problem = await self._problem()
        return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
