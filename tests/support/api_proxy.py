"""A proxy between the operator and a real API server that breaks what can break, by a seeded plan.

Watch events are lost, doubled and swapped, streams are cut, writes are refused (409, 503) or carried out without an
answer, and for short times nobody answers at all. It listens on plain HTTP of the loopback address.
"""

import asyncio
import json
import random
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web
from api_server import ApiServer
from yarl import URL

_SESSION = web.AppKey("session", aiohttp.ClientSession)
_HOP_HEADERS = {"connection", "transfer-encoding", "content-length", "host", "content-encoding", "accept-encoding"}


@dataclass(frozen=True)
class Faults:
    """How often each thing goes wrong, as shares of events or requests, and how many faults there are in all."""

    lost: float = 0.12
    doubled: float = 0.12
    swapped: float = 0.12
    cut: float = 0.02
    refused: float = 0.06
    unavailable: float = 0.06
    unanswered: float = 0.03
    outages_every: int = 250
    outage_seconds: float = 1.0
    most: int = 2_000


@dataclass
class ApiProxy:
    """A running proxy; `counts` says what went wrong how often."""

    server: ApiServer
    faults: Faults
    rng: random.Random
    port: int = 0
    counts: "Counter[str]" = field(default_factory=Counter)
    _down_until: float = 0.0
    _requests: int = 0

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig that goes through the proxy, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        config = json.loads(self.server.kubeconfig().read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        path = folder / "kubeconfig-proxy"
        path.write_text(json.dumps(config))
        return path

    def _goes_wrong(self, name: str, share: float) -> bool:
        if sum(self.counts.values()) >= self.faults.most or self.rng.random() >= share:
            return False
        self.counts[name] += 1
        return True

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, or break it."""
        now = asyncio.get_running_loop().time()
        self._requests += 1
        if self._requests % self.faults.outages_every == 0 and self._goes_wrong("outage", 1.0):
            self._down_until = now + self.faults.outage_seconds
        if now < self._down_until:
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=503)
        if request.query.get("watch"):
            return await self._watch(request)
        return await self._call(request)

    async def _call(self, request: web.Request) -> web.Response:
        is_write = request.method in {"POST", "PUT", "PATCH", "DELETE"} and "/leases/" not in request.path
        if self._goes_wrong("unavailable", self.faults.unavailable):
            return _refusal(503, "ServiceUnavailable")
        if is_write and self._goes_wrong("refused", self.faults.refused):
            return _refusal(409, "Conflict")
        async with self._forward(request, await request.read()) as answer:
            body = await answer.read()
        if is_write and self._goes_wrong("unanswered", self.faults.unanswered):
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, body=body, headers=_kept(answer.headers))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        async with self._forward(request, b"") as answer:
            if answer.status != 200:
                return web.Response(status=answer.status, body=await answer.read(), headers=_kept(answer.headers))
            response = web.StreamResponse(headers=_kept(answer.headers))
            await response.prepare(request)
            async for line in self._disturbed(answer):
                await response.write(line)
        return response

    async def _disturbed(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        held = b""
        async for line in answer.content:
            if self._goes_wrong("cut", self.faults.cut):
                return
            if self._goes_wrong("lost", self.faults.lost):
                continue
            if not held and self._goes_wrong("swapped", self.faults.swapped):
                held = line
                continue
            yield line
            if self._goes_wrong("doubled", self.faults.doubled):
                yield line
            if held:
                yield held
                held = b""

    def _forward(self, request: web.Request, body: bytes) -> "aiohttp.client._RequestContextManager":
        session = request.app[_SESSION]
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_HEADERS}
        address = URL(f"{self.server.url}{request.raw_path}", encoded=True)
        return session.request(request.method, address, headers=headers, data=body or None)


def _kept(headers: "aiohttp.typedefs.LooseHeaders") -> dict[str, str]:
    return {key: value for key, value in dict(headers).items() if key.lower() not in _HOP_HEADERS}


def _refusal(code: int, reason: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return web.json_response(status | {"message": "injected by the test"}, status=code)


@contextmanager
def api_proxy(server: ApiServer, *, seed: int, faults: Faults | None = None) -> Iterator[ApiProxy]:
    """Run a proxy in a thread of its own until the context ends."""
    proxy = ApiProxy(server, faults or Faults(), random.Random(seed))
    started = threading.Event()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        context = ssl.create_default_context(cafile=str(server.certificate))
        application = web.Application(client_max_size=2**26)
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**22, auto_decompress=True
        ) as session:
            application[_SESSION] = session
            application.router.add_route("*", "/{path:.*}", proxy.handle)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            assert runner.addresses
            proxy.port = runner.addresses[0][1]
            ended = asyncio.Event()
            stop.append(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
            started.set()
            await ended.wait()
            await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="api-proxy")
    thread.start()
    assert started.wait(30)
    try:
        yield proxy
    finally:
        stop[0]()
        thread.join()
