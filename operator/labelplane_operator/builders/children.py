"""All objects of a job."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.parts import Part
from labelplane_operator.builders.deployments import build_deployment
from labelplane_operator.builders.disruption import build_disruption_budget
from labelplane_operator.builders.network import build_network_policy
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.scaled_object import build_scaled_object, has_scaled_object
from labelplane_operator.builders.service_account import build_service_account
from labelplane_operator.builders.services import build_service
from labelplane_operator.builders.token_secret import build_token_secret
from labelplane_operator.builders.topology import build_workloads, is_distributed
from labelplane_operator.builders.training import build_training_job
from labelplane_operator.training_run import TrainingRun

__all__ = ["Child", "build_children"]


@dataclass(frozen=True, slots=True)
class Child:
    """One object that a job owns.

    Attributes:
        manifest: the complete object; a Deployment's has no `replicas`. Not shown by `repr`, as one holds the token.
        replicas: the wanted pods of a Deployment; None leaves their number as it is, and is for other kinds.
        is_last: whether it is made only when no pod of the job is left.
    """

    manifest: Mapping[str, Any] = field(repr=False)
    replicas: int | None = None
    is_last: bool = False


def build_children(
    job: LabelingJob,
    parts: frozenset[Part],
    platform: Platform,
    *,
    token: str,
    workers: int | None = None,
    seconds_per_shard: float | None = None,
    training: TrainingRun | None = None,
) -> tuple[Child, ...]:
    """Return the objects that a job has while these parts are up, in the order in which they are to be made.

    Args:
        job: a job of an API server; its status says the topology.
        parts: the services that should be up. None is: all objects stay, no pod runs.
        platform: the installation.
        token: the job's token.
        workers: the wanted scoring workers while that part is up; None leaves their number as it is.
        seconds_per_shard: what a worker needs for a shard; None before that is known.
        training: the try of a training image whose Job should stand; None for none.

    Raises:
        ValueError: the job has no uid.
    """
    children = tuple(_children(job, parts, platform, token=token, workers=workers))
    scaled: tuple[Child, ...] = ()
    trained: tuple[Child, ...] = ()
    if is_distributed(job) and has_scaled_object(job, parts, platform):
        scaled = (Child(build_scaled_object(job, platform, seconds_per_shard=seconds_per_shard)),)
    if training is not None:
        trained = (Child(build_training_job(job, training, platform)),)
    return (*children, *scaled, *trained)


def _children(
    job: LabelingJob, parts: frozenset[Part], platform: Platform, *, token: str, workers: int | None
) -> Iterator[Child]:
    # What a pod needs stands before it.
    yield Child(build_service_account(job, platform))
    yield Child(build_token_secret(job, platform, token=token))
    yield Child(build_network_policy(job, platform))
    yield Child(build_disruption_budget(job, platform))
    workloads = build_workloads(job, parts, platform, workers=workers)
    for workload in workloads:
        if workload.has_service:
            yield Child(build_service(job, workload, platform))
    for workload in workloads:
        yield Child(build_deployment(job, workload, platform), workload.replicas)
