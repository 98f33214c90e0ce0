"""The logs of a job's containers, also of those that start later."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from labelplane_kubectl.cluster import Cluster
from labelplane_kubectl.errors import KubectlFailed, NoLogs, NoSuchJob
from labelplane_kubectl.kubectl import Stream
from labelplane_kubectl.log_parts import LogPart
from labelplane_kubectl.seen_job import read_job
from labelplane_kubectl.workloads import Workload, workloads
from labelplane_operator.history import is_finished

__all__ = ["LogSource", "follow", "present_sources", "print_logs"]


@dataclass(frozen=True, slots=True)
class LogSource:
    """One life of a container: it has `restarts` before it."""

    pod: str
    uid: str
    container: str
    restarts: int


def present_sources(cluster: Cluster, name: str, part: LogPart | None, *, previous: bool = False) -> list[LogSource]:
    """Return what of a job can be read now; with `previous`, the containers that were started again.

    Raises:
        NoLogs: nothing can.
    """
    _, stage, found = _look(cluster, name, part)
    sources = [each for each in found if each.restarts or not previous]
    if not sources:
        what = f"the {part} of {name}" if part else name
        how = "was started again" if previous else "has begun to write"
        raise NoLogs(f"no container of {what} {how} ({name} is {stage}): see kubectl labelplane explain {name}")
    return sources


def print_logs(cluster: Cluster, sources: Sequence[LogSource], options: Sequence[str]) -> None:
    """Write the logs one after the other.

    Raises:
        KubectlFailed: kubectl refuses one.
    """
    for each in sources:
        stream = cluster.logs(each.pod, each.container, options)
        try:
            stream.wait()
            _check(cluster, stream)
        finally:
            stream.stop()


def follow(
    cluster: Cluster, name: str, part: LogPart | None, options: Sequence[str], *, pause: Callable[[], None]
) -> None:
    """Write the logs as they come, until the job is finished or gone and all its containers have ended.

    Raises:
        KubectlFailed: kubectl refuses.
        NoSuchJob: there is none.
    """
    streams: dict[LogSource, Stream] = {}
    ended: set[LogSource] = set()
    is_over, _, sources = _look(cluster, name, part)
    try:
        while True:
            for each in sources:
                if each not in streams:
                    streams[each] = cluster.logs(each.pod, each.container, [*options, "--follow"])
            for each in streams.keys() - ended:
                if streams[each].poll() is not None:
                    ended.add(each)
                    _check(cluster, streams[each])
            if is_over and len(ended) == len(streams):
                return
            pause()
            is_over, sources = _look_again(cluster, name, part)
    finally:
        for stream in streams.values():
            stream.stop()


def _look(cluster: Cluster, name: str, part: LogPart | None) -> tuple[bool, str, list[LogSource]]:
    """Return whether the job is over, its stage, and what of it can be read."""
    seen = read_job(cluster.job(name))
    children = cluster.children(name)
    if children.hindrance:
        raise KubectlFailed(children.hindrance)
    return is_finished(seen.status), seen.stage, list(_sources(workloads(children), part))


def _look_again(cluster: Cluster, name: str, part: LogPart | None) -> tuple[bool, list[LogSource]]:
    """Return the same without the stage; a job that has gone meanwhile is over."""
    try:
        is_over, _, sources = _look(cluster, name, part)
    except NoSuchJob:
        return True, []
    return is_over, sources


def _sources(found: Sequence[Workload], part: LogPart | None) -> Iterator[LogSource]:
    """Yield the containers of a part that have something to read; all containers for None."""
    for workload in found:
        for pod in workload.pods:
            for each in pod.containers:
                own = LogPart.CONNECTOR if each.name == LogPart.CONNECTOR else pod.component
                is_wanted = part in {None, own}
                if each.has_log and is_wanted:
                    yield LogSource(pod.name, pod.uid, each.name, each.restarts)


def _check(cluster: Cluster, stream: Stream) -> None:
    """Raise for a log that was refused; a pod that has gone meanwhile is no failure."""
    complaint = stream.complaint()
    if stream.poll() and "(NotFound)" not in complaint:
        raise cluster.failure("logs", complaint)
