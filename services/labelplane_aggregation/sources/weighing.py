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

from labelplane_aggregation.models import Copies, LabelModel, VoteMatrix

__all__ = ["KnownClasses", "RuleWeights", "weigh_rules"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_AGREED_MASS = 10.0
"""Known items that outweigh what agreement with other rules tells of a rule."""

_FLOOR = 0.01
"""No rule is surer than 99 % or less sure than 1 %, however few items say so."""

_FEWEST_ITEMS = 50
"""Items under which rules are not compared: there are more numbers to learn than votes."""

_LOST = 2 / 3
"""Share of the right votes by vote shares that a comparison of rules must find, or it has lost hold of the classes."""

_POOLED_MASS = 4.0
"""Votes by which what agreement tells of a voice is drawn to the mean of all."""

_ITERATIONS = 30
_TOLERANCE = 1e-6

_LEAST_KNOWN = 1e-3
"""Probabilities of known items that are worth a vote."""

_TINY = 1e-6


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
    """Learn what each annotator's votes tell of the class, and weigh the votes by it.

    Model. Where annotator i votes l, the item is of class k with probability P_i[l, k]. Votes are independent given the
    class, copies aside, so P(y = k | votes) ~ pi_k prod_i (P_i[l, k] / pi_k)^(w v_i): a single vote of weight w = 1 by
    a rule that repeats no other (v_i = 1) gives exactly P_i[l]. pi is given and not learned: from rules, which vote on
    what they are written for, one would learn a prior of those classes alone.

    Steps. `LabelModel` is fitted to the rules' votes, with what is known as one more voice for each class: this
    compares the rules with each other. Its class shares are learned, and drawn half-way to even ones. Where there is
    little to compare (under 50 items, one rule, rules that vote alike everywhere) such a model may find anything; then,
    which shows in far fewer votes being right than by vote shares, rules are taken at their word: each has one
    precision, learned with the posteriors of a product of experts from the vote shares on. Either way posteriors give
    expected votes, and these P_i, drawn by four votes to the precision of all rules. That stands for 10 votes beside
    the votes on known items alone. So a rule is judged by people and gold as soon as they say something of it, and
    until then by its agreement with others. v_i is what `Copies` finds: k rules that repeat each other count about
    once. An annotator of several classes is taken for one of each class.

    O(votes x classes) an iteration of the label model.

    Source of the product of experts by precision: A. Ratner et al., Data Programming, NeurIPS 2016, section 3, whose
    labelling functions have an accuracy where they do not abstain; here with gold and people's votes in it.

    Args:
        votes: `VOTES` that count, of rules and knowledge bases; at least one.
        classes: Arrow strings, the task's.
        known: what is known of some items.
        class_shares: (classes,): pi, above 0, adds up to 1.
    """
    ballots = _Ballots(votes, classes, known)
    posterior = ballots.compared()
    if posterior is None:
        posterior = ballots.trusted(class_shares)
    counts = ballots.counts(posterior)
    tells = ballots.tells(counts, class_shares)
    counting = Copies(ballots.matrix).weights(ballots.by_answer(counts), posterior.sum(axis=0))
    evidence = ballots.evidence(tells, class_shares, counting)
    return RuleWeights(
        item_ids=ballots.matrix.item_ids,
        evidence=np.exp(evidence - evidence.max(axis=1, keepdims=True)),
        annotators=ballots.annotator_ids,
        accuracy=ballots.accuracy(tells),
        n_votes=ballots.n_votes(),
    )


class _Ballots:
    """Votes as codes. An annotator that votes several classes is cut into voices, one of each class."""

    def __init__(self, votes: pa.Table, classes: Any, known: KnownClasses) -> None:
        annotators = votes.column("annotator").combine_chunks().dictionary_encode()
        self.annotator_ids = annotators.dictionary
        answers = _codes(pc.index_in(votes.column("answer"), value_set=classes))
        self._classes, self._n_classes = classes, len(classes)
        cells, voices = np.unique(_codes(annotators.indices) * self._n_classes + answers, return_inverse=True)
        self._rows = {
            "item": votes.column("item_id").combine_chunks(),
            "annotator": pa.array(voices.astype(np.int64)),
            "label": votes.column("answer").combine_chunks(),
            "weight": votes.column("weight").combine_chunks(),
        }
        self.matrix = VoteMatrix.from_table(self._rows, classes=classes)
        self._owners, self._answers = np.divmod(
            cells[self.matrix.annotator_ids.cast(pa.int64()).to_numpy()], self._n_classes
        )
        rows = _codes(pc.index_in(self.matrix.item_ids, value_set=known.item_ids))
        self._known_rows = np.flatnonzero(rows >= 0)
        self._known = known.probabilities[rows[self._known_rows]]

    def compared(self) -> FloatArray | None:
        """Return the items' posterior by a label model, what is known being one more voice for each class.

        None where there is too little to compare, or the model has lost hold of the classes.
        """
        if self.matrix.n_items < _FEWEST_ITEMS:
            return None
        rows, known_classes = np.nonzero(self._known >= _LEAST_KNOWN)
        known = {
            "item": self.matrix.item_ids.take(pa.array(self._known_rows[rows])),
            "annotator": pa.array(-1 - known_classes),
            "label": self._classes.take(pa.array(known_classes)),
            "weight": pa.array(self._known[rows, known_classes]),
        }
        joined = {name: pa.concat_arrays([column, known[name]]) for name, column in self._rows.items()}
        model = LabelModel(class_smoothing=self.matrix.n_items / self._n_classes)
        posterior = model.fit(VoteMatrix.from_table(joined, classes=self._classes)).posterior_
        is_lost = self._right(posterior) < _LOST * self._right(self.matrix.shares())
        return None if is_lost else posterior

    def trusted(self, class_shares: FloatArray) -> FloatArray:
        """Return the items' posterior where each voice has one precision, and errs as classes are frequent."""
        posterior, precision = self.matrix.shares(), np.full(len(self._owners), 0.5)
        own, given = np.arange(len(self._owners)), self._sum(self.matrix.weights)
        for _ in range(_ITERATIONS):
            posterior[self._known_rows] = self._known
            before, counts = precision, self.counts(posterior)
            right = counts[own, self._answers] + _POOLED_MASS * self._usual(counts)
            precision = (right / (given + _POOLED_MASS)).clip(_FLOOR, 1 - _FLOOR)
            tells = self._even(precision, class_shares)
            logs = np.log(class_shares) + self.evidence(tells, class_shares, np.ones(len(own)))
            posterior = _normalised(np.exp(logs - logs.max(axis=1, keepdims=True)))
            if np.abs(precision - before).max() <= _TOLERANCE:
                break
        return posterior

    def _right(self, posterior: FloatArray) -> float:
        """Return how many votes are right by a posterior."""
        return float((self.matrix.weights * posterior[self.matrix.items, self.matrix.answers]).sum())

    def counts(self, posterior: FloatArray) -> FloatArray:
        """Return (voices, true classes): expected votes."""
        by_class = [self._sum(self.matrix.weights * column[self.matrix.items]) for column in posterior.T]
        return np.stack(by_class, axis=1)

    def by_answer(self, counts: FloatArray) -> FloatArray:
        """Return counts as (voices, answers, true classes)."""
        spread = np.zeros((len(counts), self._n_classes, self._n_classes))
        spread[np.arange(len(counts)), self._answers] = counts
        return spread

    def tells(self, counts: FloatArray, class_shares: FloatArray) -> FloatArray:
        """Return (voices, true classes): P(class | a vote), by agreement and by what is known."""
        known = np.zeros((self.matrix.n_items, self._n_classes))
        known[self._known_rows] = self._known
        agreed = _normalised(counts + _POOLED_MASS * self._even(self._usual(counts), class_shares))
        tells = _normalised(self.counts(known) + _AGREED_MASS * agreed)
        own = np.arange(len(tells))
        right = tells[own, self._answers]
        held = right.clip(_FLOOR, 1 - _FLOOR)
        tells = tells * ((1 - held) / np.maximum(1 - right, _TINY))[:, None]
        tells[own, self._answers] = held
        return np.maximum(tells, _TINY)

    def evidence(self, tells: FloatArray, class_shares: FloatArray, counting: FloatArray) -> FloatArray:
        """Return the logarithm of what the votes say of each class, against the classes' shares."""
        said = counting[:, None] * np.log(tells / class_shares)
        items, weights = self.matrix.items, self.matrix.weights
        by_class = [
            np.bincount(items, weights=weights * column[self.matrix.annotators], minlength=self.matrix.n_items)
            for column in said.T
        ]
        return np.stack(by_class, axis=1)

    def accuracy(self, tells: FloatArray) -> FloatArray:
        """Return how often each annotator is right where it votes."""
        given = np.maximum(self._sum(self.matrix.weights), _TINY)
        right = given * tells[np.arange(len(tells)), self._answers]
        size = len(self.annotator_ids)
        sums = [np.bincount(self._owners, weights=each, minlength=size) for each in (right, given)]
        return np.asarray(sums[0] / sums[1], np.float64)

    def n_votes(self) -> IntArray:
        """Return on how many items each annotator votes."""
        size = len(self.annotator_ids)
        pairs = np.unique(self.matrix.items.astype(np.int64) * size + self._owners[self.matrix.annotators])
        return np.bincount(pairs % size, minlength=size).astype(np.int64)

    def _even(self, precision: FloatArray | float, class_shares: FloatArray) -> FloatArray:
        """Return (voices, true classes): P(class | a vote) where errors fall as classes are frequent."""
        tells: FloatArray = np.outer((1 - precision) / (1 - class_shares[self._answers]), class_shares)
        tells[np.arange(len(tells)), self._answers] = precision
        return tells

    def _usual(self, counts: FloatArray) -> float:
        """Return the share of all votes that is right."""
        return float(counts[np.arange(len(counts)), self._answers].sum() / max(counts.sum(), _TINY))

    def _sum(self, values: FloatArray) -> FloatArray:
        sums = np.bincount(self.matrix.annotators, weights=values, minlength=self.matrix.n_annotators)
        return np.asarray(sums, np.float64)


def _normalised(rows: FloatArray) -> FloatArray:
    normalised: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return normalised


def _codes(places: Any) -> IntArray:
    whole = places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places
    codes: IntArray = whole.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
