"""How far the annotators of a vote matrix agree, and with whom they do not."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labelplane_aggregation import Agreement, VoteMatrix, cohen_kappas, fleiss_kappa, gwet_ac1, krippendorff_alpha
from labelplane_aggregation.errors import InvalidSettingError
from labelplane_cli.agreeing.scales import class_numbers

__all__ = ["Bootstrap", "ClassAgreement", "Measured", "Pair", "Pairs", "hindrance", "measure"]

_MUCH: Final = 0.2
"""AC1 this far above alpha needs a word: Landis and Koch's bands of strength (1977) are 0.2 wide."""

_DOMINANT: Final = 0.8
"""From this share of one class on, chance alone agrees on nearly two items in three."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How the intervals are drawn."""

    n_resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """One class.

    Attributes:
        name: of the class.
        share: of all votes.
        agreement: the chance that another annotator of the item says the same, given that one chose this class; NaN
            where it has no vote on an item with two.
    """

    name: str
    share: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators: Cohen's kappa on the items that both answered."""

    one: str
    other: str
    items: int
    kappa: float


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Every two annotators who share an item, each pair once, by name.

    Attributes:
        names: Arrow strings, of the annotators.
        one: int64, (pairs,): position in `names`.
        other: int64, (pairs,): likewise, a later one.
        items: int64, (pairs,): items that both answered.
        kappa: (pairs,): NaN where chance alone agrees.
    """

    names: pa.StringArray
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    items: NDArray[np.int64]
    kappa: NDArray[np.float64]

    def least(self, count: int, *, shared: int) -> list[Pair]:
        """Return the pairs with the smallest kappa on at least `shared` items, the smallest first."""
        told = np.flatnonzero((self.items >= shared) & np.isfinite(self.kappa))
        chosen = told[np.argsort(self.kappa[told], kind="stable")[:count]]
        return [self._pair(int(place)) for place in chosen]

    def set_aside(self, *, shared: int) -> list[str]:
        """Return the annotators who share `shared` items with nobody."""
        enough = self.items >= shared
        aside = np.ones(len(self.names), dtype=bool)
        aside[self.one[enough]] = False
        aside[self.other[enough]] = False
        return [str(name) for name in self.names.filter(pa.array(aside)).to_pylist()]

    def table(self) -> pa.Table:
        """Return annotator_a, annotator_b, items and kappa, null where kappa is not defined."""
        return pa.table(
            {
                "annotator_a": self.names.take(pa.array(self.one)),
                "annotator_b": self.names.take(pa.array(self.other)),
                "items": pa.array(self.items),
                "kappa": pa.array(self.kappa, pa.float64(), mask=np.isnan(self.kappa)),
            }
        )

    def _pair(self, place: int) -> Pair:
        one, other = (str(self.names[int(codes[place])].as_py()) for codes in (self.one, self.other))
        return Pair(one, other, int(self.items[place]), float(self.kappa[place]))


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to tell.

    Attributes:
        n_votes: votes that count: their weight is above 0.
        n_items: items that have one.
        n_annotators: annotators who have one.
        votes_an_item: the smallest and the largest number of them.
        alpha: Krippendorff's, on the scale that was asked for.
        kappa: Fleiss', None where items have unlike numbers of votes.
        ac1: Gwet's.
        classes: the largest share first.
        pairs: None where annotators and classes are too many for the table.
    """

    n_votes: int
    n_items: int
    n_annotators: int
    votes_an_item: tuple[int, int]
    alpha: Agreement
    kappa: Agreement | None
    ac1: Agreement
    classes: list[ClassAgreement]
    pairs: Pairs | None

    @property
    def is_skewed(self) -> bool:
        """Tell whether one class has nearly all votes, and alpha is low for that reason."""
        return self.classes[0].share >= _DOMINANT and self.ac1.value - self.alpha.value >= _MUCH


def hindrance(votes: VoteMatrix) -> str | None:
    """Say why there is no agreement to measure and what to do, None where there is."""
    counting = votes.weights > 0.0
    who = np.unique(votes.annotators[counting])
    if len(who) == 1:
        name = votes.annotator_ids[int(who[0])].as_py()
        return f"all votes are by the annotator {name!r}: add those of another on the same items"
    if np.bincount(votes.items[counting], minlength=1).max() < 2:
        return "no item has two votes: let a second annotator answer some of the items"
    return None


def measure(votes: VoteMatrix, scale: str, bootstrap: Bootstrap) -> Measured:
    """Return the agreement of votes that `hindrance` has nothing against.

    On the interval scale a class is its number; where one is no number, its position.
    """
    counting = votes.weights > 0.0
    sizes = np.bincount(votes.items[counting])
    sizes = sizes[sizes > 0]
    least, most = int(sizes.min()), int(sizes.max())
    drawn, seed = bootstrap.n_resamples, bootstrap.seed
    values = class_numbers(votes.classes.to_pylist()) if scale == "interval" else None
    return Measured(
        n_votes=int(sizes.sum()),
        n_items=len(sizes),
        n_annotators=len(np.unique(votes.annotators[counting])),
        votes_an_item=(least, most),
        alpha=krippendorff_alpha(votes, level=scale, values=values, n_resamples=drawn, seed=seed),
        kappa=fleiss_kappa(votes, n_resamples=drawn, seed=seed) if least == most else None,
        ac1=gwet_ac1(votes, n_resamples=drawn, seed=seed),
        classes=_classes(votes),
        pairs=_pairs(votes),
    )


def _classes(votes: VoteMatrix) -> list[ClassAgreement]:
    """Return every class, the largest share first.

    Source of the agreement of a class: J. L. Fleiss, Measuring Nominal Scale Agreement Among Many Raters, Psychological
    Bulletin 76 (1971), the conditional probability of a second assignment; for unlike numbers of votes, over all pairs.
    """
    counting = votes.weights > 0.0
    items, answers = votes.items[counting].astype(np.int64), votes.answers[counting]
    keys, counts = np.unique(items * votes.n_classes + answers, return_counts=True)
    sizes = np.bincount(items)[keys // votes.n_classes]
    agreeing, all_pairs, chosen = (
        np.bincount(keys % votes.n_classes, weights=each, minlength=votes.n_classes)
        for each in (counts * (counts - 1), counts * (sizes - 1), counts)
    )
    agreement = np.full(votes.n_classes, np.nan)
    np.divide(agreeing, all_pairs, out=agreement, where=all_pairs > 0)
    shares = chosen / chosen.sum()
    names = votes.classes.to_pylist()
    order = np.argsort(-shares, kind="stable")
    return [ClassAgreement(str(names[place]), float(shares[place]), float(agreement[place])) for place in order]


def _pairs(votes: VoteMatrix) -> Pairs | None:
    try:
        table = cohen_kappas(votes)
    except InvalidSettingError:  # the one it raises: too many for a table
        return None
    one, other = np.nonzero(np.triu(table.n_items, 1))
    return Pairs(table.annotator_ids, one, other, table.n_items[one, other], table.kappa[one, other])
