"""Whether there is enough to train on."""

from labelplane_api.job import LabelingJob
from labelplane_api.status import RoundStatus, Stage
from labelplane_operator.history import figure

__all__ = ["has_enough_labels"]


def has_enough_labels(job: LabelingJob, current: RoundStatus) -> bool:
    """Whether every class has `sampling.minPerClass` labels after the round's Aggregate, and some item has one.

    Labels that rules alone have given count: to train on them is what rules are for.
    """
    aggregate = current.stages[Stage.AGGREGATE]
    enough_per_class = figure(aggregate, "min_class_count") >= job.spec.sampling.min_per_class
    return enough_per_class and figure(aggregate, "voted" if "voted" in aggregate.figures else "labelled") >= 1
