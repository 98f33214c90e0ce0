"""What tells one job of a cluster from another: its key for as long as the name stands, its uid for one object."""

from labelplane_api.job import LabelingJob
from labelplane_operator.cache import JobKey

__all__ = ["key_of", "uid_of"]


def key_of(job: LabelingJob) -> JobKey:
    """Return namespace and name of a job."""
    return job.metadata.namespace, job.metadata.name


def uid_of(job: LabelingJob) -> str:
    """Return the uid of a job that stands on a cluster."""
    assert job.metadata.uid is not None, "an object of a cluster has a uid"
    return job.metadata.uid
