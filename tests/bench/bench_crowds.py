"""Twelve simulated crowds: the error of every method of truth inference, and whether `Auto` is the one to take.

    python tests/bench/bench_crowds.py [--json OUT] [--runs 10] [--first-seed 0]

Each crowd is drawn `--runs` times from seeds in a row; all methods see the same votes, with default settings. `Auto`
was made on seeds from 1000 on and on crowds of other generators, never on these. It asserts nothing and reports whether
auto is better on average than every single method, by how many points it is worse than the best on each crowd, and
whether majority is better at a cold start. A best method is the best by these votes: it has the luck of the draw.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labelplane_aggregation import MODELS, VoteMatrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AUTO, MAJORITY = "Auto", "MajorityVote"
MOST_BEHIND = 0.005


@dataclass(frozen=True)
class Drawn:
    """Votes of one crowd, and each item's class."""

    votes: VoteMatrix
    truth: Ints


@dataclass(frozen=True)
class Row:
    """One line of the report: the mean error of a crowd by method, and the seconds that auto took."""

    crowd: str
    errors: dict[str, float]
    behind: float
    best: str


def coins(accuracy: Floats, n_classes: int) -> Floats:
    """Confusions, (annotators, classes, classes), of annotators who err evenly."""
    wrong = ((1.0 - accuracy) / (n_classes - 1))[:, None, None]
    return np.where(np.eye(n_classes, dtype=bool), accuracy[:, None, None], wrong)


def near_errors(accuracy: Floats, n_classes: int, *, fall: float = 1.5) -> Floats:
    """Confusions of annotators whose errors fall off with the distance between classes in order."""
    steps = np.abs(np.arange(n_classes)[:, None] - np.arange(n_classes))
    near = np.exp(-fall * steps) * (1 - np.eye(n_classes))
    near /= near.sum(axis=1, keepdims=True)
    rows: Floats = accuracy[:, None, None] * np.eye(n_classes) + (1.0 - accuracy)[:, None, None] * near
    return rows


def who_votes(rng: np.random.Generator, n_items: int, n_votes: int, activity: Floats) -> tuple[Ints, Ints]:
    """Draw `n_votes` different annotators for every item, the active ones more often; return items and annotators."""
    order = np.argsort(rng.exponential(size=(n_items, len(activity))) / activity, axis=1)[:, :n_votes]
    return np.repeat(np.arange(n_items), n_votes), order.ravel()


def answer(rng: np.random.Generator, rows: Floats) -> Ints:
    """Draw a class from every row of probabilities."""
    codes: Ints = (rng.random(len(rows))[:, None] > rows.cumsum(axis=1)).sum(axis=1).clip(max=rows.shape[1] - 1)
    return codes


def drawn(items: Ints, annotators: Ints, answers: Ints, truth: Ints, n_classes: int) -> Drawn:
    frame = {
        "item": np.char.mod("item-%05d", items),
        "annotator": np.char.mod("annotator-%04d", annotators),
        "label": np.char.mod("class-%02d", answers),
    }
    table = pa.table({name: pa.array(column.tolist()) for name, column in frame.items()})
    votes = VoteMatrix.from_table(table, classes=[f"class-{k:02d}" for k in range(n_classes)])
    return Drawn(votes, truth)


def by_confusions(
    rng: np.random.Generator,
    confusion: Floats,
    *,
    n_items: int,
    n_votes: int,
    shares: Floats | None = None,
    activity: Floats | None = None,
) -> Drawn:
    """Draw a crowd in which annotators answer independently, each by a confusion."""
    n_annotators, n_classes, _ = confusion.shape
    truth = rng.choice(n_classes, n_items, p=shares)
    items, annotators = who_votes(rng, n_items, n_votes, np.ones(n_annotators) if activity is None else activity)
    return drawn(items, annotators, answer(rng, confusion[annotators, truth[items]]), truth, n_classes)


def long_tail(rng: np.random.Generator, n_annotators: int) -> Floats:
    """Activities as on a market place: a few annotators give most of the votes."""
    return rng.lognormal(0.0, 1.3, n_annotators)


def cold_start_of_equals(rng: np.random.Generator) -> Drawn:
    """60 items x 3 votes, 10 classes, 15 annotators who are all alike: majority cannot be beaten."""
    return by_confusions(rng, coins(np.full(15, 0.7), 10), n_items=60, n_votes=3)


