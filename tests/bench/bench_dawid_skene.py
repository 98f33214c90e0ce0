"""Dawid-Skene against crowd-kit: 100,000 items x 5 votes, 10 classes, 1,000 annotators, 20 iterations.

    python tests/bench/bench_dawid_skene.py [--json OUT] [--runs 5] [--threads N] [--items 100000]

Needs crowd-kit and this project in one environment. Each contender is a process of its own that keeps its data and
answers one run at a time, so that runs interleave and warm up; memory is measured in further, fresh processes. The
peer runs with one BLAS and OpenMP thread and with as many as there are processors; its faster setting counts. Under
some 10,000 items a fit may settle before its 20 iterations, and the bench stops.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

N_VOTES, N_CLASSES, N_ANNOTATORS, N_ITERATIONS = 5, 10, 1_000, 20
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
COMPATIBLE = {"shrinkage_mass": 0.0, "smoothing": 1e-10, "class_smoothing": 1e-10}


@dataclass(frozen=True)
class Row:
    """One line of the report; for times and memory `ratio` = peer / ours, and `worst` the least over the runs."""

    name: str
    ours: float
    peer: float
    ratio: float
    median: float
    worst: float
    target: float
    reached: bool


def simulate(n_items: int, seed: int = 0) -> tuple[dict[str, list[str]], np.ndarray]:
    """Votes in random order as strings: annotators right with 0.4 to 0.9, errors even; and each item's class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, N_CLASSES, n_items)
    accuracy = rng.uniform(0.4, 0.9, N_ANNOTATORS)
    items = np.repeat(np.arange(n_items), N_VOTES)
    first = rng.integers(0, N_ANNOTATORS, n_items)
    stride = rng.integers(1, N_ANNOTATORS // N_VOTES, n_items)
    annotators = ((first[:, None] + stride[:, None] * np.arange(N_VOTES)) % N_ANNOTATORS).ravel()
    right = rng.random(len(items)) < accuracy[annotators]
    wrong = (truth[items] + rng.integers(1, N_CLASSES, len(items))) % N_CLASSES
    answers = np.where(right, truth[items], wrong)
    order = rng.permutation(len(items))
    frame = {
        "item": [f"item-{item:07d}" for item in items[order]],
        "annotator": [f"annotator-{annotator:04d}" for annotator in annotators[order]],
        "label": [f"class-{answer}" for answer in answers[order]],
    }
    return frame, truth


class Ours:
    """String ids in, posteriors out; `compatible` fits by maximum likelihood, as the peer does."""

    def __init__(self, frame: dict[str, list[str]], *, threads: int | None, compatible: bool = True) -> None:
        import pyarrow as pa

        from labelplane_aggregation import DawidSkene, VoteMatrix

        settings = COMPATIBLE if compatible else {}
        self._model = DawidSkene(max_iterations=N_ITERATIONS, tolerance=0.0, threads=threads, **settings)
        self._code = VoteMatrix.from_table
        self._table = pa.table(frame)
        # Compile on a few votes, so that no measured process pays for it.
        self._model.fit({key: values[:50] for key, values in frame.items()})

    def run(self) -> dict[str, float]:
        started = time.perf_counter()
        votes = self._code(self._table)
        coded = time.perf_counter()
        self.fit = self._model.fit(votes)
        done = time.perf_counter()
        assert self.fit.n_iter_ == N_ITERATIONS
        return {"total": done - started, "kernel": done - coded}

    def labels(self) -> dict[str, str]:
        return dict(zip(self.fit.item_ids_.to_pylist(), self.fit.labels_.to_pylist(), strict=True))


class Peer:
    """crowd-kit's `fit`, which takes strings and gives posteriors."""

    def __init__(self, frame: dict[str, list[str]]) -> None:
        import pandas as pd
        from crowdkit.aggregation import DawidSkene

        # A tolerance that no step can miss: every run does all iterations.
        self._model = DawidSkene(n_iter=N_ITERATIONS, tol=-1e300)
        self._frame = pd.DataFrame(frame).rename(columns={"item": "task", "annotator": "worker"})
        self._model.fit(self._frame.head(50))

    def run(self) -> dict[str, float]:
        started = time.perf_counter()
        self._model.fit(self._frame)
        elapsed = time.perf_counter() - started
        assert len(self._model.loss_history_) == N_ITERATIONS
        return {"total": elapsed, "kernel": elapsed}

    def labels(self) -> dict[str, str]:
        assert self._model.labels_ is not None
        return self._model.labels_.to_dict()


def work(kind: str, n_items: int, threads: int | None) -> None:
    """Answer commands on standard input: run, labels, memory."""
    frame, _ = simulate(n_items)
    contender: Any = Peer(frame) if kind == "peer" else Ours(frame, threads=threads, compatible=kind == "ours")
    frame.clear()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if line.strip() == "run":
            answer: Any = contender.run()
        elif line.strip() == "labels":
            answer = contender.labels()
        else:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            reset = reset_peak()
            contender.run()
            answer = {"peak_mib": (peak_kib() - (reset or before)) / 1024}
        print(json.dumps(answer), flush=True)


def reset_peak() -> int | None:
    """Set the process's peak back to what it holds now (Linux), and return that in KiB; None where it cannot be.

    Making the data takes more memory than it keeps, which would hide what the fit needs.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return peak_kib()


def peak_kib() -> int:
    """Return the peak resident memory: of the kernel's record that can be reset, else `ru_maxrss`."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


class Contender:
    """A worker process."""

    def __init__(self, kind: str, n_items: int, *, threads: int | None = None, blas_threads: int = 1) -> None:
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(blas_threads))}
        command = [sys.executable, __file__, "--work", kind, "--items", str(n_items)]
        if threads:
            command += ["--threads", str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._read() == "ready"

    def ask(self, command: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args}: ended without an answer")
        return json.loads(line)


def time_rows(n_items: int, runs: int, threads: int | None) -> tuple[list[Row], list[Row]]:
    """Run all contenders in turn, `runs` times after one warm-up; return the time and the label rows."""
    processors = os.cpu_count() or 1
    ours = {kind: Contender(kind, n_items, threads=threads) for kind in ("ours", "defaults")}
    peers = {count: Contender("peer", n_items, blas_threads=count) for count in {1, processors}}
    for contender in (*ours.values(), *peers.values()):
        contender.ask("run")
    own: dict[str, list[dict[str, float]]] = {kind: [] for kind in ours}
    other: dict[int, list[float]] = {count: [] for count in peers}
    for _ in range(runs):
        for count, contender in peers.items():
            other[count].append(contender.ask("run")["total"])
        for kind, contender in ours.items():
            own[kind].append(contender.ask("run"))
    best = min(other, key=lambda count: statistics.median(other[count]))
    print(f"crowd-kit: {', '.join(f'{c} threads {statistics.median(t):.2f} s' for c, t in other.items())}")
    rows = [
        time_row("string ids in, posteriors out [s]", [run["total"] for run in own["ours"]], other[best], 10.0),
        time_row("the same, default settings [s]", [run["total"] for run in own["defaults"]], other[best], 10.0),
        time_row("kernel alone: coded votes in [s]", [run["kernel"] for run in own["ours"]], other[best], 30.0),
    ]
    labels = peers[best].ask("labels")
    label_rows = [
        label_row("same labels, maximum likelihood", ours["ours"].ask("labels"), labels, n_items, 0.9999),
        label_row("same labels, default settings", ours["defaults"].ask("labels"), labels, n_items, 0.0),
    ]
    for contender in (*ours.values(), *peers.values()):
        contender.close()
    return rows, label_rows


def time_row(name: str, ours: list[float], peer: list[float], target: float) -> Row:
    """Compare by medians; `worst` is the least ratio of a round, where both ran one after the other."""
    ratios = [theirs / own for own, theirs in zip(ours, peer, strict=True)]
    own, theirs = statistics.median(ours), statistics.median(peer)
    return Row(name, own, theirs, theirs / own, statistics.median(ratios), min(ratios), target, theirs / own >= target)


def label_row(name: str, ours: dict[str, str], peer: dict[str, str], n_items: int, target: float) -> Row:
    """Share of items with the same label; `ours` and `peer` are the shares that are right."""
    _, truth = simulate(n_items)
    right = {f"item-{item:07d}": f"class-{label}" for item, label in enumerate(truth)}
    same = sum(ours[item] == label for item, label in peer.items()) / len(peer)
    shares = [sum(labels[item] == right[item] for item in right) / n_items for labels in (ours, peer)]
    return Row(name, *shares, same, same, same, target, same >= target)


def memory_row(n_items: int, runs: int, threads: int | None) -> Row:
    """Peak memory above what stood after imports and data, each in a fresh process."""
    peaks: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(runs):
        for kind, values in peaks.items():
            contender = Contender(kind, n_items, threads=threads)
            values.append(contender.ask("memory")["peak_mib"])
            contender.close()
    return time_row("peak memory [MiB]", peaks["ours"], peaks["peer"], 3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--threads", type=int, help="of ours; else by the number of votes and processors")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.items, options.threads)
        return
    rows, label_rows = time_rows(options.items, options.runs, options.threads)
    rows += [memory_row(options.items, min(3, options.runs), options.threads), *label_rows]
    print(f"{'':36}{'ours':>10}{'peer':>10}{'ratio':>10}{'median':>10}{'worst':>10}{'target':>10}")
    for row in rows:
        figures = (row.ours, row.peer, row.ratio, row.median, row.worst, row.target)
        print(f"{row.name:36}{''.join(f'{figure:10.4g}' for figure in figures)}  {'yes' if row.reached else 'NO'}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
