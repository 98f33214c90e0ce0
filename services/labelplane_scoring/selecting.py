"""Which items people see next: the strategy's picks, gold to measure the annotators, a check sample of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.tables import SELECTION, to_matrix
from labelplane_scoring.strategies import Candidates, Selection, Strategy

__all__ = [
    "BatchPlan",
    "Pool",
    "assemble",
    "bound_pool",
    "candidates_from_scores",
    "draw",
    "pick",
    "plan_batch",
    "pool_of",
]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How many items of a batch come from where."""

    strategy: int
    gold: int
    check: int
    rule: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """Rows of the index that may be asked about: those without gold, and gold."""

    open: Rows
    gold: Rows


def plan_batch(batch_size: int, pool: Pool, *, gold_share: float, check_share: float, due: int = 0) -> BatchPlan:
    """Return how a batch is made up; what gold or the check sample lack, the strategy fills.

    `due` items that people look at because of a rule take its place, at most half of it: a rule that is to be looked at
    on all of its items must not keep the model from learning.
    """
    gold = min(round(batch_size * gold_share), len(pool.gold))
    check = min(round(batch_size * check_share), batch_size - gold, len(pool.open))
    strategy = min(batch_size - gold - check, len(pool.open) - check)
    rule = min(due, (strategy + 1) // 2)
    return BatchPlan(strategy=strategy - rule, gold=gold, check=check, rule=rule)


def draw(rows: Rows, n: int, *, rng: np.random.Generator) -> Rows:
    """Return n different rows at random."""
    return rng.permutation(rows)[:n]


def bound_pool(rows: Rows, margins: npt.NDArray[np.float32], bound: int, *, rng: np.random.Generator) -> Rows:
    """Return at most `bound` of the rows: half the most uncertain by margin, the rest random, in index order.

    Args:
        rows: (N,) rows of the index.
        margins: (N,) margin of each of them.
        bound: at least 1.
        rng: draws the random half.
    """
    if len(rows) <= bound:
        return rows
    uncertain = np.argpartition(margins, bound // 2)[: bound // 2]
    rest = np.setdiff1d(np.arange(len(rows)), uncertain, assume_unique=True)
    chosen = np.concatenate([uncertain, rng.permutation(rest)[: bound - len(uncertain)]])
    return np.asarray(rows[np.sort(chosen)], dtype=np.int64)


def candidates_from_scores(scores: pa.Table, rows: Rows, asked: Rows) -> Candidates:
    """Return the candidates at `rows` of the scores, with the embeddings of the items asked already.

    The scores have a row for every row of the index, in its order.
    """
    chosen = scores.take(pa.array(rows))
    logits = to_matrix(chosen.column("logits"))
    samples = None
    if len(chosen) and chosen.column("samples").null_count == 0:
        flat = to_matrix(chosen.column("samples"))
        samples = _sample_probabilities(flat.reshape(len(rows), -1, logits.shape[1]))
    return Candidates(
        logits=logits,
        embeddings=to_matrix(chosen.column("embedding")),
        samples=samples,
        labelled_embeddings=to_matrix(scores.column("embedding").take(pa.array(asked))) if len(asked) else None,
    )


def assemble(
    item_ids: pa.ChunkedArray,
    *,
    picked: Selection,
    picked_rows: Rows,
    gold_rows: Rows,
    check_rows: Rows,
    rule_rows: Rows,
    suggestions: pa.ChunkedArray | None,
    is_cold_start: bool,
) -> pa.Table:
    """Return the rows of the selection table.

    What people look at because of a rule comes first, then the strategy's picks best first, the check sample, gold.
    """
    rows = np.concatenate([rule_rows, picked_rows, check_rows, gold_rows])
    scores = np.concatenate([np.zeros(len(rule_rows)), picked.scores, np.zeros(len(check_rows) + len(gold_rows))])
    reasons: Sequence[str] = (
        ["rule"] * len(rule_rows)
        + ["cold-start" if is_cold_start else "strategy"] * len(picked_rows)
        + ["check"] * len(check_rows)
        + ["gold"] * len(gold_rows)
    )
    taken = pa.array(rows, pa.int64())
    return pa.table(
        {
            "item_id": item_ids.take(taken),
            "rank": pa.array(np.arange(len(rows)), pa.int32()),
            "score": pa.array(scores.astype(np.float64)),
            "reason": pa.array(reasons, pa.string()),
            "suggestion": pa.nulls(len(rows), pa.string()) if suggestions is None else suggestions.take(taken),
        },
        schema=SELECTION.arrow,
    )


def pool_of(index: pa.Table, excluded_ids: pa.ChunkedArray | pa.Array) -> Pool:
    """Return the rows that may be asked about: none whose item is among the excluded."""
    is_free = pc.invert(pc.is_in(index.column("item_id"), value_set=_flat(excluded_ids))).to_numpy()
    is_gold = pc.not_equal(index.column("gold_role"), "").to_numpy()
    return Pool(open=np.flatnonzero(is_free & ~is_gold), gold=np.flatnonzero(is_free & is_gold))


def pick(strategy: Strategy, candidates: Candidates, n: int, *, rng: np.random.Generator) -> Selection:
    """Return what the strategy picks; an empty pool needs no inputs."""
    if n == 0 or len(candidates) == 0:
        return Selection(np.empty(0, dtype=np.int64), np.empty(0), strategy.name)
    return strategy.query(candidates, n, rng=rng)


def _sample_probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (S, N, K) probabilities of (N, S, K) logits."""
    shifted = np.exp(logits - logits.max(axis=2, keepdims=True))
    return np.ascontiguousarray((shifted / shifted.sum(axis=2, keepdims=True)).transpose(1, 0, 2), dtype=np.float32)


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