def cold_start_of_unequals(rng: np.random.Generator) -> Drawn:
    """100 items x 3 votes, 5 classes, 12 annotators from poor to good."""
    return by_confusions(rng, coins(rng.uniform(0.45, 0.95, 12), 5), n_items=100, n_votes=3)


def balanced_classes(rng: np.random.Generator) -> Drawn:
    """1,000 items x 5 votes, 4 classes alike, 60 annotators of a long tail."""
    return by_confusions(rng, coins(rng.beta(4, 2.5, 60), 4), n_items=1000, n_votes=5, activity=long_tail(rng, 60))


def skewed_classes(rng: np.random.Generator) -> Drawn:
    """1,000 items x 5 votes, 85 % of one class of four, errors by confusions of one's own."""
    rows = np.stack([rng.dirichlet(np.where(np.arange(4) == k, 7.0, 1.2), 40) for k in range(4)], axis=1)
    return by_confusions(rng, rows, n_items=1000, n_votes=5, shares=np.array([0.85, 0.08, 0.05, 0.02]))


def random_spammers(rng: np.random.Generator) -> Drawn:
    """600 items x 5 votes, 6 classes, 50 annotators of whom 20 answer at random."""
    accuracy = np.concatenate([np.full(20, 1 / 6), rng.uniform(0.6, 0.9, 30)])
    return by_confusions(rng, coins(accuracy, 6), n_items=600, n_votes=5, activity=long_tail(rng, 50))


def habitual_spammers(rng: np.random.Generator) -> Drawn:
    """400 items x 5 votes, 4 classes, 40 annotators of whom 16 give one answer most of the time."""
    rows = coins(rng.uniform(0.6, 0.9, 40), 4)
    for annotator in range(16):
        rows[annotator] = 0.05 + 0.8 * (np.arange(4) == rng.integers(4))
    return by_confusions(rng, rows, n_items=400, n_votes=5)


def colluders(rng: np.random.Generator) -> Drawn:
    """500 items x 7 votes, 4 classes, 30 annotators; six of them copy one poor annotator's answers."""
    rows = coins(np.concatenate([np.full(6, 0.4), rng.uniform(0.55, 0.85, 24)]), 4)
    truth = rng.integers(0, 4, 500)
    items, annotators = who_votes(rng, 500, 7, np.ones(30))
    answers = answer(rng, rows[annotators, truth[items]])
    copied = answer(rng, rows[0][truth])
    copies = (annotators < 6) & (rng.random(len(items)) < 0.9)
    return drawn(items, annotators, np.where(copies, copied[items], answers), truth, 4)


def easy_and_hard_items(rng: np.random.Generator) -> Drawn:
    """800 items x 6 votes, 3 classes; a vote is right by the annotator's ability times the item's ease."""
    truth = rng.integers(0, 3, 800)
    items, annotators = who_votes(rng, 800, 6, long_tail(rng, 40))
    strength = rng.normal(1.6, 0.8, 40)[annotators] * rng.lognormal(0.0, 0.9, 800)[items]
    right = 1.0 / (1.0 + 2.0 * np.exp(-strength))
    rows = (1.0 - right)[:, None] / 2.0 * np.ones(3)
    rows[np.arange(len(items)), truth[items]] = right
    return drawn(items, annotators, answer(rng, rows), truth, 3)


def few_votes(rng: np.random.Generator) -> Drawn:
    """2,000 items x 2 votes, 5 classes, 150 annotators of a long tail, many of whom give a handful of votes."""
    return by_confusions(rng, coins(rng.beta(5, 2, 150), 5), n_items=2000, n_votes=2, activity=long_tail(rng, 150))


def many_biased_votes(rng: np.random.Generator) -> Drawn:
    """120 items x 25 votes, 2 classes, 35 annotators who each lean to one side, some heavily."""
    rows = np.empty((35, 2, 2))
    rows[:, 0, 0], rows[:, 1, 1] = rng.beta(3, 2.2, 35), rng.beta(3, 2.2, 35)
    rows[:, 0, 1], rows[:, 1, 0] = 1 - rows[:, 0, 0], 1 - rows[:, 1, 1]
    return by_confusions(rng, rows, n_items=120, n_votes=25)


def ordinal_confusions(rng: np.random.Generator) -> Drawn:
    """800 items x 7 votes, 5 classes in order, of which one has three items of four; errors are near the truth."""
    rows = near_errors(rng.uniform(0.4, 0.8, 15), 5)
    return by_confusions(rng, rows, n_items=800, n_votes=7, shares=np.array([0.76, 0.06, 0.06, 0.06, 0.06]))


