"""What becomes of a job that is being deleted, and of its results.

By `output.deletionPolicy: Retain` nothing holds the object. By `Delete` a finalizer holds it until a Job has removed
what lies below its prefix.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from labelplane_api.job import LabelingJob
from labelplane_api.metadata import ObjectMeta
from labelplane_api.output import DeletionPolicy
from labelplane_api.status import LabelingJobStatus
from labelplane_operator.history import is_refused, is_taken
from labelplane_operator.observed import CleanupState, CleanupView

__all__ = ["FINALIZER", "Removal", "decide_removal", "holds_object", "is_being_deleted", "wanted_finalizers"]

FINALIZER: Final = "labelplane.io/results"
"""Holds a deleted job until its results are gone."""

_FOREGROUND: Final = "foregroundDeletion"
"""Set by the API server on an object that is deleted with --cascade=foreground."""

TRY_AGAIN_SECONDS: Final = 300.0
"""How long a cleanup that failed stands, to be looked at, before another takes its place."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What is left to do about a job that is being deleted.

    Attributes:
        finalizer: whether the finalizer still holds the object.
        cleanup: whether the Job that removes the results should stand.
        problem: why the last one failed, empty when it did not.
        requeue_after_seconds: when to look again; None when an event will say.
    """

    finalizer: bool = False
    cleanup: bool = False
    problem: str = ""
    requeue_after_seconds: float | None = None


def is_being_deleted(metadata: ObjectMeta) -> bool:
    """Whether the object is deleted and only waits for its finalizers."""
    return metadata.deletion_timestamp is not None


def holds_object(job: LabelingJob, status: LabelingJobStatus) -> bool | None:
    """Return whether the finalizer should stand on a job that nobody has deleted; None leaves it as it is.

    A refused job gets none, since what it asks for may be what cannot be done; one that it has from before stays.
    """
    if not _removes_results(job):
        return False
    return None if is_refused(status) else True


def wanted_finalizers(metadata: ObjectMeta, *, is_held: bool) -> tuple[str, ...]:
    """Return the finalizers that an object should have; those of others stay.

    While the results are removed, a deletion in the foreground becomes one in the background: the garbage collector
    would take away, again and again, the Job that removes them.
    """
    others = tuple(each for each in metadata.finalizers if each != FINALIZER)
    if not is_held:
        return others
    if is_being_deleted(metadata):
        return tuple(each for each in metadata.finalizers if each != _FOREGROUND)
    return metadata.finalizers if FINALIZER in metadata.finalizers else (*others, FINALIZER)


def _removes_results(job: LabelingJob) -> bool:
    return job.spec.output.deletion_policy is DeletionPolicy.DELETE


def decide_removal(job: LabelingJob, cleanup: CleanupView | None, *, now: datetime) -> Removal:
    """Return what is left to do; a cleanup that failed is made again after 5 minutes, without end.

    Nothing is removed when the finalizer was taken away by hand, when the job never started anything, nor when another
    job owns the prefix; the Job that removes looks at the owner itself once more, as only the store knows it for sure.
    """
    is_held = _removes_results(job) and FINALIZER in job.metadata.finalizers
    if not is_held or not _may_own_results(job.status):
        return Removal()
    if cleanup is None or cleanup.state is CleanupState.RUNNING:
        return Removal(finalizer=True, cleanup=True)
    if cleanup.state is CleanupState.SUCCEEDED:
        return Removal()
    since = 0.0 if cleanup.finished is None else (now - cleanup.finished).total_seconds()
    left = TRY_AGAIN_SECONDS - since
    return Removal(
        finalizer=True,
        cleanup=left > 0,
        problem=cleanup.message or "the Job that removes the results has failed",
        requeue_after_seconds=left if left > 0 else None,
    )


def _may_own_results(status: LabelingJobStatus) -> bool:
    has_begun = status.prepare is not None or status.operation is not None
    return has_begun and not is_taken(status)
