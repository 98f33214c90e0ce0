"""One job on a played API server with played services: what a reconcile asks and leaves, step by step."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cluster_jobs import PLATFORM, TOKEN, UID, in_bucket
from job_builder import JobBuilder
from played_api import Object, PlayedApi
from played_channel import PlayedChannel
from played_depths import PlayedDepths
from prometheus_client import CollectorRegistry

from labelplane_operator.act import Actor
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.event_recorder import EventRecorder
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import CHILDREN, KINDS, LABELING_JOB, POD, Kind
from labelplane_operator.kube import Kube
from labelplane_operator.metrics import OperatorMetrics
from labelplane_operator.observe import Observer
from labelplane_operator.reconciler import Reconciler
from labelplane_operator.requests import Installation
from labelplane_operator.service_calls import ServiceCalls

KEY: JobKey = ("team-a", "digits")
PATH = LABELING_JOB.path(*KEY)


@dataclass
class ReconciledWorld:
    """The parts of an operator around one job; `closed` tells whose channels were let go."""

    builder: JobBuilder = field(default_factory=in_bucket)
    api: PlayedApi = field(default_factory=PlayedApi)
    channel: PlayedChannel = field(default_factory=PlayedChannel)
    cache: ObjectCache = field(default_factory=ObjectCache)
    woken: list[JobKey] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    depths: PlayedDepths = field(default_factory=PlayedDepths)

    def __post_init__(self) -> None:
        metrics = OperatorMetrics(self.registry)
        self.kube = Kube(self.api, may_write=lambda: True, count=metrics.requested)  # type: ignore[arg-type]
        self.services = JobServices(self.cache, self, token_of=lambda _: TOKEN, wake=self.woken.append)  # type: ignore[arg-type]
        self.recorder = EventRecorder(self.kube)
        self.actor = Actor(self.kube, self.cache, self.services, PLATFORM, token_of=lambda _: TOKEN)
        self.reconciler = Reconciler(
            self.kube,
            self.cache,
            Observer(self.kube, self.cache, self.services, depths=self.depths),
            self.actor,
            self.services,
            installation=Installation("tests", 7, is_cluster=True),
            recorder=self.recorder,
            metrics=metrics,
            now=lambda: self.now,
        )

    def calls(self, uid: str, **_: str) -> ServiceCalls:
        """Return the calls to the job's services, as ServiceChannels does."""
        assert uid
        return ServiceCalls(self.channel)

    async def close(self, uid: str) -> None:
        """Note that a job's channels are closed."""
        self.closed.append(uid)

    def make_job(self, *, uid: str = UID, **metadata: Any) -> None:
        """Have the job stand, and the watch show it."""
        manifest = self.builder.as_manifest()
        standing = {"generation": 1, **manifest["metadata"], "uid": uid, **metadata}
        self.api.put(PATH, {**manifest, "metadata": standing})
        self.see()

    def change_job(self, **fields: Any) -> None:
        """Change the job's object as people do, and have the watch show it."""
        self.api.put(PATH, {**self.api.objects[PATH], **fields})
        self.see()

    def have_ready_pod(self) -> None:
        """Have a node start the pods of all Deployments."""
        for path, each in list(self.api.objects.items()):
            if each["kind"] == "Deployment":
                self.api.put(path, {**each, "status": {"readyReplicas": 1}})
        self.see()

    def see(self) -> None:
        """Have the watches show all that stands, and that the rest is gone."""
        for kind in (LABELING_JOB, POD, *CHILDREN):
            found = [each for each in self.api.objects.values() if (each["apiVersion"], each["kind"]) == _names(kind)]
            for each in found:
                self.cache.put(kind, each)
            self.cache.keep_only(kind, {each["metadata"]["uid"] for each in found}, version=self.api.version)

    async def reconcile(self, key: JobKey = KEY) -> float | None:
        """Reconcile the job once, and have the watches show the result."""
        try:
            return await self.reconciler.reconcile(key)
        finally:
            self.see()

    def job(self) -> Object:
        """Return the job as it stands."""
        return self.api.objects[PATH]

    def condition(self, kind: str) -> Object:
        """Return a condition of the job, empty when it has none."""
        conditions = self.job().get("status", {}).get("conditions", ())
        return next((each for each in conditions if each["type"] == kind), {})

    async def recorded(self, reason: str) -> list[Object]:
        """Return the events of a reason, once all that wait are made."""
        async with self.recorder.running():
            pass
        found = [each for path, each in self.api.objects.items() if "/events/" in path]
        return [each for each in found if each["reason"] == reason]

    def standing(self) -> list[str]:
        """Return kind and name of all that stands besides the job."""
        return sorted(
            f"{each['kind']} {each['metadata']['name']}" for path, each in self.api.objects.items() if path != PATH
        )

    def pass_time(self, seconds: float) -> None:
        """Have time go by."""
        self.now += timedelta(seconds=seconds)


def _names(kind: Kind) -> tuple[str, str]:
    assert kind in KINDS
    return kind.api_version, kind.kind
