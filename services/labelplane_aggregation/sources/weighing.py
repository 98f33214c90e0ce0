"""What the votes of rules say of an item, each rule weighed by how often it is right where it votes.

A rule abstains, and mostly knows one class: whatever the item is, it says "animal" or nothing. A confusion matrix,
which takes silence for an accident, finds in such a vote no evidence at all, so rules have a model of their own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["KnownClasses", "RuleWeights", "weigh_rules"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_POOLED_MASS = 4.0
"""Votes by which a rule's agreement with the others is drawn to the mean of all rules."""

_AGREED_MASS = 10.0
"""Known items that outweigh what agreement with other rules tells of a rule."""

_ITERATIONS = 30
_TOLERANCE = 1e-6
_FLOOR = 0.01
"""No rule is surer than 99 % or less sure than 1 %, however few items say so."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownClasses:
    """Items whose class is known, or nearly: gold, and what people's votes say.

    Attributes:
        item_ids: Arrow strings.
        probabilities: (items, classes): P(class).
    """

    item_ids: Any
    probabilities: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RuleWeights:
    """What rules say.

    Attributes:
        item_ids: Arrow strings, of the items with votes.
        evidence: (items, classes): how much more probable the votes make each class; the class's share times this,
            normalised, is its posterior.
        annotators: Arrow strings.
        accuracy: (annotators,): how often each is right where it votes.
        n_votes: (annotators,): items that it votes on.
    """

    item_ids: Any
    evidence: FloatArray
    annotators: Any
    accuracy: FloatArray
    n_votes: IntArray


def weigh_rules(votes: pa.Table, *, classes: Any, known: KnownClasses, class_shares: FloatArray) -> RuleWeights:
    """Learn each annotator's precision and weigh the votes by it.

    Model. Where annotator i votes class l, the item is of class l with probability p_i, and of another class as these
    are frequent: P(y | i votes l) = p_i for y = l, (1 - p_i) pi_y / (1 - pi_l) else. Votes are independent given the
    class, so P(y | votes) ~ pi_y prod_i (P(y | i) / pi_y)^w: a single vote of weight 1 gives exactly p_i. pi is given
    and not learned: from rules, which vote on what they are written for, EM would learn a prior of those classes alone.

    Steps. Items start with their vote shares; those that are known keep what is known. p_i is the share of i's votes
    that posteriors call right on all items, drawn to the mean of all rules by 4 votes; that in turn stands for 10 votes
    beside the share on known items alone. So a rule is judged by people and gold as soon as they say something of it,
    and until then by its agreement with others. Then the posteriors are made anew, until no p_i moves by more than
    1e-6, at most 30 times.

    O(votes + items x classes) an iteration.

    Source of the product of experts by precision: A. Ratner et al., Data Programming, NeurIPS 2016, section 3, whose
    labelling functions have an accuracy where they do not abstain; here with gold and people's votes in it.

    Args:
        votes: `VOTES` that count, of rules and knowledge bases; at least one.
        classes: Arrow strings, the task's.
        known: what is known of some items.
        class_shares: (classes,): pi, above 0, adds up to 1.
    """
    ballots = _Ballots(votes, classes, known)
    accuracy = np.full(ballots.n_annotators, 0.5)
    posterior = ballots.shares()
    for _ in range(_ITERATIONS):
        before, accuracy = accuracy, ballots.precision(posterior)
        evidence = ballots.evidence(accuracy, class_shares)
        posterior = _normalised(np.log(class_shares) + evidence)
        if np.abs(accuracy - before).max() <= _TOLERANCE:
            break
    return RuleWeights(
        item_ids=ballots.item_ids,
        evidence=np.exp(evidence - evidence.max(axis=1, keepdims=True)),
        annotators=ballots.annotator_ids,
        accuracy=accuracy,
        n_votes=ballots.n_votes(),
    )


class _Ballots:
    """Votes as codes."""

    def __init__(self, votes: pa.Table, classes: Any, known: KnownClasses) -> None:
        items = votes.column("item_id").combine_chunks().dictionary_encode()
        annotators = votes.column("annotator").combine_chunks().dictionary_encode()
        self.item_ids, self.annotator_ids = items.dictionary, annotators.dictionary
        self._items, self._annotators = _codes(items.indices), _codes(annotators.indices)
        self._answers = _codes(pc.index_in(votes.column("answer"), value_set=classes))
        self._weights = votes.column("weight").to_numpy()
        self._shape = (len(self.item_ids), len(classes))
        self.n_annotators = len(self.annotator_ids)
        rows = _codes(pc.index_in(self.item_ids, value_set=known.item_ids))
        self._known_rows = np.flatnonzero(rows >= 0)
        self._known = known.probabilities[rows[self._known_rows]]
        self._is_known = (rows >= 0)[self._items]

    def shares(self) -> FloatArray:
        """Return each item's vote shares."""
        sums = self._spread(self._weights)
        shares: FloatArray = sums / sums.sum(axis=1, keepdims=True)
        return shares

    def precision(self, posterior: FloatArray) -> FloatArray:
        """Return how often each annotator is right where it votes, by these posteriors and what is known."""
        posterior = posterior.copy()
        posterior[self._known_rows] = self._known
        right = self._weights * posterior[self._items, self._answers]
        pooled = right.sum() / self._weights.sum()
        agreed = (self._sum(right) + _POOLED_MASS * pooled) / (self._sum(self._weights) + _POOLED_MASS)
        known_right, known = self._sum(right * self._is_known), self._sum(self._weights * self._is_known)
        precision: FloatArray = (known_right + _AGREED_MASS * agreed) / (known + _AGREED_MASS)
        return precision.clip(_FLOOR, 1 - _FLOOR)

    def evidence(self, accuracy: FloatArray, class_shares: FloatArray) -> FloatArray:
        """Return the logarithm of what the votes say of each class, against the classes' shares."""
        own = accuracy[self._annotators]
        wrong = np.log1p(-own) - np.log1p(-class_shares[self._answers])
        right = np.log(own) - np.log(class_shares[self._answers])
        against = np.bincount(self._items, weights=self._weights * wrong, minlength=self._shape[0])
        evidence: FloatArray = against[:, None] + self._spread(self._weights * (right - wrong))
        return evidence

    def n_votes(self) -> IntArray:
        """Return on how many items each annotator votes."""
        pairs = np.unique(self._items * self.n_annotators + self._annotators)
        return np.bincount(pairs % self.n_annotators, minlength=self.n_annotators).astype(np.int64)

    def _spread(self, values: FloatArray) -> FloatArray:
        """Return the sums of votes' values by item and answer."""
        cells = self._items * self._shape[1] + self._answers
        size = self._shape[0] * self._shape[1]
        sums: FloatArray = np.bincount(cells, weights=values, minlength=size).reshape(self._shape).astype(np.float64)
        return sums

    def _sum(self, values: FloatArray) -> FloatArray:
        sums: FloatArray = np.bincount(self._annotators, weights=values, minlength=self.n_annotators).astype(np.float64)
        return sums


def _normalised(logs: FloatArray) -> FloatArray:
    shifted = np.exp(logs - logs.max(axis=1, keepdims=True))
    posterior: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return posterior


def _codes(places: Any) -> IntArray:
    whole = places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places
    codes: IntArray = whole.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
