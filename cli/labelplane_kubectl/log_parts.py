"""What of a job has logs."""

from enum import StrEnum

__all__ = ["LogPart"]


class LogPart(StrEnum):
    """The components of a job's pods, and the container that brings tasks to annotators and votes back.

    Cleanup removes the results of a deleted job.
    """

    AGGREGATION = "aggregation"
    SCORING = "scoring"
    SCORING_WORKER = "scoring-worker"
    DISTILLATION = "distillation"
    SMALL = "small"
    CONNECTOR = "connector"
    CLEANUP = "cleanup"
