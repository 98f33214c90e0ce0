"""The LabelingJobs of a cluster as a watch shows them, each with the channel to its inbox."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from labelplane_api.errors import SpecInvalidError
from labelplane_api.job import LabelingJob
from labelplane_api.names import part_service
from labelplane_api.parts import Part
from labelplane_api.validation import validate_job
from labelplane_core.rpc import open_channel
from labelplane_review.desk_client import DeskClient
from labelplane_review.errors import ApiServerAway
from labelplane_review.jury_client import JuryClient
from labelplane_review.web.jobs import JobAtHand

__all__ = ["JobChannels", "JobSource", "WatchedJobs"]

_AGAIN_SECONDS: Final = 1.0
_CHANNEL: Final = (
    # A pod that was replaced is found again soon; one that went without a word is noticed between calls.
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Jobs share nothing, not even a connection pool.
    ("grpc.use_local_subchannel_pool", 1),
)

_log = logging.getLogger(__name__)


def _job_key(namespace: str, name: str) -> str:
    """Return how a front of many namespaces names a job: as its paths do."""
    return f"{namespace}/{name}"


@dataclass(frozen=True, slots=True)
class _Reached:
    """A channel to the inbox of one job."""

    address: str
    uid: str
    channel: Any
    desk: DeskClient
    jury: JuryClient


class JobSource(Protocol):
    """Lists objects and tells what becomes of them, as the API server does."""

    async def get(self, path: str) -> dict[str, Any]:
        """Return a list; `ApiServerAway` when it is not to be had."""
        ...

    def watch(self, path: str, *, version: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens after a version; `ApiServerAway` when it must be listed anew."""
        ...


class JobChannels:
    """Opens a channel to a job's inbox at the first call, and another when the job is a new one or has moved.

    Args:
        address: where a Service is reached, with {service} and {namespace} to be filled in.
        token_of: returns the token of the job with a uid.
    """

    def __init__(self, address: str, *, token_of: Callable[[str], str]) -> None:
        self._address = address
        self._token_of = token_of
        self._open: dict[str, _Reached] = {}
        self._left: list[Any] = []

    def reach(self, key: str, job: LabelingJob) -> JobAtHand:
        """Return the job with its inbox."""
        uid, namespace = job.metadata.uid or "", job.metadata.namespace
        address = self._address.format(service=part_service(job, Part.AGGREGATION), namespace=namespace)
        found = self._open.get(key)
        if found is None or (found.address, found.uid) != (address, uid):
            self.leave(key)
            channel = open_channel(address, token=self._token_of(uid), options=_CHANNEL)
            found = self._open[key] = _Reached(address, uid, channel, DeskClient(channel), JuryClient(channel))
        return JobAtHand(job, found.desk, found.jury)

    def leave(self, key: str) -> None:
        """Have a job's channel closed; calls that are under way fail as when its pod goes."""
        found = self._open.pop(key, None)
        if found is not None:
            self._left.append(found.channel)

    async def close_left(self) -> None:
        """Close the channels that nobody uses."""
        while self._left:
            await self._left.pop().close()

    async def close(self) -> None:
        """Close all channels."""
        for key in tuple(self._open):
            self.leave(key)
        await self.close_left()


class WatchedJobs:
    """Knows the newest state of every job in some namespaces, or in all; while the API server is away, the last one."""

    def __init__(
        self,
        server: JobSource,
        channels: JobChannels,
        *,
        namespaces: Sequence[str],
        again_seconds: float = _AGAIN_SECONDS,
    ) -> None:
        self._server = server
        self._channels = channels
        self._again_seconds = again_seconds
        self._paths = tuple(map(_path, namespaces)) or (_path(),)
        self._jobs: dict[str, dict[str, LabelingJob]] = {}

    def names(self) -> Sequence[str]:
        """Return the names of all jobs, in their order."""
        return sorted(key for jobs in self._jobs.values() for key in jobs)

    def look_at(self, name: str) -> LabelingJob | None:
        """Return a job as such, None when there is none of that name."""
        return next((jobs[name] for jobs in self._jobs.values() if name in jobs), None)

    def find(self, name: str) -> JobAtHand | None:
        """Return a job with its inbox, None when there is none of that name."""
        job = self.look_at(name)
        return None if job is None else self._channels.reach(name, job)

    @property
    def is_known(self) -> bool:
        """Whether every first list has come in."""
        return len(self._jobs) == len(self._paths)

    async def run(self) -> None:
        """Follow the jobs until cancelled."""
        async with asyncio.TaskGroup() as following:
            for path in self._paths:
                following.create_task(self._follow(path))

    async def _follow(self, path: str) -> None:
        while True:
            try:
                version = await self._list(path)
                while True:
                    version = await self._watch(path, version)
                    await asyncio.sleep(self._again_seconds)  # a server that ends every watch at once is not pressed
            except ApiServerAway as error:
                _log.warning("%s: the jobs are listed again", error)
            await asyncio.sleep(self._again_seconds)

    async def _list(self, path: str) -> str:
        listed = await self._server.get(path)
        jobs = dict(filter(None, map(_read, listed["items"])))
        for key in self._jobs.get(path, {}).keys() - jobs.keys():
            self._channels.leave(key)
        self._jobs[path] = jobs
        await self._channels.close_left()
        return str(listed["metadata"]["resourceVersion"])

    async def _watch(self, path: str, version: str) -> str:
        """Take in what happens until the watch ends, and return the version from which another goes on."""
        async for event in self._server.watch(path, version=version):
            version = str(event["object"]["metadata"]["resourceVersion"])
            if event["type"] != "BOOKMARK":
                await self._take(path, event)
        return version

    async def _take(self, path: str, event: dict[str, Any]) -> None:
        metadata = event["object"]["metadata"]
        key = _job_key(metadata["namespace"], metadata["name"])
        read = None if event["type"] == "DELETED" else _read(event["object"])
        if read is None:
            self._jobs[path].pop(key, None)
            self._channels.leave(key)
            await self._channels.close_left()
        else:
            self._jobs[path][key] = read[1]


def _path(namespace: str = "") -> str:
    inside = f"namespaces/{namespace}/" if namespace else ""
    return f"/apis/labelplane.io/v1alpha1/{inside}labelingjobs"


def _read(manifest: dict[str, Any]) -> tuple[str, LabelingJob] | None:
    """Return a job by its key; one that cannot be read runs nowhere, and is passed over."""
    metadata = manifest["metadata"]
    whole = {"apiVersion": "labelplane.io/v1alpha1", "kind": "LabelingJob", **manifest}
    try:
        return _job_key(metadata["namespace"], metadata["name"]), validate_job(whole)
    except SpecInvalidError as error:
        _log.info("%s/%s is not shown: %s", metadata["namespace"], metadata["name"], error)
        return None
