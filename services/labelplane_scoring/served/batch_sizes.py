"""How many items one request carries: found by measuring, within bounds. Pure.

A row of the answer depends on its item alone and items keep their order, so the size changes the pace and no label.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

__all__ = ["LARGEST_BATCH", "BatchSizes"]

LARGEST_BATCH: Final = 256
"""Items of one request at most: as many as exported models are configured for."""

_FIRST: Final = 64
_WORTH_IT: Final = 1.05
"""A size is kept when it makes this much more of items a second than the size before."""
_SAMPLES: Final = 3
"""Whole requests that a size is judged by; the quickest counts, as a busy machine only ever slows one down."""


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """The size of the next request, and what is known of others; sizes double for as long as that pays.

    Attributes:
        size: items of the next request.
        largest: items that are never exceeded.
        best_rate: the most items a second that a smaller size came to; 0 before one was measured.
        best_size: that size.
        rate: the most items a second that `size` came to so far.
        samples: whole requests of `size` so far.
        is_settled: whether sizes are no longer tried.
    """

    size: int
    largest: int
    best_rate: float = 0.0
    best_size: int = 1
    rate: float = 0.0
    samples: int = 0
    is_settled: bool = False

    @classmethod
    def up_to(cls, largest: int) -> Self:
        """Return where to begin with a server that takes `largest` items at once; at least 1."""
        largest = max(1, min(largest, LARGEST_BATCH))
        return cls(size=min(_FIRST, largest), largest=largest, is_settled=largest <= 1)

    def measured(self, items: int, seconds: float) -> "BatchSizes":
        """Return the sizes after a request of `items` took `seconds`; one of another size says nothing."""
        if self.is_settled or items != self.size:
            return self
        seen = replace(self, rate=max(self.rate, items / max(seconds, 1e-9)), samples=self.samples + 1)
        return seen if seen.samples < _SAMPLES else _judged(seen)

    def refused(self, items: int) -> "BatchSizes":
        """Return the sizes after the server took no batch of `items`, or not in time."""
        largest = max(1, min(self.largest, items // 2))
        return BatchSizes(size=min(self.size, largest), largest=largest, is_settled=True)


def _judged(sizes: BatchSizes) -> BatchSizes:
    """Return what follows once a size has its samples: twice the size, or the last one that paid."""
    if sizes.best_rate and sizes.rate < sizes.best_rate * _WORTH_IT:
        return replace(sizes, size=sizes.best_size, is_settled=True)
    if sizes.size == sizes.largest:
        return replace(sizes, best_rate=sizes.rate, best_size=sizes.size, is_settled=True)
    doubled = min(2 * sizes.size, sizes.largest)
    return BatchSizes(size=doubled, largest=sizes.largest, best_rate=sizes.rate, best_size=sizes.size)
