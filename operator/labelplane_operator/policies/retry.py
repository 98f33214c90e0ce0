"""What follows a failed operation."""

from datetime import datetime, timedelta

from labelplane_api.job import LabelingJob
from labelplane_operator.observed import OperationError

__all__ = ["next_try", "next_try_for_prefix"]

FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 300.0


def next_try(job: LabelingJob, error: OperationError, *, failures: int, now: datetime) -> datetime | None:
    """Return when the stage may be tried again, None when it may not.

    An error that a new try cannot change ends the job at once; any other is tried `run.backoffLimit` times, after 2 s,
    4 s and so on to 5 minutes. `failures` counts this one.
    """
    if not error.is_retryable or failures > job.spec.run.backoff_limit:
        return None
    delay = min(FIRST_DELAY_SECONDS * 2 ** (failures - 1), LONGEST_DELAY_SECONDS)
    return now + timedelta(seconds=delay)


def next_try_for_prefix(*, now: datetime) -> datetime:
    """Return when a job asks again for the prefix that another one has."""
    return now + timedelta(seconds=LONGEST_DELAY_SECONDS)
