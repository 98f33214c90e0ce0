"""How far annotators agree beyond chance: coefficients with bootstrap intervals over items.

Every coefficient is a function of how many annotators chose each class for an item. Items with equal counts are one
pattern, so a resample of items is one multinomial draw over the patterns: a thousand cost two matrix products. A vote
of weight 0 is left out; other weights do not count, for agreement is about answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = [
    "Agreement",
    "Level",
    "PairwiseKappas",
    "cohen_kappa",
    "cohen_kappas",
    "fleiss_kappa",
    "gwet_ac1",
    "krippendorff_alpha",
]

FloatArray = NDArray[np.float64]

_BLOCK_NUMBERS = 4_000_000
"""Numbers of one block of resamples, 32 MB."""

_MAX_CELLS = 100_000_000
"""Cells of the pairwise table, 800 MB."""


_ROUNDING = 1e-12
"""A denominator this near to zero is zero: 1 - chance, where all votes are for one class."""


class Level(StrEnum):
    """How far apart two classes are."""

    NOMINAL = "nominal"
    """All alike."""
    ORDINAL = "ordinal"
    """By the votes that lie between them in the order of the classes."""
    INTERVAL = "interval"
    """By the difference of their values."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient with its interval.

    Attributes:
        value: 1 is agreement everywhere, 0 what chance gives; NaN where it is not defined: no item has two votes, or
            chance alone would agree everywhere (one class only).
        low: lower end of the percentile interval; NaN where no resample has a value, or none was drawn.
        high: upper end.
        confidence: of the interval.
        n_items: items with two votes or more.
    """

    value: float
    low: float
    high: float
    confidence: float
    n_items: int


@dataclass(frozen=True, slots=True, eq=False)
class PairwiseKappas:
    """Cohen's kappa of every two annotators.

    Attributes:
        annotator_ids: Arrow strings; both axes.
        kappa: (annotators, annotators), symmetric; NaN where two share no item or chance alone agrees.
        n_items: int64, likewise: items that both answered; on the diagonal an annotator's own.
    """

    annotator_ids: pa.StringArray
    kappa: FloatArray
    n_items: NDArray[np.int64]


def krippendorff_alpha(
    votes: Any,
    *,
    level: Level | str = Level.NOMINAL,
    values: ArrayLike | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Return Krippendorff's alpha: one minus observed over expected disagreement.

    Items with one vote are left out; missing votes need no care. Ordinal distances are those of midranks, which is the
    same as the sum over the classes in between.

    Args:
        votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
        level: nominal, ordinal (classes in their order) or interval.
        values: (classes,) numbers of the classes for interval; by default their positions 0, 1, 2, ...
        n_resamples: resamples of items for the interval; 0 draws none.
        confidence: of the interval, between 0 and 1.
        seed: of the resamples.

    Raises:
        InvalidVotesError: the votes cannot be read.
        InvalidSettingError: a parameter is out of its bounds.

    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), sections C to E.
    """
    if level not in set(Level):
        raise InvalidSettingError(f"level: {level!r}: must be one of {', '.join(Level)}")
    matrix = VoteMatrix.of(votes)
    numbers = _numbers(values, matrix.n_classes)
    patterns = _Patterns.of(matrix, least=2)

    def alpha(draws: FloatArray) -> FloatArray:
        totals = draws @ patterns.counts
        if level == Level.NOMINAL:
            observed = draws @ (_pairs_apart(patterns) / (patterns.sizes - 1))
            expected = np.square(totals.sum(axis=1)) - np.square(totals).sum(axis=1)
        else:
            places = _midranks(totals) if level == Level.ORDINAL else np.broadcast_to(numbers, totals.shape)
            observed, expected = _squared_distances(draws, patterns, totals, places)
        return 1.0 - _ratio((totals.sum(axis=1) - 1.0) * observed, expected)

    return _bootstrap(alpha, patterns, n_resamples=n_resamples, confidence=confidence, seed=seed)


