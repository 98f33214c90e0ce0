"""Numbered blocks of items, and the runs of them that workers lease."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

__all__ = ["BLOCK_SIZE", "Shard", "Stage", "block_of", "blocks_per_shard", "n_blocks", "plan_shards"]

BLOCK_SIZE = 4096
"""Items in a block, unless the index manifest says otherwise; a block's number never changes."""

_SHARD_SECONDS = 10.0


class Stage(StrEnum):
    """The steps of a round, as they are spelled in keys and request ids."""

    PREPARE = "prepare"
    VOTE = "vote"
    AGGREGATE = "aggregate"
    TRAIN = "train"
    SCORE = "score"
    SELECT = "select"
    REVIEW = "review"
    FINALIZE = "finalize"


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """A run of blocks of one stage's attempt, from `first_block` to `last_block`, both included."""

    stage: Stage
    round: int
    first_block: int
    last_block: int
    attempt: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.first_block <= self.last_block:
            raise ValueError(
                f"a shard's blocks must be 0 <= first <= last, got {self.first_block} to {self.last_block}"
            )

    @property
    def key(self) -> str:
        """A name for this shard, the same in every process."""
        return f"{self.stage}/{self.round}/{self.attempt}/{self.first_block}-{self.last_block}"

    @property
    def blocks(self) -> range:
        """The numbers of the shard's blocks."""
        return range(self.first_block, self.last_block + 1)

    def split(self) -> tuple["Shard", ...]:
        """Return one shard for every block."""
        return tuple(Shard(self.stage, self.round, block, block, self.attempt) for block in self.blocks)


def n_blocks(n_items: int, *, block_size: int = BLOCK_SIZE) -> int:
    """Return how many blocks `n_items` consecutive items fill; the last may be shorter."""
    return -(-n_items // block_size)


def block_of(position: int, *, block_size: int = BLOCK_SIZE) -> int:
    """Return the block of the item at `position` of the index."""
    return position // block_size


def blocks_per_shard(seconds_per_block: float, *, target_seconds: float = _SHARD_SECONDS) -> int:
    """Return how many blocks make a shard last about `target_seconds` (5 to 20 is wise): at least one."""
    if seconds_per_block <= 0:
        raise ValueError(f"seconds_per_block must be above 0, got {seconds_per_block}")
    return max(1, round(target_seconds / seconds_per_block))


def plan_shards(
    blocks: Iterable[int], *, stage: Stage, round_number: int, attempt: int = 1, blocks_per_shard: int = 1
) -> tuple[Shard, ...]:
    """Cut the numbered `blocks` into shards of at most `blocks_per_shard` consecutive blocks, in ascending order.

    Pure. Every block is in exactly one shard; blocks that are not asked for are in none. Call it once a round, before
    the first enqueue, and keep what it was given: a resume that cut elsewhere would work blocks twice.
    """
    if blocks_per_shard < 1:
        raise ValueError(f"blocks_per_shard must be at least 1, got {blocks_per_shard}")
    numbers = sorted(set(blocks))
    return tuple(
        Shard(stage, round_number, start, min(start + blocks_per_shard - 1, last), attempt)
        for first, last in _runs(numbers)
        for start in range(first, last + 1, blocks_per_shard)
    )


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the first and last of every run of consecutive numbers."""
    if not numbers:
        return []
    gaps = [(left, right) for left, right in pairwise(numbers) if right != left + 1]
    firsts = [numbers[0], *(right for _, right in gaps)]
    lasts = [*(left for left, _ in gaps), numbers[-1]]
    return list(zip(firsts, lasts, strict=True))
