"""The operator as a process: probes at once, the Lease, then watches and workers until it is lost or SIGTERM comes."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import kopf
from prometheus_client import REGISTRY

from labelplane_api.tokens import job_token
from labelplane_operator.act import Actor
from labelplane_operator.builders import Images, Platform, Queue
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.election import Election, LeaseSettings
from labelplane_operator.errors import InvalidSettings
from labelplane_operator.event_recorder import EventRecorder
from labelplane_operator.external_scaler import ExternalScaler, ScalerServer
from labelplane_operator.handlers import WATCHED, Watches
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT, SCALED_OBJECT
from labelplane_operator.kopf_settings import kopf_settings
from labelplane_operator.kube import Kube, open_client
from labelplane_operator.metrics import JobCollector, OperatorMetrics
from labelplane_operator.observe import Observer
from labelplane_operator.probes import ProbeServer
from labelplane_operator.queue_depths import NatsDepths, QueueServers
from labelplane_operator.reconciler import Reconciler
from labelplane_operator.requests import Installation
from labelplane_operator.service_channels import ServiceChannels
from labelplane_operator.settings import PREFIX, OperatorSettings
from labelplane_operator.sweeps import Sweeps
from labelplane_operator.workers import Workers
from labelplane_operator.workqueue import WorkQueue

__all__ = ["LOST_LEASE", "run_operator"]

_log = logging.getLogger(__name__)

LOST_LEASE = 75
"""Exit code of a leader that could not renew its Lease (EX_TEMPFAIL): the kubelet starts it again, as a stand-by."""

WATCHES_ENDED = 70
"""Exit code when the watches have ended by themselves (EX_SOFTWARE)."""

_STUCK_SECONDS = 300.0
"""A reconcile that takes longer than this is stuck: every call in it has a shorter timeout."""
_SETTLE_QUIET_SECONDS = 0.5
_SETTLE_MOST_SECONDS = 15.0


def run_operator(settings: OperatorSettings) -> int:
    """Run until SIGTERM or SIGINT and return the exit code; a lost Lease ends the process at once."""
    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for name in ("kopf", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    key = settings.read_installation_key()
    return asyncio.run(_Operator(settings, key).run())


class _Operator:
    """One process: what lives as long as it does."""

    def __init__(self, settings: OperatorSettings, key: bytes) -> None:
        self._settings = settings
        self._token_of = partial(job_token, key)
        self._watched = (*WATCHED, SCALED_OBJECT) if settings.scaler_address else WATCHED
        self._metrics = OperatorMetrics(REGISTRY)
        self._cache = ObjectCache()
        self._queue: WorkQueue[JobKey] = WorkQueue()
        self._stopping = asyncio.Event()
        self._have_watches_ended = False
        self._kube: Kube | None = None
        self._election: Election | None = None

    async def run(self) -> int:
        """Serve the probes, wait for the Lease, act; return the exit code after a graceful stop."""
        self._heed_signals()
        self._metrics.queue_length.set_function(lambda: len(self._queue))
        REGISTRY.register(JobCollector(self._cache.jobs, self._replicas))
        probes = ProbeServer(self._problem, REGISTRY)
        health_port, metrics_port = self._settings.health_port, self._settings.metrics_port
        try:
            await probes.start(health_port=health_port, metrics_port=metrics_port)
        except OSError as error:
            ports = f"{PREFIX}HEALTH_PORT {health_port}, {PREFIX}METRICS_PORT {metrics_port}"
            raise InvalidSettings(f"{ports}: {error.strerror}") from error
        depths = self._open_depths()
        scaler = await self._serve_scaler(depths)
        async with open_client() as client:
            self._kube = Kube(client, may_write=self._may_write, count=self._metrics.requested)
            self._election = Election(self._kube, self._lease(), monotonic=time.monotonic, now=_now)
            epoch = await self._until_stopped(self._election.acquire())
            if epoch is not None:
                await self._lead(self._kube, self._election, depths, epoch)
            await self._election.release()
        if scaler is not None:
            await scaler.stop()
        if depths is not None:
            await depths.close()
        await probes.stop()
        return WATCHES_ENDED if self._have_watches_ended else 0

    async def _serve_scaler(self, depths: NatsDepths | None) -> ScalerServer | None:
        """Answer KEDA where it may ask; stand-bys do too, as an answer follows from the queue alone."""
        port = self._settings.scaler_port
        if not port or depths is None:
            return None
        server = ScalerServer(ExternalScaler(depths))
        try:
            await server.start(f"[::]:{port}")
        except OSError as error:
            raise InvalidSettings(f"{PREFIX}SCALER_PORT {port}: {error.strerror}") from error
        return server

    async def _lead(self, kube: Kube, election: Election, depths: NatsDepths | None, epoch: int) -> None:
        _log.info("leads with epoch %d", epoch)
        self._metrics.is_leader.set(1)
        keeper = asyncio.create_task(self._keep_lease(election))
        channels = ServiceChannels(self._settings.service_address)
        recorder = EventRecorder(kube)
        reconciler = self._reconciler(kube, channels, recorder, depths, epoch)
        workers = Workers(self._queue, reconciler.reconcile, self._metrics)
        async with self._watching(kube), recorder.running(), workers.running(self._settings.workers):
            await self._stopping.wait()
            _log.info("stops: reconciles that run are finished")
        keeper.cancel()
        await channels.close_all()

    async def _keep_lease(self, election: Election) -> None:
        try:
            await election.keep()
            _log.error("the Lease is lost: this process ends")
        except Exception:  # noqa: BLE001 - who does not renew must not stay, whatever the reason
            _log.exception("a defect: the Lease is renewed no more: this process ends")
        # Another leader may act by now, so nothing may be tidied up here.
        logging.shutdown()
        os._exit(LOST_LEASE)

    def _reconciler(
        self,
        kube: Kube,
        channels: ServiceChannels,
        recorder: EventRecorder,
        depths: NatsDepths | None,
        epoch: int,
    ) -> Reconciler:
        services = JobServices(self._cache, channels, token_of=self._token_of, wake=self._queue.add)
        return Reconciler(
            kube,
            self._cache,
            Observer(kube, self._cache, services, depths=depths),
            Actor(kube, self._cache, services, self._platform(), token_of=self._token_of),
            services,
            installation=self._installation(epoch),
            recorder=recorder,
            metrics=self._metrics,
            now=_now,
        )

    def _installation(self, epoch: int) -> Installation:
        settings = self._settings
        return Installation(
            settings.installation,
            epoch,
            is_cluster=True,
            review_address=settings.review_address,
            has_keda=bool(settings.scaler_address),
        )

    # -- watches ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _watching(self, kube: Kube) -> AsyncIterator[None]:
        """Run the watches; yield when their first lists are in."""
        sweeps = Sweeps(kube, self._cache, self._queue, namespaces=self._settings.namespaces)
        watches = Watches(self._cache, self._queue, relisted=sweeps.request, kinds=self._watched)
        stop = asyncio.Event()
        tasks = await kopf.spawn_tasks(
            registry=watches.registry(),
            settings=kopf_settings(self._watched),
            namespaces=self._settings.namespaces,
            clusterwide=not self._settings.namespaces,
            # Not asked for, kopf would look up a user whom an image need not know.
            identity=self._settings.pod_name,  # type: ignore[arg-type]  # a str by another name, which kopf keeps
            stop_flag=stop,
        )
        self._heed_signals()  # kopf has put its own in their place
        running = asyncio.create_task(kopf.run_tasks(tasks, ignored=asyncio.all_tasks()))
        running.add_done_callback(self._watches_ended)
        try:
            await watches.settle(quiet_seconds=_SETTLE_QUIET_SECONDS, most_seconds=_SETTLE_MOST_SECONDS)
            resync = asyncio.create_task(sweeps.every(self._settings.resync_seconds, self._watched))
            yield
            resync.cancel()
        finally:
            stop.set()
            await asyncio.wait({running})

    def _watches_ended(self, running: "asyncio.Task[None]") -> None:
        """Stop the process when the watches have ended by themselves: a new one begins with new ones."""
        if not self._stopping.is_set():
            error = None if running.cancelled() else running.exception()
            _log.error("the watches have ended (%s): this process ends too", error or "for no known reason")
            self._have_watches_ended = True
        self._stopping.set()

    # -- what it is made of -------------------------------------------------------------------------------------------

    def _lease(self) -> LeaseSettings:
        settings = self._settings
        return LeaseSettings(
            namespace=settings.pod_namespace,
            name=settings.lease_name,
            holder=f"{settings.pod_name}_{os.getpid()}_{time.time_ns()}",
            duration_seconds=settings.lease_duration_seconds,
            renew_deadline_seconds=settings.renew_deadline_seconds,
            retry_period_seconds=settings.retry_period_seconds,
        )

    def _platform(self) -> Platform:
        settings = self._settings
        images = Images(
            small=settings.image_small,
            aggregation=settings.image_aggregation,
            scoring=settings.image_scoring,
            distillation=settings.image_distillation,
            review=settings.image_review,
            pull_policy=settings.image_pull_policy,
            pull_secrets=settings.pull_secrets,
        )
        queue = Queue(
            servers=settings.queue_servers,
            credentials_secret=settings.queue_credentials_secret,
            replicas=settings.queue_replicas,
        )
        return Platform(
            images=images,
            installation=settings.installation,
            namespace=settings.pod_namespace,
            trusted_packages=settings.trusted_package_names,
            queue=queue if settings.queue_servers else None,
            scaler_address=settings.scaler_address,
        )

    def _open_depths(self) -> NatsDepths | None:
        """Return what reads the queue, None where there is none."""
        settings = self._settings
        if not settings.queue_servers:
            return None
        credentials = Path(settings.queue_credentials) if settings.queue_credentials else None
        return NatsDepths(QueueServers(settings.queue_servers, credentials, settings.queue_api_prefix))

    def _may_write(self) -> bool:
        return self._election is not None and self._election.is_leader()

    async def _problem(self) -> str:
        """Return why the kubelet should start this process again; empty while it should not."""
        seconds = self._queue.longest_work_seconds()
        if seconds <= _STUCK_SECONDS or self._kube is None or not await self._kube.is_alive():
            return ""
        return f"a reconcile has been running for {seconds:.0f} s while the API server answers"

    def _replicas(self, namespace: str, name: str) -> int:
        deployments = self._cache.children((namespace, name), DEPLOYMENT)
        return sum(int(each["spec"].get("replicas") or 0) for each in deployments)

    # -- signals ------------------------------------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stopping.set)

    async def _until_stopped(self, acquiring: Coroutine[Any, Any, int]) -> int | None:
        """Return what the election gives, None when the process is to stop first."""
        work = asyncio.create_task(acquiring)
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait({work})
        return None


def _now() -> datetime:
    return datetime.now(UTC)
