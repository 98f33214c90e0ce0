"""Cutting votes into parts to hold out, by the votes themselves and not by what anything is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Cut", "without"]

_ROUNDS = 3
"""Of hashing neighbours: enough that items whose annotators differ anywhere near have different hashes."""

Hashes = NDArray[np.uint64]


class Cut:
    """Votes in `n_parts` parts, each item's in as many as can be.

    A vote's part depends on `seed` and on who voted with whom and agreed, so renaming or reordering items, annotators
    or classes changes nothing. (All three are hashed from their neighbours' hashes, in a few rounds, as in the
    test of graphs of Weisfeiler and Leman.) O(votes log votes).

    Attributes:
        item_ranks: int64, (items,): places of the items in an order that is such, too; items that nothing tells apart
            follow their positions.
    """

    def __init__(self, votes: VoteMatrix, *, n_parts: int, seed: int) -> None:
        self._n_parts = n_parts
        item_hashes, vote_hashes = _hash(votes, seed)
        self.item_ranks = np.empty(votes.n_items, np.int64)
        self.item_ranks[np.argsort(item_hashes, kind="stable")] = np.arange(votes.n_items)
        order = np.lexsort((vote_hashes, votes.items))
        ranks = np.empty(votes.n_votes, np.int64)
        ranks[order] = np.arange(votes.n_votes) - votes.offsets[votes.items]
        self._parts = (ranks + self.item_ranks[votes.items]) % n_parts

    def __iter__(self) -> Iterator[NDArray[np.bool_]]:
        """Yield which votes are in each part; a part that has none or all of them is left out."""
        for part in range(self._n_parts):
            held_out = self._parts == part
            if held_out.any() and not held_out.all():
                yield held_out


def without(votes: VoteMatrix, left_out: NDArray[np.bool_]) -> VoteMatrix:
    """Return the other votes, with all items, annotators and classes kept."""
    kept = ~left_out
    counts = np.bincount(votes.items[kept], minlength=votes.n_items)
    return replace(
        votes,
        items=votes.items[kept],
        annotators=votes.annotators[kept],
        answers=votes.answers[kept],
        weights=votes.weights[kept],
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def _hash(votes: VoteMatrix, seed: int) -> tuple[Hashes, Hashes]:
    """Return a hash of every item and every vote; sums of integers, which no order changes."""
    cells = votes.items.astype(np.int64) * votes.n_classes + votes.answers
    agreeing = np.bincount(cells, minlength=votes.n_items * votes.n_classes)[cells].astype(np.uint64)
    items = np.full(votes.n_items, _mix(np.array([seed & 0xFFFF_FFFF], np.uint64))[0], np.uint64)
    annotators, classes = np.zeros(votes.n_annotators, np.uint64), np.zeros(votes.n_classes, np.uint64)
    for _ in range(_ROUNDS):
        said = _mix(classes)[votes.answers] + agreeing
        annotators = _gather(annotators, votes.annotators, items[votes.items] + said)
        items = _gather(items, votes.items, _mix(annotators)[votes.annotators] + said)
        classes = _gather(classes, votes.answers, _mix(items)[votes.items] + annotators[votes.annotators])
    return items, _mix(annotators[votes.annotators] + agreeing + items[votes.items])


def _gather(hashes: Hashes, places: NDArray[np.int32], neighbours: Hashes) -> Hashes:
    sums = np.zeros_like(hashes)
    np.add.at(sums, places, _mix(neighbours))
    return _mix(hashes + sums)


def _mix(values: Hashes) -> Hashes:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    mixed = values + np.uint64(0x9E37_79B9_7F4A_7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    spread: Hashes = mixed ^ (mixed >> np.uint64(31))
    return spread