def fleiss_kappa(votes: Any, *, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0) -> Agreement:
    """Return Fleiss' kappa: agreement of an item's votes, beyond that of two votes drawn by the class shares.

    Items may have unlike numbers of votes: agreement is the mean over the items with two or more, a class's share the
    mean over all items of its share there (Gwet's generalisation; the same as Fleiss' for equal numbers).

    Args:
        votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
        n_resamples: resamples of items for the interval; 0 draws none.
        confidence: of the interval, between 0 and 1.
        seed: of the resamples.

    Raises:
        InvalidVotesError: the votes cannot be read.
        InvalidSettingError: a parameter is out of its bounds.

    Source: J. L. Fleiss, Measuring Nominal Scale Agreement Among Many Raters, Psychological Bulletin 76 (1971).
    """
    patterns = _Patterns.of(VoteMatrix.of(votes), least=1)

    def kappa(draws: FloatArray) -> FloatArray:
        agreement, shares = _agreement_and_shares(draws, patterns)
        return _beyond_chance(agreement, np.square(shares).sum(axis=1))

    return _bootstrap(kappa, patterns, n_resamples=n_resamples, confidence=confidence, seed=seed)


def gwet_ac1(votes: Any, *, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0) -> Agreement:
    """Return Gwet's AC1: agreement of an item's votes, beyond that of an annotator who guesses now and then.

    Chance is sum_k p_k (1 - p_k) / (classes - 1) for class shares p. It stays meaningful where nearly all items are of
    one class, where kappa falls to 0 at almost perfect agreement. Classes without a vote count.

    Args:
        votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
        n_resamples: resamples of items for the interval; 0 draws none.
        confidence: of the interval, between 0 and 1.
        seed: of the resamples.

    Raises:
        InvalidVotesError: the votes cannot be read.
        InvalidSettingError: a parameter is out of its bounds.

    Source: K. L. Gwet, Computing Inter-Rater Reliability and Its Variance in the Presence of High Agreement, British
    Journal of Mathematical and Statistical Psychology 61 (2008).
    """
    matrix = VoteMatrix.of(votes)
    patterns = _Patterns.of(matrix, least=1)

    def ac1(draws: FloatArray) -> FloatArray:
        agreement, shares = _agreement_and_shares(draws, patterns)
        if matrix.n_classes == 1:
            return np.full(len(draws), np.nan)
        return _beyond_chance(agreement, (shares * (1.0 - shares)).sum(axis=1) / (matrix.n_classes - 1))

    return _bootstrap(ac1, patterns, n_resamples=n_resamples, confidence=confidence, seed=seed)


