"""k-center greedy, 500 of 50,000 x 256 float32, against small-text and the best NumPy loop we know.

Each round runs every contender once, in turn, from the same start, after a warm one that is not counted. small-text
takes minutes: it computes the distances to every centre anew for every pick. So it runs `--small-text-rounds` times,
interleaved with the others, and its ratio is taken within those rounds; its warm-up is a small pool. The picks are
compared with a float64 loop and, from the same start, with small-text's.

    python tests/bench/bench_core_set.py [--json OUT] [--rounds 5] [--small-text-rounds 1] [--items 50000] [--picks 500]
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

ITEMS, DIMENSIONS, PICKS, START = 50_000, 256, 500, 7
FASTER_THAN_SMALL_TEXT = 20.0
FASTER_THAN_NUMPY = 1.0


def make_embeddings(items: int, shape: str) -> Any:
    """Embeddings of three shapes: no structure at all, ten clusters, rectified (as a network's last layer gives)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((items, DIMENSIONS), dtype=np.float32)
    if shape == "clusters":
        centres = 2 * rng.standard_normal((10, DIMENSIONS), dtype=np.float32)
        x = np.float32(0.5) * x + centres[rng.integers(0, 10, items)]
    if shape == "rectified":
        np.maximum(x, 0, out=x)
    return x


def greedy_numpy(x: Any, start: int, n: int) -> Any:
    """The plain loop, vectorised: one matrix-vector product, one minimum in place and one argmax for each pick."""
    norms = np.einsum("ij,ij->i", x, x)
    nearest = np.full(len(x), np.inf, dtype=x.dtype)
    distances = np.empty_like(norms)
    picks = np.empty(n, dtype=np.int64)
    picks[0] = start
    for t in range(1, n):
        centre = picks[t - 1]
        np.dot(x, x[centre], out=distances)
        distances *= -2
        distances += norms
        distances += norms[centre]
        np.minimum(nearest, distances, out=nearest)
        nearest[centre] = -np.inf
        picks[t] = nearest.argmax()
    return picks


def greedy_exact(x: Any, start: int, n: int) -> Any:
    """The same by differences in float64: the reference for the picks."""
    wide = x.astype(np.float64)
    nearest = np.full(len(x), np.inf)
    picks = [start]
    while len(picks) < n:
        for begin in range(0, len(x), 10_000):
            block = wide[begin : begin + 10_000] - wide[picks[-1]]
            part = nearest[begin : begin + 10_000]
            np.minimum(part, np.einsum("ij,ij->i", block, block), out=part)
        nearest[picks[-1]] = -np.inf
        picks.append(int(nearest.argmax()))
    return np.array(picks)


def greedy_ours(x: Any, start: int, n: int) -> Any:
    from labelplane_scoring.strategies import Candidates, CoreSet

    return CoreSet(start=start).query(Candidates(embeddings=x), n, rng=np.random.default_rng(0)).indices


def greedy_small_text(x: Any, start: int, n: int) -> Any:
    """small-text's greedy core-set with the start as its one labelled item.

    Its picks come as positions in the whole pool, since the start stays among the unlabelled (at distance 0).
    """
    from small_text.query_strategies.coresets import greedy_coreset

    rows = np.arange(len(x))
    rest = greedy_coreset(x, rows, np.array([start]), n - 1, distance_metric="euclidean", batch_size=5_000)
    return np.concatenate([[start], rest])


def timed(run: Callable[[Any, int, int], Any], x: Any, n: int) -> tuple[float, Any]:
    start = time.perf_counter()
    picks = run(x, START, n)
    return time.perf_counter() - start, picks


def time_interleaved(x: Any, n: int, rounds: int, small_text_rounds: int) -> tuple[dict[str, list[float]], Any]:
    """Seconds of every contender by round, and the picks of the last round."""
    contenders = {"ours": greedy_ours, "numpy": greedy_numpy, "small-text": greedy_small_text}
    for run in contenders.values():
        run(x[:500], START, 5)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    picks: dict[str, Any] = {}
    for number in range(rounds):
        for name, run in contenders.items():
            if name != "small-text" or number < small_text_rounds:
                spent, picks[name] = timed(run, x, n)
                seconds[name].append(spent)
    return seconds, picks


def row_of(name: str, seconds: dict[str, list[float]], peer: str, target: float) -> dict[str, Any]:
    """One row: how many times faster we are, in the median and in the worst round."""
    ratios = [theirs / ours for theirs, ours in zip(seconds[peer], seconds["ours"], strict=False)]
    median = statistics.median(ratios)
    return {
        "name": name,
        "ours": statistics.median(seconds["ours"]),
        "peer": statistics.median(seconds[peer]),
        "ratio": median,
        "median": median,
        "worst": min(ratios),
        "target": target,
        "reached": median >= target,
    }


def run_shape(shape: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of one shape of embeddings; only the structureless one, the worst for us, is put to small-text."""
    x = make_embeddings(arguments.items, shape)
    small_text_rounds = arguments.small_text_rounds if shape == "gaussian" else 0
    seconds, picks = time_interleaved(x, arguments.picks, arguments.rounds, small_text_rounds)
    exact = greedy_exact(x, START, arguments.picks)
    rows = [row_of(f"core-set {shape}, numpy", seconds, "numpy", FASTER_THAN_NUMPY)]
    if small_text_rounds:
        rows.append(row_of(f"core-set {shape}, small-text", seconds, "small-text", FASTER_THAN_SMALL_TEXT))
    for row in rows:
        peer = row["name"].rpartition(" ")[2]
        row["same_picks_as_float64"] = bool(np.array_equal(picks["ours"], exact))
        row["picks_shared_with_peer"] = len(np.intersect1d(picks["ours"], picks[peer]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small-text-rounds", type=int, default=1)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--picks", type=int, default=PICKS)
    arguments = parser.parse_args()
    print(f"our kernel: 1 thread; NumPy and scikit-learn: as many as their BLAS takes of {os.cpu_count()} cores")
    rows = [row for shape in ("gaussian", "clusters", "rectified") for row in run_shape(shape, arguments)]
    for row in rows:
        print(json.dumps(row))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
