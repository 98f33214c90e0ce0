"""What is still to come of a job: batches, votes, money and time. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from labelplane_api.job import LabelingJob
from labelplane_api.status import EarlierRounds, LabelingJobStatus, RoundStatus, Stage
from labelplane_operator.policies.batches import affordable_items

__all__ = ["Batch", "expected_batches", "seconds_left"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round is expected to ask.

    Attributes:
        round: its number.
        items: how many items people are asked about.
        votes: how many votes that takes.
        is_cold_start: whether it is chosen without a model.
    """

    round: int
    items: int
    votes: int
    is_cold_start: bool


def expected_batches(job: LabelingJob, status: LabelingJobStatus, *, items: int) -> list[Batch]:
    """Return the batches that are still to be asked, at most: a stop rule may end the rounds before.

    The first batch of a job is the only one without a model; where a class stays rare there are more of them. An item
    is counted once, while gold and check samples may be asked about again.

    Args:
        job: what is wanted.
        status: what is done; that of a new job when nothing is.
        items: how many items the data set has.
    """
    humans, sampling = job.spec.sources.humans, job.spec.sampling
    if humans is None:
        return []
    earlier = status.earlier or EarlierRounds()
    asked = earlier.asked + sum(_selected(each) for each in status.rounds)
    left = min(items - asked, affordable_items(job, status))
    batches: list[Batch] = []
    first = earlier.batches + sum(Stage.SELECT in each.stages for each in status.rounds)
    for number in range(first, job.spec.stop.max_rounds):
        size = int(min(sampling.batch_size if number else sampling.initial_batch_size, left))
        if size <= 0:
            break
        batches.append(Batch(number, size, size * humans.votes_per_item, is_cold_start=number == 0))
        left -= size
    return batches


def seconds_left(job: LabelingJob, status: LabelingJobStatus, *, now: datetime) -> float | None:
    """Return about how long the rest takes, None while no round has shown it.

    The rest is as many rounds as the budget pays for, each as long as the median of those that trained a model (the
    cold start is shorter), less what the present one has taken already. One more stands for Finalize.
    """
    lasted = [_duration(each) for each in status.rounds if each.finished_at and Stage.TRAIN in each.stages]
    current = status.rounds[-1] if status.rounds else None
    if not lasted or current is None or current.started_at is None:
        return None
    batches = expected_batches(job, status, items=status.progress.items)
    rounds = len(batches) + (1 if Stage.SELECT in current.stages else 0) + 1
    return max(0.0, rounds * median(lasted) - (now - current.started_at).total_seconds())


def _selected(each: RoundStatus) -> int:
    select = each.stages.get(Stage.SELECT)
    return int(select.figures.get("selected", 0.0)) if select else 0


def _duration(each: RoundStatus) -> float:
    if each.started_at is None or each.finished_at is None:
        return math.nan
    return (each.finished_at - each.started_at).total_seconds()
