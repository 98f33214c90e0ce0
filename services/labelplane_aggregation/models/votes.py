"""Votes as sparse integer codes: what every aggregator reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from labelplane_aggregation.errors import (
    DuplicateVoteError,
    EmptyVotesError,
    InvalidSettingError,
    InvalidVotesError,
    InvalidWeightError,
    NullVoteError,
    UnknownClassError,
)
from labelplane_aggregation.models._frames import Codes, as_strings, encode, read_frame, take_column

__all__ = ["MAX_WEIGHT", "DuplicateVotes", "VoteMatrix"]

MAX_WEIGHT = 1e9
"""Largest weight of a vote: far above any use, far below what overflows a sum."""


class DuplicateVotes(StrEnum):
    """What to do when one annotator answers one item more than once."""

    LAST = "last"
    """Keep the row that comes last: an edit replaces what it edits."""
    FIRST = "first"
    """Keep the row that comes first."""
    REJECT = "reject"
    """Raise `DuplicateVoteError`, equal answers included."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VoteMatrix:
    """Sparse coded votes, sorted by item and then annotator, at most one vote for each pair.

    Made by `from_table`; made directly, it checks its own shape, since the kernels trust it. Arrays are read-only.

    Attributes:
        items: int32, (votes,): position in `item_ids`, never falling.
        annotators: int32, (votes,): position in `annotator_ids`, rising within an item.
        answers: int32, (votes,): position in `classes`.
        weights: float64, (votes,): how often a vote counts, 0 to `MAX_WEIGHT`; 1 is one vote.
        offsets: int64, (items + 1,): item i has the votes offsets[i] to offsets[i + 1] - 1.
        item_ids: Arrow strings, sorted by `from_table`; rows of every (items, classes) table follow this order.
        annotator_ids: Arrow strings, sorted by `from_table`.
        classes: Arrow strings, in the order that was given, else sorted.
    """

    items: Codes
    annotators: Codes
    answers: Codes
    weights: NDArray[np.float64]
    offsets: NDArray[np.int64]
    item_ids: pa.StringArray
    annotator_ids: pa.StringArray
    classes: pa.StringArray

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise InvalidVotesError(f"vote matrix: {problem}: make it with VoteMatrix.from_table")
        for name in ("items", "annotators", "answers", "weights", "offsets"):
            view = np.ascontiguousarray(getattr(self, name)).view()  # the caller's own array stays writeable
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def n_items(self) -> int:
        """Number of items, those without a vote included."""
        return len(self.item_ids)

    @property
    def n_annotators(self) -> int:
        """Number of annotators, those without a vote included."""
        return len(self.annotator_ids)

    @property
    def n_classes(self) -> int:
        """Number of classes, those nobody answered included."""
        return len(self.classes)

    @property
    def n_votes(self) -> int:
        """Number of votes."""
        return len(self.items)

    @classmethod
    def of(cls, votes: Any) -> VoteMatrix:
        """Return `votes` itself when it is a matrix already, else `from_table(votes)`."""
        return votes if isinstance(votes, VoteMatrix) else cls.from_table(votes)

    @classmethod
    def from_table(
        cls,
        votes: Any,
        *,
        classes: Sequence[str] | pa.StringArray | None = None,
        duplicates: DuplicateVotes | str = DuplicateVotes.LAST,
    ) -> Self:
        """Code a frame of votes. The result depends on the set of votes alone, not on the order of the rows.

        (With `duplicates` "last" or "first" the order of the rows decides between answers of one pair, nothing else.)

        Args:
            votes: any frame (pyarrow, pandas, polars, `__arrow_c_stream__`, dict of lists) with the columns item,
                annotator and label (strings, integers or booleans), optionally weight. Other columns are not read.
            classes: every class of the task, in order; without it, the sorted answers. Needed where a class may have
                no vote yet.
            duplicates: what to do when one annotator answers one item more than once.

        Raises:
            MissingColumnError: a column is not there.
            EmptyVotesError: the frame has no row.
            NullVoteError: a cell is empty.
            UnknownClassError: an answer is none of `classes`.
            InvalidWeightError: a weight is NaN, negative or above `MAX_WEIGHT`.
            DuplicateVoteError: one annotator answered one item twice, and `duplicates` is "reject".
            InvalidVotesError: a column has another type.
            InvalidSettingError: `classes` is empty or repeats itself, or `duplicates` is unknown.

        Complexity: O(votes + items log items); peak memory some 60 bytes a vote and the ids.
        """
        policy = _policy(duplicates)
        table = read_frame(votes, columns=("item", "annotator", "label"), what="votes")
        if not table.num_rows:
            raise EmptyVotesError("votes: the table has no row: give at least one vote")
        item_ids, items = encode(take_column(table, "item", what="votes"))
        annotator_ids, annotators = encode(take_column(table, "annotator", what="votes"))
        names, answers = _code_answers(table, classes)
        weights = _read_weights(table)
        rows = _order(items, annotators, item_ids, annotator_ids, policy=policy)
        items = items[rows]
        return cls(
            items=items,
            annotators=annotators[rows],
            answers=answers[rows],
            weights=np.ones(len(rows)) if weights is None else weights[rows],
            offsets=_offsets(items, len(item_ids)),
            item_ids=item_ids,
            annotator_ids=annotator_ids,
            classes=names,
        )

    def shares(self) -> NDArray[np.float64]:
        """Return each item's vote shares, (items, classes); an item without weight gets equal shares."""
        keys = self.items.astype(np.int64) * self.n_classes + self.answers
        sums = np.bincount(keys, weights=self.weights, minlength=self.n_items * self.n_classes)
        shares = np.asarray(sums, dtype=np.float64).reshape(self.n_items, self.n_classes)
        totals = shares.sum(axis=1, keepdims=True)
        shares[totals[:, 0] == 0.0] = 1.0
        totals[totals == 0.0] = self.n_classes
        shares /= totals
        return shares

    def _problem(self) -> str | None:
        """Say what is wrong with the arrays, or None; each question relies on the ones before it."""
        codes = (self.items, self.annotators, self.answers)
        if any(array.dtype != np.int32 for array in codes):
            return "items, annotators and answers are int32"
        if self.offsets.dtype != np.int64 or self.weights.dtype != np.float64:
            return "offsets are int64 and weights float64"
        if {array.shape for array in (*codes, self.weights)} != {(self.n_votes,)}:
            return "items, annotators, answers and weights are of one length"
        if not self.n_votes or not self.n_classes:
            return "it holds no vote or no class"
        return self._code_problem() or self._order_problem()

    def _code_problem(self) -> str | None:
        sizes = {"items": self.n_items, "annotators": self.n_annotators, "answers": self.n_classes}
        for name, size in sizes.items():
            codes: Codes = getattr(self, name)
            if int(codes.min()) < 0 or int(codes.max()) >= size:
                return f"{name} has a code outside 0 to {size - 1}"
        return None if _valid_weights(self.weights).all() else f"a weight is outside 0 to {MAX_WEIGHT:g}"

    def _order_problem(self) -> str | None:
        if not np.array_equal(self.offsets, _offsets(self.items, self.n_items)):
            return "offsets do not count the items' votes"
        if (np.diff(_pairs(self.items, self.annotators, self.n_annotators)) <= 0).any():
            return "votes are not sorted by item and annotator, one for each pair"
        return None


