"""Which worker goes first when fewer should run: an idle one before one of which nothing is known, busy ones last.

A ReplicaSet removes the pods with the lowest `controller.kubernetes.io/pod-deletion-cost` first. The mark is set just
before a scale-down, best effort: a busy worker that is stopped all the same hands back its shard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["DELETION_COST", "WorkerPod", "deletion_costs"]

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"

_IDLE: Final = -100
_UNKNOWN: Final = 0
"""As a pod without a mark counts."""
_BUSY: Final = 100


@dataclass(frozen=True, slots=True)
class WorkerPod:
    """A worker's pod.

    Attributes:
        name: of the pod.
        is_busy: whether it holds a shard; None where nobody has said.
        mark: the cost that it bears now, as the annotation's text; None without one.
    """

    name: str
    is_busy: bool | None
    mark: str | None = None


def deletion_costs(pods: Sequence[WorkerPod]) -> Mapping[str, str]:
    """Return the marks to set, by the pod's name: only those that change something."""
    wanted = {pod.name: _cost(pod.is_busy) for pod in pods}
    return {pod.name: str(wanted[pod.name]) for pod in pods if _mark(pod) != wanted[pod.name]}


def _cost(is_busy: bool | None) -> int:  # noqa: FBT001 - the state of one pod, in three values
    if is_busy is None:
        return _UNKNOWN
    return _BUSY if is_busy else _IDLE


def _mark(pod: WorkerPod) -> int | None:
    """Return the cost that a ReplicaSet reads; None where somebody wrote what is no number."""
    try:
        return _UNKNOWN if pod.mark is None else int(pod.mark)
    except ValueError:
        return None