def cohen_kappa(
    votes: Any, one: str, other: str, *, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Agreement:
    """Return Cohen's kappa of two annotators over the items that both answered.

    Args:
        votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
        one: an annotator.
        other: another annotator.
        n_resamples: resamples of items for the interval; 0 draws none.
        confidence: of the interval, between 0 and 1.
        seed: of the resamples.

    Raises:
        InvalidVotesError: the votes cannot be read.
        InvalidSettingError: an annotator has no vote, or a parameter is out of its bounds.

    Source: J. Cohen, A Coefficient of Agreement for Nominal Scales, Educational and Psychological Measurement 20
    (1960).
    """
    matrix = VoteMatrix.of(votes)
    first, second = (_answers_of(matrix, name) for name in (one, other))
    both = (first >= 0) & (second >= 0)
    n_classes = matrix.n_classes
    table = np.bincount(first[both] * n_classes + second[both], minlength=n_classes**2)
    cells = np.flatnonzero(table)
    rows, columns = (np.eye(n_classes)[codes] for codes in np.divmod(cells, n_classes))
    patterns = _Patterns(rows + columns, np.full(len(cells), 2.0), table[cells])

    def kappa(draws: FloatArray) -> FloatArray:
        sums = draws.sum(axis=1)
        agreement = _ratio(draws @ (rows * columns).sum(axis=1), sums)
        return _beyond_chance(agreement, _ratio(((draws @ rows) * (draws @ columns)).sum(axis=1), sums**2))

    return _bootstrap(kappa, patterns, n_resamples=n_resamples, confidence=confidence, seed=seed)


def cohen_kappas(votes: Any) -> PairwiseKappas:
    """Return Cohen's kappa of every two annotators; `cohen_kappa` gives one pair's interval.

    Raises:
        InvalidVotesError: the votes cannot be read.
        InvalidSettingError: annotators x annotators x classes is above 100,000,000: leave some out.

    Complexity: O(sum over items of their votes squared); memory 8 bytes x annotators^2 x classes.
    """
    from labelplane_aggregation.models import _pair_kernels

    matrix = VoteMatrix.of(votes)
    size = matrix.n_annotators
    if size**2 * matrix.n_classes > _MAX_CELLS:
        msg = f"cohen_kappas: {size} annotators x {matrix.n_classes} classes are too many for a table: leave some out"
        raise InvalidSettingError(msg)
    agreeing = np.zeros((size, size), np.int64)
    answers = np.zeros((size, size, matrix.n_classes))
    _pair_kernels.count_pairs(matrix.offsets, matrix.annotators, matrix.answers, matrix.weights, agreeing, answers)
    together = answers.sum(axis=2)
    chance = _ratio(np.einsum("abk,bak->ab", answers, answers), together**2)
    kappa = _beyond_chance(_ratio(agreeing, together), chance)
    return PairwiseKappas(matrix.annotator_ids, kappa, together.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class _Patterns:
    """Items put together by their counts.

    Attributes:
        counts: (patterns, classes): votes for each class.
        sizes: (patterns,): votes of an item.
        n_items: int64, (patterns,): how many items are alike.
    """

    counts: FloatArray
    sizes: FloatArray
    n_items: NDArray[np.int64]

    @classmethod
    def of(cls, votes: VoteMatrix, *, least: int) -> _Patterns:
        """Count the votes of the items that have at least `least`."""
        counting = votes.weights > 0.0
        keys = votes.items[counting].astype(np.int64) * votes.n_classes + votes.answers[counting]
        counts = np.bincount(keys, minlength=votes.n_items * votes.n_classes).reshape(votes.n_items, -1)
        rows, n_items = np.unique(counts[counts.sum(axis=1) >= least], axis=0, return_counts=True)
        return cls(rows.astype(np.float64), rows.sum(axis=1).astype(np.float64), n_items)


def _bootstrap(
    statistic: Callable[[FloatArray], FloatArray],
    patterns: _Patterns,
    *,
    n_resamples: int,
    confidence: float,
    seed: int,
) -> Agreement:
    """Return the statistic of all items, and its percentile interval over resamples of items.

    `statistic` takes (resamples, patterns) numbers of items and gives a number for each resample.
    """
    if n_resamples < 0:
        raise InvalidSettingError(f"n_resamples: {n_resamples}: must be 0 or more")
    if not 0.0 < confidence < 1.0:
        raise InvalidSettingError(f"confidence: {confidence}: must lie between 0 and 1")
    n_items = int(patterns.n_items[patterns.sizes >= 2].sum())
    if not n_items:
        return Agreement(np.nan, np.nan, np.nan, confidence, 0)
    value = float(statistic(patterns.n_items[None, :].astype(np.float64))[0])
    drawn = [statistic(draws) for draws in _resamples(patterns.n_items, n_resamples, seed=seed)]
    resampled = np.concatenate([*drawn, np.empty(0)])
    resampled = resampled[np.isfinite(resampled)]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resampled, [tail, 1.0 - tail]) if len(resampled) else (np.nan, np.nan)
    return Agreement(value, float(low), float(high), confidence, n_items)


def _resamples(n_items: NDArray[np.int64], n_resamples: int, *, seed: int) -> Iterator[FloatArray]:
    """Yield blocks of resamples, (resamples, patterns): how many items of each pattern were drawn."""
    rng = np.random.default_rng(seed)
    total = int(n_items.sum())
    block = max(1, _BLOCK_NUMBERS // len(n_items))
    for begin in range(0, n_resamples, block):
        size = min(block, n_resamples - begin)
        yield rng.multinomial(total, n_items / total, size=size).astype(np.float64)


def _pairs_apart(patterns: _Patterns) -> FloatArray:
    """Return the ordered pairs of unlike votes of each pattern."""
    apart: FloatArray = np.square(patterns.sizes) - np.square(patterns.counts).sum(axis=1)
    return apart


def _midranks(totals: FloatArray) -> FloatArray:
    """Return the middle of the ranks that each class's votes hold, (resamples, classes)."""
    ranks: FloatArray = np.cumsum(totals, axis=1) - totals / 2.0
    return ranks


def _squared_distances(
    draws: FloatArray, patterns: _Patterns, totals: FloatArray, places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return observed and expected squared distances of pairs, for classes at `places`, (resamples, classes).

    Over the ordered pairs of n numbers the sum of (u - v)^2 is 2 (n sum u^2 - (sum u)^2).
    """
    centred = places - _ratio((totals * places).sum(axis=1), totals.sum(axis=1))[:, None]  # keeps the digits
    squares, sums = np.square(centred) @ patterns.counts.T, centred @ patterns.counts.T
    within = 2.0 * (patterns.sizes * squares - np.square(sums)) / (patterns.sizes - 1.0)
    spread = (totals * np.square(centred)).sum(axis=1)
    expected = 2.0 * (totals.sum(axis=1) * spread - np.square((totals * centred).sum(axis=1)))
    return (draws * within).sum(axis=1), expected


def _agreement_and_shares(draws: FloatArray, patterns: _Patterns) -> tuple[FloatArray, FloatArray]:
    """Return the mean share of agreeing pairs, and each class's mean share of an item's votes."""
    pairs = patterns.sizes * (patterns.sizes - 1.0)
    agreeing = 1.0 - _ratio(_pairs_apart(patterns), pairs)
    several = (patterns.sizes >= 2.0).astype(np.float64)
    agreement = _ratio(draws @ np.where(several > 0.0, agreeing, 0.0), draws @ several)
    shares = (draws @ (patterns.counts / patterns.sizes[:, None])) / draws.sum(axis=1, keepdims=True)
    return agreement, shares


def _beyond_chance(agreement: FloatArray, chance: FloatArray) -> FloatArray:
    return _ratio(agreement - chance, 1.0 - chance)


def _ratio(numerator: ArrayLike, denominator: FloatArray) -> FloatArray:
    """Return the quotient, NaN where the denominator is zero up to rounding."""
    above = np.asarray(numerator, np.float64)
    ratio = np.full(np.broadcast_shapes(above.shape, denominator.shape), np.nan)
    np.divide(above, denominator, out=ratio, where=np.abs(denominator) > _ROUNDING)
    return ratio


def _numbers(values: ArrayLike | None, n_classes: int) -> FloatArray:
    numbers = np.arange(n_classes, dtype=np.float64) if values is None else np.array(values, np.float64)
    if numbers.shape != (n_classes,) or not np.isfinite(numbers).all():
        raise InvalidSettingError(f"values: {values!r}: give one finite number for each of the {n_classes} classes")
    return numbers


def _answers_of(votes: VoteMatrix, annotator: str) -> NDArray[np.int64]:
    """Return an annotator's answer to each item, -1 where there is none."""
    place = votes.annotator_ids.index(annotator).as_py()
    if place < 0:
        raise InvalidSettingError(f"annotator: {annotator!r} has no vote: name one of the {votes.n_annotators}")
    chosen = (votes.annotators == place) & (votes.weights > 0.0)
    answers = np.full(votes.n_items, -1, np.int64)
    answers[votes.items[chosen]] = votes.answers[chosen]
    return answers