def _policy(duplicates: DuplicateVotes | str) -> DuplicateVotes:
    try:
        return DuplicateVotes(duplicates)
    except ValueError as error:
        known = ", ".join(DuplicateVotes)
        raise InvalidSettingError(f"duplicates: {duplicates!r} is none of {known}") from error


def _code_answers(table: pa.Table, classes: Sequence[str] | pa.StringArray | None) -> tuple[pa.StringArray, Codes]:
    answered, codes = encode(take_column(table, "label", what="votes"))
    if classes is None:
        return answered, codes
    names = as_strings(classes, what="classes")
    if not len(names) or names.null_count or len(names.unique()) < len(names):
        raise InvalidSettingError(f"classes: {names.to_pylist()}: name each class once, and at least one")
    places = pc.index_in(answered, value_set=names).fill_null(-1).to_numpy().astype(np.int32)
    answers: Codes = places[codes]
    if (places < 0).any():
        row = int(np.flatnonzero(answers < 0)[0])
        label = answered[int(codes[row])].as_py()
        msg = f"votes: row {row}: label {label!r} is none of the classes {_some(names)}: mend it or add the class"
        raise UnknownClassError(msg)
    return names, answers


def _some(names: pa.StringArray) -> str:
    """List the first ten names, so that a message stays one line."""
    shown = ", ".join(map(str, names[:10].to_pylist()))
    return shown if len(names) <= 10 else f"{shown}, ... ({len(names)} in all)"


def _valid_weights(weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (weights >= 0.0) & (weights <= MAX_WEIGHT)  # NaN fails both


def _read_weights(table: pa.Table) -> NDArray[np.float64] | None:
    if "weight" not in table.column_names:
        return None
    column = table.column("weight")
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise InvalidWeightError(f"votes: column 'weight' holds {column.type}: give numbers")
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise NullVoteError(f"votes: row {row}: weight is empty: give a number, 1 for a plain vote")
    weights = column.cast(pa.float64()).to_numpy()
    valid = _valid_weights(weights)
    if not valid.all():
        row = int(np.flatnonzero(~valid)[0])
        raise InvalidWeightError(f"votes: row {row}: weight {weights[row]} is no number from 0 to {MAX_WEIGHT:g}")
    return np.asarray(weights, dtype=np.float64)


def _pairs(items: Codes, annotators: Codes, n_annotators: int) -> NDArray[np.int64]:
    return items.astype(np.int64) * n_annotators + annotators


def _order(
    items: Codes,
    annotators: Codes,
    item_ids: pa.StringArray,
    annotator_ids: pa.StringArray,
    *,
    policy: DuplicateVotes,
) -> NDArray[np.int64]:
    """Return the rows to keep, by item, then annotator; of a pair's rows the one that `policy` says."""
    from labelplane_aggregation.models import _kernels

    rows: NDArray[np.int64] = _kernels.sort_votes(items, annotators, len(item_ids), len(annotator_ids))
    pairs = _pairs(items[rows], annotators[rows], len(annotator_ids))
    repeats = pairs[1:] == pairs[:-1]
    if not repeats.any():
        return rows
    if policy is DuplicateVotes.REJECT:
        row = int(rows[1:][repeats].min())
        item, annotator = item_ids[int(items[row])].as_py(), annotator_ids[int(annotators[row])].as_py()
        msg = f"votes: row {row}: annotator {annotator!r} has answered item {item!r} before: keep one of the rows"
        raise DuplicateVoteError(msg)
    keep = np.ones(len(rows), dtype=bool)
    if policy is DuplicateVotes.LAST:
        keep[:-1] = ~repeats
    else:
        keep[1:] = ~repeats
    return rows[keep]


def _offsets(items: Codes, n_items: int) -> NDArray[np.int64]:
    offsets = np.zeros(n_items + 1, np.int64)
    np.cumsum(np.bincount(items, minlength=n_items), out=offsets[1:])
    return offsets
