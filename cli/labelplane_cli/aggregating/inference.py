"""From votes to labels, and what there is to tell about them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labelplane_aggregation import MODELS, Fit, VoteMatrix
from labelplane_report.data import Proportion
from labelplane_report.intervals import proportion

__all__ = ["Annotator", "Inferred", "infer"]


@dataclass(frozen=True, slots=True)
class Annotator:
    """One annotator; `accuracy` is the probability that a vote of theirs is right, as the model estimates it."""

    name: str
    votes: int
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """The labels, and what they rest on.

    Attributes:
        fit: what the model returned.
        n_votes: votes that count.
        n_replaced: rows that a later one of the same annotator on the same item has replaced.
    """

    fit: Fit
    n_votes: int
    n_replaced: int

    def labels(self) -> pa.Table:
        """Return item, label and confidence, sorted by item."""
        fit = self.fit
        return pa.table(
            {"item": fit.item_ids_, "label": fit.labels_, "confidence": pa.array(fit.confidence_, pa.float64())}
        )

    def least_reliable(self, count: int) -> list[Annotator]:
        """Return the annotators with the smallest accuracy, the worst first."""
        found = self.fit.reliability_
        order = np.argsort(found.accuracy, kind="stable")[:count]
        names = found.annotator_ids.take(pa.array(order)).to_pylist()
        return [
            Annotator(str(name), int(found.n_votes[place]), float(found.accuracy[place]))
            for name, place in zip(names, order, strict=True)
        ]

    def right(self, truth: Mapping[str, str]) -> Proportion | None:
        """Return how many of the items with a known truth have the right label; None when there is no such item."""
        pairs = zip(self.fit.item_ids_.to_pylist(), self.fit.labels_.to_pylist(), strict=True)
        hits = [truth[item] == label for item, label in pairs if item in truth]
        return proportion(sum(hits), len(hits))


def infer(votes: pa.Table, model: str) -> Inferred:
    """Return the labels by the model of that name in `labelplane_aggregation.MODELS`; ties are drawn from seed 0."""
    matrix = VoteMatrix.from_table(votes)
    return Inferred(MODELS[model]().fit(matrix), matrix.n_votes, votes.num_rows - matrix.n_votes)
