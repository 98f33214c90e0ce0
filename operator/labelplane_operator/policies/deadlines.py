"""How long a job may work, and how long a round may wait for people: two clocks, never both running."""

from datetime import datetime, timedelta

from labelplane_api.conditions import ConditionStatus, ConditionType, find_condition
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.history import current_round

__all__ = ["late_work", "review_began", "review_deadline", "work_left", "worked_seconds"]


def worked_seconds(status: LabelingJobStatus, *, now: datetime) -> float:
    """Return how long the job has worked, in seconds; waiting for people and suspension are not in it."""
    if status.active_since is None:
        return status.active_seconds
    return status.active_seconds + max(0.0, (now - status.active_since).total_seconds())


def work_left(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> float | None:
    """Return how many seconds the job may still work, None without a bound."""
    bound = job.spec.run.active_deadline_seconds
    return None if bound is None else bound - worked_seconds(status, now=now)


def late_work(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> str:
    """Return that the job has worked longer than it may, empty while it has not."""
    left = work_left(job, status, now=now)
    if left is None or left > 0:
        return ""
    return (
        f"the job has worked for {worked_seconds(status, now=now):,.0f} s, run.activeDeadlineSeconds is "
        f"{job.spec.run.active_deadline_seconds:,}: a larger one lets it go on where it stands"
    )


def review_began(status: LabelingJobStatus) -> datetime | None:
    """Return since when people are asked about the round's batch, None while they are not.

    That is the end of Review. A job that was suspended or had failed since gives them the whole time again: nobody
    could vote in between.
    """
    current = current_round(status)
    review = current.stages.get(Stage.REVIEW) if current else None
    if review is None or review.finished_at is None:
        return None
    again = (_turned_false(status, kind) for kind in (ConditionType.SUSPENDED, ConditionType.FAILED))
    return max([review.finished_at, *(moment for moment in again if moment is not None)])


def review_deadline(job: LabelingJob, status: LabelingJobStatus) -> datetime | None:
    """Return until when the round waits for people, None without a bound."""
    seconds, began = job.spec.review.deadline_seconds, review_began(status)
    return None if seconds is None or began is None else began + timedelta(seconds=seconds)


def _turned_false(status: LabelingJobStatus, kind: ConditionType) -> datetime | None:
    found = find_condition(status.conditions, kind)
    if found is None or found.status is not ConditionStatus.FALSE:
        return None
    return found.last_transition_time
