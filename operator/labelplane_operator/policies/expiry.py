"""When a finished job is deleted."""

from datetime import datetime

from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus

__all__ = ["seconds_to_expiry"]


def seconds_to_expiry(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> float | None:
    """Return in how many seconds `run.ttlSecondsAfterFinished` is over, 0 when it is; None while the job stays.

    A failed job expires as a complete one does.
    """
    seconds = job.spec.run.ttl_seconds_after_finished
    if seconds is None or status.finished_at is None:
        return None
    return max(0.0, seconds - (now - status.finished_at).total_seconds())
