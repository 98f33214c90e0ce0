"""How a job's containers reach the work queue."""

from collections.abc import Iterator
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.variables import plain
from labelplane_operator.builders.workloads import Workload

__all__ = ["queue_mounts", "queue_variables", "queue_volumes"]

_VOLUME: Final = "queue"
_FOLDER: Final = "/etc/labelplane/queue"


def queue_variables(job: LabelingJob, workload: Workload, platform: Platform) -> Iterator[dict[str, Any]]:
    """Yield the variables of address and names; none for a workload without shards, or without a queue."""
    queue = platform.queue
    if queue is None or not workload.takes_shards:
        return
    yield plain("QUEUE_SERVERS", queue.servers)
    yield plain("QUEUE_NAMESPACE", job.metadata.namespace)
    yield plain("QUEUE_JOB", job.metadata.uid or "")
    yield plain("QUEUE_REPLICAS", str(queue.replicas))
    if queue.credentials_secret:
        yield plain("QUEUE_CREDENTIALS", _FOLDER)


def queue_volumes(workload: Workload, platform: Platform) -> list[dict[str, Any]]:
    """Return the volume of the credentials, a Secret that the operator never reads; none without them."""
    if not _has_credentials(workload, platform):
        return []
    assert platform.queue is not None
    return [{"name": _VOLUME, "secret": {"secretName": platform.queue.credentials_secret}}]


def queue_mounts(workload: Workload, platform: Platform) -> list[dict[str, Any]]:
    """Return where a container finds that volume."""
    if not _has_credentials(workload, platform):
        return []
    return [{"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}]


def _has_credentials(workload: Workload, platform: Platform) -> bool:
    return workload.takes_shards and platform.queue is not None and bool(platform.queue.credentials_secret)
