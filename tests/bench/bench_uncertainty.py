"""Entropy and the 1,000 most uncertain of 1,000,000 x 100 float32, against modAL, scikit-activeml and np.copyto.

Each round runs every contender once, in turn, on the same array, after one warm round that is not counted. A peer gets
the fastest way through its own functions: modAL its entropy and its argpartition selection, scikit-activeml its
uncertainty_scores and NumPy's argpartition (its own simple_batch makes 1,000 passes and an 8 GB array).

    python tests/bench/bench_uncertainty.py [--json OUT] [--rounds 5] [--items 1000000] [--threads N]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ITEMS, CLASSES, PICKS = 1_000_000, 100, 1_000
FASTER_THAN_PEERS = 8.0
COPIES_ALLOWED = 4.0
# As the docstring of labelplane_scoring.uncertainty.entropy states.
STATED_ERROR = 2e-6


def make_probabilities(items: int) -> Any:
    """Rows from near certain to near uniform, as a half-trained model gives them."""
    rng = np.random.default_rng(0)
    p = np.empty((items, CLASSES), dtype=np.float32)
    for start in range(0, items, 50_000):
        logits = rng.standard_normal((min(50_000, items - start), CLASSES), dtype=np.float32)
        logits *= rng.uniform(0.2, 4.0, (len(logits), 1)).astype(np.float32)
        np.exp(logits, out=logits)
        p[start : start + len(logits)] = logits / logits.sum(axis=1, keepdims=True)
    return p


def make_contenders(p: Any) -> dict[str, Callable[[], Any]]:
    """Every contender as a function that returns the picked rows (or nothing, for the copy)."""
    from modAL.uncertainty import _proba_entropy
    from modAL.utils.selection import multi_argmax
    from skactiveml.pool import uncertainty_scores

    from labelplane_scoring.strategies import Candidates, Entropy

    candidates = Candidates(probabilities=p)
    target = np.empty_like(p)

    def scikit_activeml() -> Any:
        scores = uncertainty_scores(p, method="entropy")
        return np.argpartition(-scores, PICKS - 1)[:PICKS]

    return {
        "ours": lambda: Entropy().query(candidates, PICKS, rng=np.random.default_rng(1)).indices,
        "np.copyto": lambda: np.copyto(target, p),
        "modAL": lambda: multi_argmax(_proba_entropy(p), n_instances=PICKS)[0],
        "scikit-activeml": scikit_activeml,
    }


def time_interleaved(contenders: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], Any]:
    """Seconds of every contender in every counted round, and what each returned."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    picks = {name: run() for name, run in contenders.items()}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds, picks


def check_picks(p: Any, picks: dict[str, Any]) -> float:
    """Largest error of our entropy; fails when a pick is none of the most uncertain rows, up to the stated error."""
    from labelplane_scoring import entropy

    ours = entropy(p)
    error = 0.0
    exact = np.empty(len(p))
    for start in range(0, len(p), 50_000):
        block = p[start : start + 50_000].astype(np.float64)
        exact[start : start + len(block)] = -(block * np.log(np.maximum(block, 1e-300))).sum(axis=1)
    error = float(np.abs(ours - exact).max())
    threshold = np.partition(exact, len(p) - PICKS)[len(p) - PICKS]
    for name in ("ours", "modAL", "scikit-activeml"):
        assert exact[picks[name]].min() >= threshold - 2 * STATED_ERROR, f"{name} picked a row that is not uncertain"
    return error


def rows_of(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One row for each peer: how many times faster we are, in the median and in the worst round."""
    rows = []
    for peer in ("modAL", "scikit-activeml"):
        ratios = [theirs / ours for theirs, ours in zip(seconds[peer], seconds["ours"], strict=True)]
        rows.append(_row(f"entropy top-1000, {peer}", seconds, peer, ratios, (FASTER_THAN_PEERS, True)))
    ratios = [ours / copy for ours, copy in zip(seconds["ours"], seconds["np.copyto"], strict=True)]
    rows.append(_row("entropy top-1000, in copies", seconds, "np.copyto", ratios, (COPIES_ALLOWED, False)))
    return rows


def _row(
    name: str, seconds: dict[str, list[float]], peer: str, ratios: list[float], goal: tuple[float, bool]
) -> dict[str, Any]:
    target, is_at_least = goal
    median = statistics.median(ratios)
    return {
        "name": name,
        "ours": statistics.median(seconds["ours"]),
        "peer": statistics.median(seconds[peer]),
        "ratio": median,
        "median": median,
        "worst": min(ratios) if is_at_least else max(ratios),
        "target": target,
        "reached": median >= target if is_at_least else median <= target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--threads", type=int, help="threads of our kernels; default: the cores numba sees")
    arguments = parser.parse_args()
    if arguments.threads:
        os.environ["NUMBA_NUM_THREADS"] = str(arguments.threads)
    from labelplane_scoring import thread_count

    p = make_probabilities(arguments.items)
    seconds, picks = time_interleaved(make_contenders(p), arguments.rounds)
    error = check_picks(p, picks)
    rows = rows_of(seconds)
    for row in rows:
        row["threads"] = thread_count()
        print(json.dumps(row))
    print(f"largest error against float64: {error:.2e} (stated: {STATED_ERROR:.0e}); threads: {thread_count()}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
