"""Suspending and resuming: what may be done to a job as it stands, what that does, and when it is done."""

from dataclasses import dataclass
from typing import Any

from labelplane_api.conditions import ConditionType, is_true
from labelplane_cli.terminal import output
from labelplane_kubectl.cluster import Cluster
from labelplane_kubectl.errors import KubectlFailed, NotNow, TookTooLong
from labelplane_kubectl.options import PluginSession
from labelplane_kubectl.seen_job import SeenJob, read_job
from labelplane_operator.history import is_finished, is_suspended

__all__ = ["Holding", "hold"]

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Holding:
    """What is asked for.

    Attributes:
        suspend: whether the job is to rest; else it is to go on.
        timeout_seconds: how long to wait until it does; None not to wait.
    """

    suspend: bool
    timeout_seconds: float | None = None


def hold(cluster: Cluster, session: PluginSession, name: str, holding: Holding) -> None:
    """Suspend or resume a job, and say what happens.

    Raises:
        NotNow: it makes no sense for the job as it stands.
        TookTooLong: it was waited for, and did not come in time.
    """
    seen = read_job(cluster.job(name))
    says = _suspending(seen) if holding.suspend else _resuming(seen)
    if seen.is_to_rest != holding.suspend:
        cluster.merge(name, _patch(suspend=holding.suspend))
    output().print(f"  {says}")
    if holding.timeout_seconds is not None:
        _wait(cluster, session, name, holding)
        output().print(f"  {name} {'rests: no pod of it is left' if holding.suspend else 'goes on'}")


def _wait(cluster: Cluster, session: PluginSession, name: str, holding: Holding) -> None:
    """Come back when the job rests or goes on."""
    deadline = session.clock.monotonic() + (holding.timeout_seconds or 0.0)
    while not _is_reached(cluster, name, holding):
        if session.clock.monotonic() >= deadline:
            state = "rest" if holding.suspend else "go on"
            raise TookTooLong(
                f"{name} does not {state} after {holding.timeout_seconds:g} s: see kubectl labelplane explain {name}"
            )
        session.pause(_LOOK_SECONDS)


def _is_reached(cluster: Cluster, name: str, holding: Holding) -> bool:
    seen = read_job(cluster.job(name))
    if not holding.suspend:
        return _is_going(seen)
    children = cluster.children(name)
    if children.hindrance:
        raise KubectlFailed(children.hindrance)
    return _is_resting(seen, pods=len(children.pods))


def _patch(*, suspend: bool) -> dict[str, Any]:
    """Return the change of the spec."""
    return {"spec": {"run": {"suspend": suspend}}}


def _suspending(seen: SeenJob) -> str:
    """Return what suspending a job does.

    Raises:
        NotNow: nothing of it runs that could rest.
    """
    _check_alive(seen)
    if is_finished(seen.status):
        raise NotNow(f"{seen.name} is {seen.stage}: nothing of it runs that could be suspended")
    if seen.is_to_rest:
        return f"{seen.name} is suspended already: run.suspend is true"
    operation = seen.status.operation
    if operation is None:
        return f"{seen.name} rests: its pods go, votes that come are kept, and no deadline runs"
    return f"{seen.name} rests: its pods go, and {operation.stage} goes on later from what it has stored"


def _resuming(seen: SeenJob) -> str:
    """Return what resuming a job does.

    Raises:
        NotNow: it is over.
    """
    _check_alive(seen)
    if is_true(seen.status.conditions, ConditionType.COMPLETE):
        raise NotNow(f"{seen.name} is Complete: it has nothing left to do")
    if not seen.is_to_rest:
        if is_finished(seen.status):
            raise NotNow(f"{seen.name} has failed and is not suspended: see kubectl labelplane explain {seen.name}")
        return f"{seen.name} is not suspended: run.suspend is false"
    operation = seen.status.operation
    where = f"{operation.stage} of round {operation.round}" if operation is not None else "where it stood"
    return f"{seen.name} goes on: {where}"


def _is_resting(seen: SeenJob, *, pods: int) -> bool:
    """Whether a job rests: its operator has seen that it is to, and no pod is left."""
    return seen.is_seen and is_suspended(seen.status) and pods == 0


def _is_going(seen: SeenJob) -> bool:
    """Whether a job goes on: its operator has seen that it may."""
    return seen.is_seen and not is_suspended(seen.status)


def _check_alive(seen: SeenJob) -> None:
    if seen.is_being_deleted:
        raise NotNow(f"{seen.name} is being deleted")
