"""Names of a job's objects: the same for the same job, different for different ones, never over a limit."""

import hashlib

from labelplane_api.job import LabelingJob
from labelplane_api.parts import Part
from labelplane_api.running import Profile

__all__ = [
    "cleanup_name",
    "fitted",
    "is_distributed",
    "job_name",
    "part_name",
    "part_service",
    "part_workload",
    "service_object_name",
    "token_secret_name",
    "training_name",
]

LONGEST_NAME = 63
"""Characters of a DNS label, which Services, pods and label values are."""
_HASH_LENGTH = 8
_SERVICE_PREFIX = "job-"


def fitted(name: str, *, limit: int = LONGEST_NAME) -> str:
    """Return the name, cut and with a hash of all of it when it is longer than `limit`."""
    return name if len(name) <= limit else _hashed(name, of=name, limit=limit)


def job_name(job: LabelingJob) -> str:
    """Return the name of what a job has once.

    A job that is called `a-scoring` must not share a Deployment with the scoring of a job `a`: it gets a hash.
    """
    name = job.metadata.name
    if any(name.endswith(f"-{part}") for part in Part):
        return _hashed(name, of=name)
    return fitted(name)


def part_name(job: LabelingJob, part: Part) -> str:
    """Return the name of what a part has."""
    return fitted(f"{job_name(job)}-{part}")


def is_distributed(job: LabelingJob) -> bool:
    """Whether the job's services have Deployments of their own; until Prepare has fixed it they have not."""
    return job.status.profile is Profile.DISTRIBUTED


def part_workload(job: LabelingJob, part: Part) -> str:
    """Return the name of the Deployment whose pods are a part, under the job's topology."""
    return part_name(job, part) if is_distributed(job) else job_name(job)


def part_service(job: LabelingJob, part: Part) -> str:
    """Return the name of the Service to call for a part, under the job's topology."""
    return service_object_name(part_workload(job, part))


def cleanup_name(job: LabelingJob) -> str:
    """Return the name of the Job that removes the results."""
    return fitted(f"{job_name(job)}-cleanup")


def training_name(job: LabelingJob, *, round_number: int, attempt: int) -> str:
    """Return the name of the Job by which a training image trains, one a try."""
    return fitted(f"{job_name(job)}-train-{round_number}-{attempt}")


def token_secret_name(job: LabelingJob) -> str:
    """Return the name of the Secret with the job's token.

    It is of the object, not of its name: a job that is deleted and applied again must not find the Secret of the one
    before, which nobody may read or replace.
    """
    return _hashed(f"{job_name(job)}-token", of=job.metadata.uid or "")


def service_object_name(name: str) -> str:
    """Return the name of a workload's Service, which unlike other names begins with a letter."""
    return name if name[0].isalpha() else _hashed(f"{_SERVICE_PREFIX}{name}", of=name)


def _hashed(name: str, *, of: str, limit: int = LONGEST_NAME) -> str:
    digest = hashlib.sha256(of.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: limit - _HASH_LENGTH - 1].rstrip('-')}-{digest}"
