"""Every method that crowd-kit has too, against crowd-kit: 100,000 items x 5 votes, 10 classes, 1,000 annotators.

    python tests/bench/bench_methods.py [--json OUT] [--runs 3] [--items 100000] [--methods DawidSkene,OneCoin]
        [--peer-items METHOD=ITEMS,...] [--votes-in-memory 10000000]

Needs crowd-kit and this project in one environment. String ids in, posteriors out; both run warm and in turn, with the
threads that they take by themselves, the same number of iterations each. `--peer-items` lets a slow peer work on the
first items alone; ours then works on the same. "kernel" is ours from coded votes on, against the peer's whole fit.
`--votes-in-memory` fits `Auto` and every method once on that many votes in a process of its own and reports its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bench_dawid_skene import simulate

from labelplane_aggregation import MODELS, VoteMatrix

ITERATIONS = 10
COMPATIBLE: dict[str, dict[str, Any]] = {
    "MajorityVote": {},
    "DawidSkene": {"shrinkage_mass": 0.0, "smoothing": 1e-10, "class_smoothing": 1e-10},
    "OneCoin": {"shrinkage_mass": 0.0, "smoothing": 1e-10, "class_smoothing": 1e-10},
    "Mace": {"class_prior": "uniform", "habit": 100.0},
    "Glad": {"class_prior": "uniform"},
}
"""Method -> settings nearest to the peer's: maximum likelihood where the peer has no priors. (Its weighted majority,
Wawa, does not run with the scikit-learn of the lock.)"""

TARGETS = {"Glad": 100.0}
KERNEL_TARGET, TARGET = 30.0, 10.0


@dataclass(frozen=True)
class Row:
    """One method; times in seconds, medians of the rounds; ratios are peer / ours."""

    method: str
    items: int
    peer: float
    ours: float
    ratio: float
    worst: float
    kernel_ratio: float
    same_labels: float
    right: float
    peer_right: float
    target: float
    reached: bool


def peers() -> dict[str, Callable[[], Any]]:
    """Return crowd-kit's model of the same name, made anew for each fit."""
    from crowdkit import aggregation as peer

    return {
        "MajorityVote": peer.MajorityVote,
        "DawidSkene": lambda: peer.DawidSkene(n_iter=ITERATIONS, tol=-1e300),
        "OneCoin": lambda: peer.OneCoinDawidSkene(n_iter=ITERATIONS, tol=-1e300),
        "Mace": lambda: peer.MACE(n_restarts=1, n_iter=ITERATIONS),
        "Glad": lambda: peer.GLAD(n_iter=ITERATIONS, tol=-1e300),
    }


def ours(method: str) -> Any:
    settings = dict(COMPATIBLE[method])
    if "Majority" not in method:
        settings |= {"max_iterations": ITERATIONS, "tolerance": 0.0}
    return MODELS[method](**settings)


def measure(method: str, n_items: int, runs: int) -> Row:
    """Fit both in turn, after a warm-up on few votes."""
    columns, truth = simulate(n_items)
    frame, table = as_frame(columns), pa.table(columns)
    few = {name: values[:200] for name, values in columns.items()}
    make_peer, model = peers()[method], ours(method)
    make_peer().fit_predict(as_frame(few))
    model.fit(few)
    times: list[tuple[float, float, float]] = []
    for _ in range(runs):
        started = time.perf_counter()
        predicted = make_peer().fit_predict(frame)
        peer_done = time.perf_counter()
        votes = VoteMatrix.from_table(table)
        coded = time.perf_counter()
        fit = model.fit(votes)
        done = time.perf_counter()
        times.append((peer_done - started, done - peer_done, done - coded))
    theirs = predicted.to_dict()
    labels = dict(zip(fit.item_ids_.to_pylist(), fit.labels_.to_pylist(), strict=True))
    right = {f"item-{item:07d}": f"class-{label}" for item, label in enumerate(truth)}
    peer_s, ours_s, kernel_s = (statistics.median(column) for column in zip(*times, strict=True))
    target = TARGETS.get(method, TARGET)
    return Row(
        method,
        n_items,
        peer_s,
        ours_s,
        peer_s / ours_s,
        min(theirs_s / own for theirs_s, own, _ in times),
        peer_s / kernel_s,
        float(np.mean([labels[item] == label for item, label in theirs.items()])),
        float(np.mean([labels[item] == right[item] for item in labels])),
        float(np.mean([label == right[item] for item, label in theirs.items()])),
        target,
        peer_s / ours_s >= target and peer_s / kernel_s >= KERNEL_TARGET,
    )


def as_frame(columns: dict[str, list[str]]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns).rename(columns={"item": "task", "annotator": "worker"})


def peak(method: str, n_votes: int) -> None:
    """Fit on simulated votes with whole numbers as ids; print the process's peak memory, in MiB."""
    rng = np.random.default_rng(0)
    n_items = n_votes // 5
    items = np.repeat(np.arange(n_items), 5)
    truth = rng.integers(0, 10, n_items)
    annotators = (rng.integers(0, 1000, n_items)[:, None] + np.arange(5) * 7).ravel() % 1000
    answers = np.where(rng.random(n_votes) < 0.7, truth[items], rng.integers(0, 10, n_votes))
    table = pa.table(
        {
            "item": pa.array(items.astype(np.int32)),
            "annotator": pa.array(annotators.astype(np.int32)),
            "label": pa.array(answers.astype(np.int32)),
        }
    )
    del items, annotators, answers, truth
    settings = {} if "Majority" in method else {"max_iterations": 5}
    started = time.perf_counter()
    MODELS[method](**settings).fit(table)
    seconds = time.perf_counter() - started
    print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "seconds": seconds}))


def memory(method: str, n_votes: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--peak", method, "--votes-in-memory", str(n_votes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    return {"method": method, "votes": n_votes, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--methods", default=",".join(COMPATIBLE))
    parser.add_argument("--peer-items", default="Glad=5000")
    parser.add_argument("--votes-in-memory", type=int, default=10_000_000, help="0 leaves the memory out")
    parser.add_argument("--memory-of", default="DawidSkene,Auto")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        peak(options.peak, options.votes_in_memory)
        return
    fewer = dict(pair.split("=") for pair in options.peer_items.split(",") if pair)
    print(f"{'':22}{'items':>8}{'peer s':>9}{'ours s':>9}{'ratio':>8}{'worst':>8}{'kernel':>8}{'same':>8}{'right':>8}")
    rows = []
    for method in filter(None, options.methods.split(",")):
        row = measure(method, min(options.items, int(fewer.get(method, options.items))), options.runs)
        rows.append(row)
        shown = "".join(f"{each:9.3f}" for each in (row.peer, row.ours))
        shown += "".join(f"{each:8.1f}" for each in (row.ratio, row.worst, row.kernel_ratio))
        shown += "".join(f"{each:8.4f}" for each in (row.same_labels, row.right))
        print(f"{method:22}{row.items:8}{shown}  {'yes' if row.reached else 'NO'}", flush=True)
    peaks = []
    if options.votes_in_memory:
        peaks = [memory(method, options.votes_in_memory) for method in options.memory_of.split(",")]
    for each in peaks:
        print(f"{each['method']}, {each['votes']:,} votes: peak {each['peak_mib']:.0f} MiB, {each['seconds']:.1f} s")
    if options.json:
        options.json.write_text(json.dumps({"rows": [asdict(row) for row in rows], "memory": peaks}, indent=1) + "\n")


if __name__ == "__main__":
    main()
