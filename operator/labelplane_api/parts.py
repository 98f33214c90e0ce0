"""The services of a job that come and go on a cluster."""

from enum import StrEnum

__all__ = ["Part"]


class Part(StrEnum):
    """A service of a job, as a workload on a cluster; in profile Small one pod is all of them."""

    AGGREGATION = "aggregation"
    SCORING = "scoring"
    SCORING_WORKER = "scoring-worker"
    DISTILLATION = "distillation"
