"""The label model against Snorkel's: 100,000 items x 20 rules, time and accuracy, with and without copied rules.

Both get the same dense matrix of votes, -1 for none, and give posteriors; our time has the coding of the matrix in it.
Times are interleaved, after a warm run that is not counted, with all processors for both; processor time is beside
wall time, which other work on the machine may stretch. Accuracy is on the items with a vote, over generators and seeds:
classes even and skewed, rules whose accuracies depend on the class, low coverage, rules that know one class, and 30 %
of the rules copies, of several rules or of a single one, exact or with a fifth of the copied votes replaced. Snorkel
runs with its defaults (even classes) and, in a column of its own, with the true class shares; ours with its defaults
alone, which learn them.

    python tests/bench/bench_label_model.py [--json OUT] [--items 100000] [--rounds 3] [--seeds 2]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_RULES, N_COPIES = 20, 6
FASTER_THAN_SNORKEL = 10.0
EVEN_MARGIN = 0.001
"""What "not lower" allows for the draw of ties and single items."""

Table = NDArray[np.int64]


@dataclass(frozen=True)
class Generator:
    """How truth and votes are drawn; accuracies vary by a tenth up or down between the classes of a rule."""

    name: str
    shares: tuple[float, ...] = (0.5, 0.5)
    accuracy: tuple[float, float] = (0.55, 0.9)
    coverage: tuple[float, float] = (0.3, 0.9)
    one_class: bool = False
    sources_of_copies: int = 0
    noise: float = 0.0

    def draw(self, n_items: int, seed: int) -> tuple[Table, Table]:
        """Return the truth, (items,), and the votes, (items, rules)."""
        rng = np.random.default_rng(seed)
        truth = rng.choice(len(self.shares), n_items, p=self.shares)
        n_own = N_RULES - (N_COPIES if self.sources_of_copies else 0)
        make = self._narrow if self.one_class else self._general
        votes = [make(truth, rule, rng) for rule in range(n_own)]
        if self.sources_of_copies:
            sources = np.resize(rng.permutation(n_own)[: self.sources_of_copies], N_COPIES)
            votes += [self._copied(votes[source], rng) for source in sources]
        return truth, np.stack(votes, axis=1)

    def _general(self, truth: Table, rule: int, rng: np.random.Generator) -> Table:
        del rule
        n_classes = len(self.shares)
        right = rng.uniform(*self.accuracy) + rng.uniform(-0.1, 0.1, n_classes)
        errors = rng.dirichlet(np.ones(n_classes - 1), n_classes)
        confusion = np.stack(
            [np.insert((1 - p) * row, k, p) for k, (p, row) in enumerate(zip(right, errors, strict=True))]
        )
        answers = (
            (rng.random(len(truth))[:, None] > confusion.cumsum(axis=1)[truth]).sum(axis=1).clip(max=n_classes - 1)
        )
        return np.where(rng.random(len(truth)) < rng.uniform(*self.coverage), answers, -1)

    def _narrow(self, truth: Table, rule: int, rng: np.random.Generator) -> Table:
        label = rule % len(self.shares)
        precision, found = rng.uniform(*self.accuracy), rng.uniform(*self.coverage)
        share = self.shares[label]
        elsewhere = min(found * share * (1 - precision) / precision / (1 - share), 1.0)
        return np.where(rng.random(len(truth)) < np.where(truth == label, found, elsewhere), label, -1)

    def _copied(self, source: Table, rng: np.random.Generator) -> Table:
        other = np.where(
            rng.random(len(source)) < (source >= 0).mean(), rng.integers(len(self.shares), size=len(source)), -1
        )
        return np.where(rng.random(len(source)) < self.noise, other, source)


INDEPENDENT = (
    Generator("two even classes"),
    Generator("two classes, weak rules", accuracy=(0.52, 0.7)),
    Generator("two classes, 9 to 1", shares=(0.9, 0.1), accuracy=(0.6, 0.9)),
    Generator("five skewed classes", shares=(0.6, 0.2, 0.1, 0.06, 0.04), accuracy=(0.45, 0.85)),
    Generator("three classes, coverage under 10 %", shares=(1 / 3,) * 3, accuracy=(0.5, 0.9), coverage=(0.02, 0.1)),
    Generator(
        "four classes, each rule knows one",
        shares=(0.25,) * 4,
        accuracy=(0.5, 0.95),
        coverage=(0.05, 0.4),
        one_class=True,
    ),
)
COPIED = (
    Generator("copies of six rules", accuracy=(0.55, 0.85), sources_of_copies=6),
    Generator("six copies of one rule", accuracy=(0.55, 0.8), sources_of_copies=1),
    Generator("six noisy copies of one rule", accuracy=(0.55, 0.8), sources_of_copies=1, noise=0.2),
    Generator(
        "five classes, six copies of one", shares=(0.2,) * 5, accuracy=(0.35, 0.8), sources_of_copies=1, noise=0.1
    ),
    Generator(
        "coverage under 20 %, six copies of one",
        shares=(1 / 3,) * 3,
        accuracy=(0.5, 0.85),
        coverage=(0.05, 0.2),
        sources_of_copies=1,
    ),
)


def fit_ours(table: Table, n_classes: int) -> NDArray[np.float64]:
    """Return the posteriors of all items, even ones where no rule votes."""
    import pyarrow as pa

    from labelplane_aggregation import LabelModel, VoteMatrix

    counts = (table >= 0).sum(axis=1)
    covered = np.flatnonzero(counts)
    rows, rules = np.nonzero(table >= 0)
    codes = (np.cumsum(counts > 0) - 1)[rows]
    votes = VoteMatrix(
        items=codes.astype(np.int32),
        annotators=rules.astype(np.int32),
        answers=table[rows, rules].astype(np.int32),
        weights=np.ones(len(rows)),
        offsets=np.concatenate([[0], np.cumsum(counts[covered])]),
        item_ids=pa.array(covered).cast(pa.string()),
        annotator_ids=pa.array(np.arange(table.shape[1])).cast(pa.string()),
        classes=pa.array(np.arange(n_classes)).cast(pa.string()),
    )
    posterior = np.full((len(table), n_classes), 1 / n_classes)
    posterior[covered] = LabelModel().fit(votes).posterior_
    return posterior


def fit_snorkel(table: Table, n_classes: int, shares: tuple[float, ...] | None = None) -> NDArray[np.float64]:
    from snorkel.labeling.model import LabelModel

    model = LabelModel(cardinality=n_classes, verbose=False)
    model.fit(table, class_balance=None if shares is None else list(shares), seed=0, progress_bar=False)
    return np.asarray(model.predict_proba(table))


def fit_majority(table: Table, n_classes: int) -> NDArray[np.float64]:
    counts = np.stack([(table == code).sum(axis=1) for code in range(n_classes)], axis=1).astype(np.float64)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def accuracy(posterior: NDArray[np.float64], truth: Table, table: Table) -> float:
    """Return the share of right labels among items with a vote; a tie counts by its share."""
    covered = (table >= 0).any(axis=1)
    best = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    credit = best[np.arange(len(truth)), truth] / best.sum(axis=1)
    return float(credit[covered].mean())


def time_row(n_items: int, rounds: int) -> dict[str, Any]:
    _, table = INDEPENDENT[0].draw(n_items, seed=0)
    contenders = {"ours": fit_ours, "Snorkel": fit_snorkel}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, fit in contenders.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            fit(table, 2)
            if number:
                seconds[name].append(time.perf_counter() - began)
                cpu[name].append(time.process_time() - began_cpu)
    ratios = [theirs / ours for theirs, ours in zip(seconds["Snorkel"], seconds["ours"], strict=True)]
    median = statistics.median(ratios)
    return {
        "name": f"label model, {n_items:,} x {N_RULES}, matrix in, posteriors out: times faster than Snorkel's",
        "ours": statistics.median(seconds["ours"]),
        "peer": statistics.median(seconds["Snorkel"]),
        "ours_cpu": statistics.median(cpu["ours"]),
        "peer_cpu": statistics.median(cpu["Snorkel"]),
        "ratio": median,
        "median": median,
        "worst": min(ratios),
        "target": FASTER_THAN_SNORKEL,
        "reached": median >= FASTER_THAN_SNORKEL,
    }


def accuracy_row(generator: Generator, n_items: int, seeds: int, *, must_win: bool) -> dict[str, Any]:
    n_classes = len(generator.shares)
    found: dict[str, list[float]] = {"ours": [], "peer": [], "peer_with_shares": [], "majority": []}
    for seed in range(seeds):
        truth, table = generator.draw(n_items, seed)
        posteriors = {
            "ours": fit_ours(table, n_classes),
            "peer": fit_snorkel(table, n_classes),
            "peer_with_shares": fit_snorkel(table, n_classes, generator.shares),
            "majority": fit_majority(table, n_classes),
        }
        for name, posterior in posteriors.items():
            found[name].append(accuracy(posterior, truth, table))
    gains = [ours - theirs for ours, theirs in zip(found["ours"], found["peer"], strict=True)]
    target = 0.0 if must_win else -EVEN_MARGIN
    return {
        "name": f"accuracy above Snorkel's: {generator.name}",
        **{name: statistics.mean(values) for name, values in found.items()},
        "median": statistics.median(gains),
        "worst": min(gains),
        "target": target,
        "reached": min(gains) > target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()

    rows: list[dict[str, Any]] = []
    if importlib.util.find_spec("snorkel") is None:
        print("Snorkel is not installed: nothing is compared")
    else:
        rows.append(time_row(arguments.items, arguments.rounds))
        print(rows[-1], flush=True)
        for must_win, generators in ((False, INDEPENDENT), (True, COPIED)):
            for generator in generators:
                rows.append(accuracy_row(generator, arguments.items, arguments.seeds, must_win=must_win))
                print(rows[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
