"""Who voted, told apart where a name alone does not tell.

Truth inference knows one vote of an annotator on an item. A knowledge base may split its vote over classes, and a
person may have the name of a rule; each of them gets a name of its own for the inference, and keeps its own outside.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.tables import KNOWLEDGE_BASES, PEOPLE

__all__ = ["Voters"]

_MARK = "\x1f"
"""Stands in no name: control characters are refused everywhere that names come in."""


@dataclass(frozen=True, slots=True, eq=False)
class Voters:
    """The annotators of some votes.

    Attributes:
        names: of each vote, its annotator's name for the inference: the plain name for people's first votes, else with
            the source and, of a split vote, the place by weight.
    """

    names: Any

    @classmethod
    def of(cls, units: pa.Table) -> Self:
        """Return the voters of `UNIT_VOTES`."""
        annotators, sources = units.column("annotator"), units.column("source")
        is_person = pc.equal(sources, PEOPLE)
        if pc.all(is_person).as_py():
            return cls(annotators)
        split = pa.array(_places(units), pa.int64()).cast(pa.string())
        marked = pc.binary_join_element_wise(annotators, sources, split, _MARK)
        return cls(pc.if_else(is_person, annotators, marked))

    @staticmethod
    def described(names: Any) -> tuple[Any, Any, Any]:
        """Return of each name the annotator, the source, and whether it stands for the annotator's heaviest votes."""
        parts = [name.split(_MARK) for name in names.to_pylist()]
        whole = [each if len(each) > 1 else [each[0], PEOPLE, "0"] for each in parts]
        annotators, sources, places = (pa.array([each[at] for each in whole], pa.string()) for at in range(3))
        return annotators, sources, pc.equal(places, "0")


def _places(units: pa.Table) -> npt.NDArray[np.int64]:
    """Return of each vote how many heavier ones its annotator has on the unit; only knowledge bases have any."""
    places = np.zeros(len(units), dtype=np.int64)
    rows = np.flatnonzero(pc.equal(units.column("source"), KNOWLEDGE_BASES).to_numpy())
    if not len(rows):
        return places
    own = units.take(pa.array(rows))
    codes = [
        own.column(name).combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        for name in ("unit", "annotator", "answer")
    ]
    pairs = codes[0] * (codes[1].max() + 1) + codes[1]
    order = np.lexsort((codes[2], -own.column("weight").to_numpy(), pairs))
    sorted_pairs = pairs[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_pairs[1:] != sorted_pairs[:-1]]))
    counts = np.diff(np.append(starts, len(order)))
    places[rows[order]] = np.arange(len(order)) - np.repeat(starts, counts)
    return places
