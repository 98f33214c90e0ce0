"""What of a job has logs."""

from enum import StrEnum

__all__ = ["LogPart"]


class LogPart(StrEnum):
    """The components of a job's pods, and the container that brings tasks to annotators and votes back.

    Training is an image of the user's with the steps around it; cleanup removes the results of a deleted job.
    """

    AGGREGATION = "aggregation"
    SCORING = "scoring"
    SCORING_WORKER = "scoring-worker"
    DISTILLATION = "distillation"
    SMALL = "small"
    CONNECTOR = "connector"
    TRAINING = "training"
    CLEANUP = "cleanup"
