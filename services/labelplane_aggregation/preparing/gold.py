"""Which items are gold, and which part of it decides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labelplane_aggregation.columns import as_text
from labelplane_aggregation.errors import BadDataset
from labelplane_aggregation.preparing.listing import Listing
from labelplane_aggregation.requests import Task
from labelplane_core.errors import BadVote

__all__ = ["AUDIT", "GATE", "known_classes", "split_gold"]

GATE = "gate"
AUDIT = "audit"


def known_classes(values: Sequence[Any], listing: Listing, task: Task, *, field: str) -> list[str]:
    """Return the class of each item in its one spelling, "" where the cell is empty.

    Raises:
        BadDataset: a value is no class; the message names file, line and the nearest class.
    """
    spelled = {"": ""}
    for row, value in enumerate(values):
        text = as_text(value)
        if text not in spelled:
            spelled[text] = _parse(text, task, where=f"{listing.place(row)}: {field}")
    return [spelled[as_text(value)] for value in values]


def split_gold(gold: Sequence[str], *, gate_share: float, rng: np.random.Generator) -> list[str]:
    """Return each item's role: "gate", "audit", or "" for an item without gold.

    The draw is stratified: each class gives `gate_share` of its items to the gate, and what rounding leaves over
    is given out by largest remainder, so that the whole has the share too. O(items).
    """
    codes, counts = _codes(gold)
    roles = np.full(len(gold), "", dtype=object)
    for code, n_gate in enumerate(_quotas(counts, gate_share, rng=rng)):
        rows = rng.permutation(np.flatnonzero(codes == code))
        roles[rows[:n_gate]] = GATE
        roles[rows[n_gate:]] = AUDIT
    return list(roles)


def _parse(text: str, task: Task, *, where: str) -> str:
    try:
        return task.kind.parse_answer(text, task.classes)
    except BadVote as error:
        raise BadDataset(f"{where}: {error}") from error


def _codes(gold: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return a code for each item's class, -1 for none, and how many items each class has."""
    names = sorted({each for each in gold if each})
    place = {name: code for code, name in enumerate(names)} | {"": -1}
    codes = np.fromiter((place[each] for each in gold), dtype=np.int64, count=len(gold))
    return codes, np.bincount(codes[codes >= 0], minlength=len(names))


def _quotas(counts: npt.NDArray[np.int64], share: float, *, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    exact = counts * share
    quotas = np.floor(exact + 1e-9).astype(np.int64)
    left = round(float(exact.sum())) - int(quotas.sum())
    order = np.lexsort((rng.random(len(counts)), quotas - exact))
    quotas[order[: max(left, 0)]] += 1
    bounded: npt.NDArray[np.int64] = np.minimum(quotas, counts)
    return bounded
