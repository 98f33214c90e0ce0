"""What was seen of a job's world, as plain values; whoever reads the world makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from labelplane_operator.policies.scaling import QueueDepth, Sample
from labelplane_operator.policies.shard_time import ShardTime

__all__ = [
    "CleanupState",
    "CleanupView",
    "ContainerView",
    "DeploymentView",
    "InboxView",
    "Observed",
    "OperationError",
    "OperationState",
    "OperationView",
    "PodView",
    "Problem",
    "ScalingMemory",
    "TrainingState",
    "TrainingView",
]


class OperationState(StrEnum):
    """How far an operation is; all but running are final."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class OperationError:
    """Why an operation failed."""

    reason: str
    message: str
    is_retryable: bool


@dataclass(frozen=True, slots=True)
class OperationView:
    """One operation as its service knows it."""

    request_id: str
    state: OperationState
    done: int = 0
    total: int = 0
    unit: str = ""
    started: datetime | None = None
    updated: datetime | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    error: OperationError | None = None


@dataclass(frozen=True, slots=True)
class InboxView:
    """The people's side of the job; `connector_address` and `connector_problem` are what its connector has said."""

    votes: int = 0
    votes_pending: int = 0
    votes_missing: int = 0
    votes_set_aside: int = 0
    connector_address: str = ""
    connector_problem: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the job's pods cannot run, and what to do about it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ContainerView:
    """A container as its pod's status has it, init containers too.

    Attributes:
        name: in its pod.
        image: what it runs.
        is_ready: whether it answers.
        waiting_reason: why it does not run, in Kubernetes' word; empty when it runs or has ended.
        waiting_message: the same at length.
        restarts: how often it was started again.
        ended_reason: how it last ended, in Kubernetes' word; empty when it never did.
        exit_code: what it last ended with; None when it never did.
        last_words: the end of what it said before it ended; empty where that is not kept.
    """

    name: str
    image: str = ""
    is_ready: bool = False
    waiting_reason: str = ""
    waiting_message: str = ""
    restarts: int = 0
    ended_reason: str = ""
    exit_code: int | None = None
    last_words: str = ""


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod of the job.

    Attributes:
        name: of the pod.
        containers: its containers.
        unschedulable: why no node takes it; empty when one has.
        gated: what must happen before the pod may be scheduled, as its queue admitting it; empty when nothing must.
    """

    name: str
    containers: tuple[ContainerView, ...] = ()
    unschedulable: str = ""
    gated: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A Deployment of the job.

    Attributes:
        name: of the Deployment.
        replica_failure: why its pods are not made, by its condition ReplicaFailure; empty when they are.
    """

    name: str
    replica_failure: str = ""


class CleanupState(StrEnum):
    """How far the Job is that removes the results."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class CleanupView:
    """The Job that removes the results of a deleted job.

    Attributes:
        state: how far it is.
        message: why it failed.
        finished: when it failed; None where that is not known.
    """

    state: CleanupState
    message: str = ""
    finished: datetime | None = None


class TrainingState(StrEnum):
    """How far the Job of a training image is."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class TrainingView:
    """The Job by which a training image of the user's trains.

    Attributes:
        request_id: of the operation that it is a try of.
        name: of the Job.
        state: how far it is.
        message: why it failed, in Kubernetes' words.
        ended: the container that ended with an error; None when none is seen that did.
        queue: the LocalQueue that it waits for; empty when it waits for none.
    """

    request_id: str
    name: str
    state: TrainingState
    message: str = ""
    ended: ContainerView | None = None
    queue: str = ""


@dataclass(frozen=True, slots=True)
class ScalingMemory:
    """What one decision about the scoring workers leaves to the next.

    Attributes:
        history: what was wanted; empty where that is not known.
        shard_time: how long a shard takes; None before the queue was seen.
    """

    history: tuple[Sample, ...] = ()
    shard_time: ShardTime | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that one reconcile read.

    Attributes:
        operation: the operation that the status names; None when none was started or its service is away. Train has
            failed too when the Job of a training image has.
        inbox: read after the operation, so that the tasks of a finished Review are counted; None while the
            aggregation service is away.
        unavailable: what could not be reached and why, in words for people; empty when everything could.
        awaits_pods: whether a service is away because no pod of it is ready; an event tells when one is.
        problem: why the job's pods cannot run; None when they can, or are not seen yet.
        cleanup: the Job that removes the results; None while there is none.
        queue: what is on the queue of the scoring workers; None while it is not known, or nobody scores.
        workers: how many scoring workers their Deployment should have now.
        scaling: what was seen of them before.
        training: the Job of a training image, for the operation that the status names; None while there is none.
        refusals: what of the spec cannot be had on this cluster, one sentence each, beyond what the spec itself tells.
    """

    operation: OperationView | None = None
    inbox: InboxView | None = None
    unavailable: str = ""
    awaits_pods: bool = False
    problem: Problem | None = None
    cleanup: CleanupView | None = None
    queue: QueueDepth | None = None
    workers: int = 0
    scaling: ScalingMemory = ScalingMemory()
    training: TrainingView | None = None
    refusals: tuple[str, ...] = ()
