"""Items that people look at because a rule has voted on them: a share of each rule's, drawn once for all rounds."""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["due_rows"]

Rows = npt.NDArray[np.int64]

_WHOLE = 2.0**64


def due_rows(votes: pa.Table, shares: Mapping[str, float], item_ids: pa.Array, open_rows: Rows, *, seed: int) -> Rows:
    """Return the open rows that are due, those on which rules disagree first, then in the order of the draw.

    An item is due by a rule that votes on it when a number drawn from (seed, rule, item) is below the rule's share.
    So the items of a rule are the same in every round, whoever asks, and a share that is raised adds some.

    Args:
        votes: `VOTES` of rules and knowledge bases that count.
        shares: above 0 and at most 1, by the name of the rule.
        item_ids: of the index.
        open_rows: rows of the index that may be asked about.
        seed: of the draw.
    """
    own = votes.filter(pc.is_in(votes.column("annotator"), value_set=pa.array(list(shares), pa.string())))
    drawn: dict[str, float] = {}
    for item, rule in zip(own.column("item_id").to_pylist(), own.column("annotator").to_pylist(), strict=True):
        number = _draw(seed, rule, item)
        if number < shares[rule]:
            drawn[item] = min(number, drawn.get(item, 1.0))
    if not drawn:
        return np.empty(0, np.int64)
    rows = pc.index_in(pa.array(list(drawn), pa.string()), value_set=item_ids).fill_null(-1).to_numpy().astype(np.int64)
    numbers, is_open = np.array(list(drawn.values())), np.isin(rows, open_rows)
    is_calm = ~np.isin(rows, _disagreed(votes, item_ids))
    order = np.lexsort((rows, numbers, is_calm))
    due: Rows = rows[order[is_open[order]]]
    return due


def _disagreed(votes: pa.Table, item_ids: pa.Array) -> Rows:
    """Return the rows on which two annotators say different things; a split vote does not contradict itself."""
    said = pa.table({name: votes.column(name) for name in ("item_id", "annotator", "answer")})
    heard = said.group_by("item_id").aggregate([("answer", "count_distinct"), ("annotator", "count_distinct")])
    is_split = pc.and_(
        pc.greater(heard.column("answer_count_distinct"), 1), pc.greater(heard.column("annotator_count_distinct"), 1)
    )
    items = heard.filter(is_split).column("item_id").combine_chunks()
    rows: Rows = pc.index_in(items, value_set=item_ids).fill_null(-1).to_numpy().astype(np.int64)
    return rows


def _draw(seed: int, rule: str, item: str) -> float:
    digest = hashlib.blake2b(f"{seed}/{rule}/{item}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / _WHOLE
