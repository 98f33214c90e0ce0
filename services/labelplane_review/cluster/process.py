"""The front of a cluster as a process: stateless, so any number of them may run side by side."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Final

import aiohttp
from aiohttp import web

from labelplane_api.tokens import job_token
from labelplane_core.clock import SystemClock
from labelplane_core.errors import InvalidInput, LabelplaneError
from labelplane_core.settings import PREFIX
from labelplane_review.cluster.api_server import ApiServer, open_tls
from labelplane_review.cluster.people import ClusterAccess
from labelplane_review.cluster.proxy import SigningProxy
from labelplane_review.cluster.settings import FrontSettings
from labelplane_review.cluster.watched_jobs import JobChannels, WatchedJobs
from labelplane_review.web.app import make_app

__all__ = ["JOB_SEGMENT", "run_front"]

JOB_SEGMENT: Final = "{job:[-a-z0-9]+/[-a-z0-9.]+}"
"""How paths name a job among many namespaces: NAMESPACE/NAME."""
_DRAIN_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


def run_front(environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code: 0 after a stop, 2 for what must be changed."""
    try:
        settings = FrontSettings.from_environment(environment)
        logging.basicConfig(
            level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        asyncio.run(_serve(settings))
    except LabelplaneError as error:
        sys.stderr.write(f"labelplane review: {error}\n")
        return 2
    return 0


async def _serve(settings: FrontSettings) -> None:
    token_of, tls = partial(job_token, settings.read_installation_key()), open_tls(settings.api_ca_file)
    proxy = _proxy(settings)
    stopping = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    channels = JobChannels(settings.service_address, token_of=token_of)
    async with aiohttp.ClientSession() as session:
        server = ApiServer(session, settings.api_server, token_file=settings.api_token_file, tls=tls)
        jobs = WatchedJobs(server, channels, namespaces=settings.namespaces)
        access = ClusterAccess(server, proxy, audience=settings.token_audience, monotonic=time.monotonic)
        app = make_app(jobs, access, now=SystemClock().now, closing=stopping, job_segment=JOB_SEGMENT)
        app.add_routes(_probes(jobs))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DRAIN_SECONDS)
        await runner.setup()
        following = asyncio.create_task(jobs.run())
        try:
            await _listen(runner, settings)
            await asyncio.wait({following, asyncio.create_task(stopping.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                await following  # a defect: the process ends with it, and begins anew
        finally:
            stopping.set()
            await runner.cleanup()
            following.cancel()
            await asyncio.wait({following})
            await channels.close()


async def _listen(runner: web.AppRunner, settings: FrontSettings) -> None:
    site = web.TCPSite(runner, settings.listen or None, settings.port)
    try:
        await site.start()
    except OSError as error:
        raise InvalidInput(f"{PREFIX}PORT {settings.port}: {error.strerror}: choose another") from error
    _log.info("the front listens on port %d", settings.port)


def _probes(jobs: WatchedJobs) -> list[web.RouteDef]:
    async def healthz(request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        del request
        text = "ok\n" if jobs.is_known else "the jobs are not listed yet\n"
        return web.Response(text=text, status=200 if jobs.is_known else 503)

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


def _proxy(settings: FrontSettings) -> SigningProxy:
    return SigningProxy(
        user_header=settings.user_header,
        groups_header=settings.groups_header,
        networks=settings.proxy_networks,
        secret=settings.read_proxy_secret(),
        user_prefix=settings.user_prefix,
        groups_prefix=settings.groups_prefix,
    )