def confused_pairs(rng: np.random.Generator) -> Drawn:
    """800 items x 8 votes, 6 classes; most annotators take one class of a pair for the other, experts do not."""
    rows = coins(rng.uniform(0.7, 0.9, 40), 6)
    for annotator in range(28):
        pair = 2 * rng.integers(0, 3)
        for true, other in ((pair, pair + 1), (pair + 1, pair)):
            share = rng.uniform(0.4, 0.7)
            rows[annotator, true] = 0.02
            rows[annotator, true, [true, other]] = (1 - share) * 0.92, share * 0.92
    return by_confusions(rng, rows / rows.sum(axis=2, keepdims=True), n_items=800, n_votes=8)


CROWDS: tuple[Callable[[np.random.Generator], Drawn], ...] = (
    cold_start_of_equals,
    cold_start_of_unequals,
    balanced_classes,
    skewed_classes,
    random_spammers,
    habitual_spammers,
    colluders,
    easy_and_hard_items,
    few_votes,
    many_biased_votes,
    ordinal_confusions,
    confused_pairs,
)
COLD_STARTS = ("cold start of equals", "cold start of unequals")
COLD_RUNS = 8
"""Cold starts have few items: more seeds, so that their mean says as much."""


def named(crowd: Callable[[np.random.Generator], Drawn]) -> str:
    return crowd.__name__.replace("_", " ")


def measure(place: int, seeds: range) -> tuple[Row, float]:
    """Return the mean errors on a crowd over its seeds, and the seconds that auto took."""
    errors: dict[str, list[float]] = {method: [] for method in MODELS}
    seconds = 0.0
    for seed in seeds:
        crowd = CROWDS[place](np.random.default_rng([seed, place]))
        for method, model in MODELS.items():
            started = time.perf_counter()
            answers = model(seed=seed).fit(crowd.votes).answers_
            seconds += time.perf_counter() - started if method == AUTO else 0.0
            errors[method].append(float((answers != crowd.truth).mean()))
    means = {method: float(np.mean(values)) for method, values in errors.items()}
    best = min((method for method in means if method != AUTO), key=lambda method: means[method])
    return Row(named(CROWDS[place]), means, means[AUTO] - means[best], best), seconds


def report(rows: list[Row]) -> list[dict[str, Any]]:
    """Print what was to be reached, and whether it was; return it."""
    means = {method: float(np.mean([row.errors[method] for row in rows])) for method in MODELS}
    print(f"{'mean':24}{''.join(f'{100 * means[method]:10.2f}' for method in MODELS)}")
    best = min((method for method in means if method != AUTO), key=lambda method: means[method])
    behind = max(rows, key=lambda row: row.behind)
    cold = max(row.errors[AUTO] - row.errors[MAJORITY] for row in rows if row.crowd in COLD_STARTS)
    verdicts: list[dict[str, Any]] = [
        {"name": f"auto's mean error less that of {best}, the best single method", "value": means[AUTO] - means[best]},
        {"name": f"auto's error less the best method's, worst crowd ({behind.crowd})", "value": behind.behind},
        {"name": "auto's error less majority's at a cold start, the worse of two", "value": cold},
    ]
    for verdict, most in zip(verdicts, (0.0, MOST_BEHIND, 0.0), strict=True):
        verdict |= {"most": most, "reached": verdict["value"] <= most}
        found = f"{100 * verdict['value']:+.2f} points (at most {100 * most:+.2f})"
        print(f"{verdict['name']}: {found}: {'yes' if verdict['reached'] else 'NO'}")
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--runs", type=int, default=10, help="seeds of each crowd; cold starts get eight times as many")
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'error in %':24}{''.join(f'{method[:9]:>10}' for method in MODELS)}{'behind':>10}  best single")
    rows, seconds = [], 0.0
    for place, crowd in enumerate(CROWDS):
        runs = options.runs * (COLD_RUNS if named(crowd) in COLD_STARTS else 1)
        row, spent = measure(place, range(options.first_seed, options.first_seed + runs))
        rows.append(row)
        seconds += spent
        shown = "".join(f"{100 * row.errors[method]:10.2f}" for method in MODELS)
        print(f"{row.crowd:24}{shown}{100 * row.behind:10.2f}  {row.best}", flush=True)
    verdicts = report(rows)
    print(f"auto took {seconds:.1f} s in all")
    if options.json:
        written = {"rows": [asdict(row) for row in rows], "verdicts": verdicts}
        options.json.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
