"""How each rule and knowledge base does: what it covers, where it meets others, how often it is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.tables import RULE_DIAGNOSTICS, from_matrix, is_by_rules, to_matrix

__all__ = ["Diagnosed", "diagnose"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosed:
    """What there is to say.

    Attributes:
        table: `RULE_DIAGNOSTICS`, in the order of the annotators.
        covered: items with a vote of any of them.
        overlapping: items with votes of two or more.
        conflicting: items on which two disagree.
    """

    table: pa.Table
    covered: int
    overlapping: int
    conflicting: int

    @property
    def silent(self) -> list[str]:
        """The annotators that never vote."""
        return [
            str(name)
            for name, hits in zip(*(self.table.column(each).to_pylist() for each in ("annotator", "hits")), strict=True)
            if not hits
        ]


def diagnose(
    votes: pa.Table,
    annotators: Mapping[str, str],
    *,
    classes: Sequence[str],
    posteriors: pa.Table | None = None,
    gold: tuple[Any, Any] | None = None,
) -> Diagnosed:
    """Measure every rule and knowledge base.

    Overlap and conflict are between annotators: an ambiguous knowledge base does not contradict itself, and says what
    weighs most. Votes that yield to a rule of higher priority are counted, too; without them a conflict that a priority
    has decided would not be seen.

    Args:
        votes: `VOTES`, of any source; those of rules and knowledge bases are looked at.
        annotators: each one's source by its name, in order; one without a vote is silent.
        classes: the task's.
        posteriors: `POSTERIORS`; without them nothing is estimated.
        gold: Arrow arrays of ids and known classes, of items that decide and not of those that only report.
    """
    own = votes.filter(is_by_rules(votes))
    counting = _Counting(own, list(annotators), classes)
    accuracy = counting.estimated(posteriors)
    gold_hits, gold_right = counting.measured(gold)
    table = pa.table(
        {
            "annotator": pa.array(list(annotators), pa.string()),
            "source": pa.array(list(annotators.values()), pa.string()),
            "answers": from_matrix(counting.answer_counts()),
            "hits": pa.array(counting.per_annotator(np.ones(len(counting.annotators), dtype=bool))),
            "overlaps": pa.array(counting.per_annotator(counting.is_overlap)),
            "conflicts": pa.array(counting.per_annotator(counting.is_conflict)),
            "outvoted": pa.array(counting.per_annotator(counting.is_outvoted)),
            "estimated_accuracy": pa.array(accuracy, mask=np.isnan(accuracy)),
            "gold_hits": pa.array(gold_hits),
            "gold_right": pa.array(gold_right),
        },
        schema=RULE_DIAGNOSTICS.arrow,
    )
    return Diagnosed(
        table,
        covered=len(np.unique(counting.items)),
        overlapping=len(np.unique(counting.items[counting.is_overlap])),
        conflicting=len(np.unique(counting.items[counting.is_conflict])),
    )


class _Counting:
    """Votes as codes, of each annotator and item the one that weighs most."""

    def __init__(self, votes: pa.Table, names: Sequence[str], classes: Sequence[str]) -> None:
        self._names, self._classes = names, pa.array(classes, pa.string())
        items = votes.column("item_id").combine_chunks().dictionary_encode()
        annotators = _codes(pc.index_in(votes.column("annotator"), value_set=pa.array(names, pa.string())))
        codes = items.indices.to_numpy().astype(np.int64)
        # The heaviest vote of a pair first, of equal ones the first class; then only the first row of a pair is kept.
        answers = _codes(pc.index_in(votes.column("answer"), value_set=self._classes))
        order = np.lexsort((answers, -votes.column("weight").to_numpy(), annotators, codes))
        order = order[annotators[order] >= 0]
        pairs = codes[order] * max(len(names), 1) + annotators[order]
        rows = order[np.concatenate([[True], pairs[1:] != pairs[:-1]])] if len(order) else order
        self._item_ids = items.dictionary
        self.items, self.annotators, self.answers = codes[rows], annotators[rows], answers[rows]
        self.is_outvoted = votes.column("retracted").to_numpy()[rows].astype(bool)
        self._say()

    def _say(self) -> None:
        """Work out where a vote meets others, and where one of them says something else."""
        n_items, n_classes = len(self._item_ids), len(self._classes)
        said = np.bincount(self.items, minlength=n_items)
        cells = self.items * n_classes + self.answers
        same = np.bincount(cells, minlength=n_items * n_classes)
        self.is_overlap = said[self.items] > 1
        self.is_conflict = same[cells] < said[self.items]

    def per_annotator(self, chosen: npt.NDArray[np.bool_]) -> IntArray:
        """Count each annotator's votes among the chosen."""
        return np.bincount(self.annotators[chosen], minlength=len(self._names)).astype(np.int64)

    def answer_counts(self) -> IntArray:
        """Return (annotators, classes)."""
        n_classes = len(self._classes)
        counts = np.bincount(self.annotators * n_classes + self.answers, minlength=len(self._names) * n_classes)
        return counts.reshape(len(self._names), n_classes).astype(np.int64)

    def estimated(self, posteriors: pa.Table | None) -> FloatArray:
        """Return each annotator's mean posterior of what it says, NaN without a vote that counts."""
        sums: FloatArray = np.zeros(len(self._names))
        counts: FloatArray = np.zeros(len(self._names))
        if posteriors is not None and len(posteriors) and len(self.items):
            places = _codes(pc.index_in(self._item_ids, value_set=posteriors.column("item_id").combine_chunks()))
            rows = places[self.items]
            chosen = (rows >= 0) & ~self.is_outvoted
            probabilities = to_matrix(posteriors.column("probabilities"))
            right = probabilities[rows[chosen], self.answers[chosen]]
            sums[:] = np.bincount(self.annotators[chosen], weights=right, minlength=len(self._names))
            counts[:] = np.bincount(self.annotators[chosen], minlength=len(self._names))
        means: FloatArray = np.full(len(self._names), np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return means

    def measured(self, gold: tuple[Any, Any] | None) -> tuple[IntArray, IntArray]:
        """Return each annotator's votes on gold, and those that are right."""
        if gold is None or not len(self.items):
            zeros = np.zeros(len(self._names), dtype=np.int64)
            return zeros, zeros.copy()
        ids, labels = gold
        places = _codes(pc.index_in(self._item_ids, value_set=ids))[self.items]
        truth = _codes(pc.index_in(labels, value_set=self._classes))
        is_gold = places >= 0
        is_right = np.zeros(len(self.items), dtype=bool)
        is_right[is_gold] = truth[places[is_gold]] == self.answers[is_gold]
        return self.per_annotator(is_gold), self.per_annotator(is_right)


def _codes(found: Any) -> IntArray:
    """Return places as integers, -1 for none."""
    whole = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    codes: IntArray = whole.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
