"""What a simulated cluster has to do: rounds of many jobs, each a queue of shards that is filled at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["BLOCK_ITEMS", "SimulatedRound", "make_rounds"]

BLOCK_ITEMS = 4096
_SMALLEST_ROUND_ITEMS = 100_000
_LARGEST_SHARE = 0.12
_SIGMA = 1.2
_LATE_ROUNDS = 0.25


@dataclass(frozen=True, slots=True)
class SimulatedRound:
    """Score of one round of a job.

    Attributes:
        start_seconds: when its shards are put on the queue.
        shards: how many, of one block each.
        shard_seconds: what a worker needs for one, in the mean.
        late_shards: of them that are put only later, as the service that fills the queue was moved to another node.
        late_seconds: how much later.
    """

    start_seconds: float
    shards: int
    shard_seconds: float
    late_shards: int = 0
    late_seconds: float = 0.0


def make_rounds(
    generator: np.random.Generator, *, items: int, jobs: int, hours: float, burst_share: float = 0.4
) -> Sequence[SimulatedRound]:
    """Return one round a job, of `items` items in all: a few large ones, many small ones.

    Of the jobs a share comes in two bursts, within a minute each, as when a team applies its jobs or people finish for
    the day; the others come at any time of the first three quarters. A quarter of the queues is filled in two halves.
    """
    weights = generator.lognormal(0.0, _SIGMA, jobs)
    shares = np.minimum(weights / weights.sum(), _LARGEST_SHARE)
    counts = np.maximum(shares / shares.sum() * items, _SMALLEST_ROUND_ITEMS)
    end = 0.75 * hours * 3600
    starts = generator.uniform(0, end, jobs)
    in_burst = generator.random(jobs) < burst_share
    starts[in_burst] = generator.choice([0.1, 0.6], in_burst.sum()) * end + generator.uniform(0, 60, in_burst.sum())
    seconds = generator.uniform(8, 18, jobs)
    is_late, late_seconds = generator.random(jobs) < _LATE_ROUNDS, generator.uniform(30, 90, jobs)
    shards = np.ceil(counts / BLOCK_ITEMS).astype(int)
    late = np.where(is_late, shards // 2, 0)
    columns = (starts, shards, seconds, late, late_seconds)
    rounds = [SimulatedRound(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
    return sorted(rounds, key=lambda each: each.start_seconds)
