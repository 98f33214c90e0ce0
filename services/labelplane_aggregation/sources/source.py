"""What every source of votes does, and what it gives."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labelplane_aggregation.sources.block import ItemBlock

__all__ = ["Ballots", "VoteSource"]


@dataclass(frozen=True, slots=True, eq=False)
class Ballots:
    """What one source says of a block; an item without a row is one on which it abstains.

    Attributes:
        rows: int64, (votes,): place of the item in the block, never falling.
        answers: Arrow strings, (votes,): of one item no class twice.
        weights: (votes,): above 0; those of one item add up to 1.
    """

    rows: npt.NDArray[np.int64]
    answers: Any
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many votes there are."""
        return len(self.rows)


class VoteSource(Protocol):
    """One annotator that is no person: it votes classes for items, or abstains."""

    @property
    def name(self) -> str:
        """The annotator's name."""
        ...

    @property
    def digest(self) -> str:
        """Hexadecimal; the same exactly when the votes on the same items are."""
        ...

    @property
    def priority(self) -> int:
        """Of two sources that disagree on an item, the higher votes alone."""
        ...

    @property
    def reads_pixels(self) -> bool:
        """Whether it votes on what is measured of images, so that they have to be decoded."""
        ...

    def prepare(self) -> None:
        """Make ready to vote, once; may take seconds, and tells what is wrong with the source's own data."""
        ...

    def vote(self, block: ItemBlock) -> Ballots:
        """Vote on the items of a block; pure, and safe in a thread."""
        ...
