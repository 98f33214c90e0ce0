"""Which topology a job has, and which of its Services answers for a stage."""

from collections.abc import Mapping
from typing import Final

from labelplane_api.job import LabelingJob
from labelplane_api.names import is_distributed, part_service, part_workload
from labelplane_api.parts import Part
from labelplane_api.status import Stage
from labelplane_operator.builders.distributed import distributed_workloads
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.small import small_workloads
from labelplane_operator.builders.workloads import Workload

__all__ = ["build_workloads", "is_distributed", "service_name", "workload_name"]

_PART_OF_STAGE: Final[Mapping[Stage, Part]] = {
    Stage.PREPARE: Part.AGGREGATION,
    Stage.VOTE: Part.AGGREGATION,
    Stage.AGGREGATE: Part.AGGREGATION,
    Stage.TRAIN: Part.DISTILLATION,
    Stage.SCORE: Part.SCORING,
    Stage.SELECT: Part.SCORING,
    Stage.REVIEW: Part.AGGREGATION,
    Stage.FINALIZE: Part.AGGREGATION,
}


def build_workloads(
    job: LabelingJob, parts: frozenset[Part], platform: Platform, *, workers: int | None = None
) -> tuple[Workload, ...]:
    """Return the Deployments that the job has in its topology."""
    if is_distributed(job):
        return distributed_workloads(job, parts, platform, workers=workers)
    return small_workloads(job, parts, platform)


def service_name(job: LabelingJob, stage_or_part: Stage | Part) -> str:
    """Return the Service to call for a stage, or for a part as such, under the job's topology.

    Raises:
        ValueError: the part takes no calls.
    """
    if stage_or_part is Part.SCORING_WORKER:
        raise ValueError("scoring workers take no calls: the scoring service answers for them")
    return part_service(job, _part(stage_or_part))


def workload_name(job: LabelingJob, stage_or_part: Stage | Part) -> str:
    """Return the Deployment whose pods run a stage, or are a part, under the job's topology."""
    return part_workload(job, _part(stage_or_part))


def _part(stage_or_part: Stage | Part) -> Part:
    return _PART_OF_STAGE[stage_or_part] if isinstance(stage_or_part, Stage) else stage_or_part
