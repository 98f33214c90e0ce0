"""How many items a round may ask about."""

import math

from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus

__all__ = ["affordable_items", "batch_items", "further_votes", "votes_left"]


def votes_left(job: LabelingJob, status: LabelingJobStatus) -> float:
    """Return how many votes the budget still pays for, by count and by money; infinity without a bound."""
    budget, humans = job.spec.budget, job.spec.sources.humans
    by_count = float("inf") if budget.votes is None else float(budget.votes - status.cost.votes)
    price = humans.price_per_vote if humans else 0.0
    if budget.money is None or price == 0:
        return max(0.0, by_count)
    return max(0.0, min(by_count, (budget.money - status.cost.money) / price))


def affordable_items(job: LabelingJob, status: LabelingJobStatus) -> float:
    """Return for how many items all their votes are paid; infinity without a bound."""
    humans = job.spec.sources.humans
    if humans is None:
        return 0.0
    left = votes_left(job, status)
    # Infinity divided into whole parts is not a number.
    return left if math.isinf(left) else left // humans.votes_per_item


def batch_items(job: LabelingJob, status: LabelingJobStatus, *, is_cold_start: bool) -> int:
    """Return how many items this round asks about: the batch size, cut to what the budget pays for."""
    sampling = job.spec.sampling
    wanted = sampling.initial_batch_size if is_cold_start else sampling.batch_size
    return int(min(wanted, affordable_items(job, status)))


def further_votes(job: LabelingJob, status: LabelingJobStatus, *, selected: int) -> int:
    """Return for how many more votes on items of earlier rounds this round may ask.

    As many as a batch has items, cut to what the budget pays for beyond the `selected` new items; none in a job whose
    items all get `votesPerItem`.
    """
    humans = job.spec.sources.humans
    if humans is None or humans.max_votes_per_item is None:
        return 0
    left = votes_left(job, status) - selected * humans.votes_per_item
    return int(max(0.0, min(job.spec.sampling.batch_size, left)))
