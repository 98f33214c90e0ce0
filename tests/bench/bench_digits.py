"""The digits sample end to end, active against random selection: ten seeds, at most 1,347 votes each.

Every run plays `manifests/samples/digits.yaml` in process, as `labelplane run` does: once as it stands there (Margin
after a k-center start), once with random selection from the first item on. Model, aggregation, stop rule, budget and
crowd are the same; a seed decides gold roles, crowd, drawing and training alike.

The accuracy is that of all items outside gold against the truth: a round's from its posteriors and, for items without
votes, its scores; the last one is Finalize's `truth_accuracy`. A is the accuracy that random selection ends with. The
votes to reach A are counted in both curves by the same rule, twice: on straight lines between rounds, as the report
does, and at the first whole round that reaches A. A curve that never reaches A counts as infinite.

A run takes minutes. With `--keep FOLDER` the folders of the runs stay, and the same command goes on where it stood;
runs of other code must not lie there. The JSON file is written anew after every run; the picture at the end.

    python tests/bench/bench_digits.py [--json OUT] [--seeds 10] [--keep FOLDER] [--processes 1] [--picture SVG]
"""

import argparse
import asyncio
import csv
import json
import math
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from labelplane_api.job import LabelingJob
from labelplane_api.load import read_manifests
from labelplane_api.sampling import ColdStart, Strategy
from labelplane_api.status import LabelingJobStatus
from labelplane_report.charts import votes_to_reach
from labelplane_report.data import Curve

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "digits.yaml"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "digits-curve.svg"
SEEDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
WAYS = ("active", "random")
VOTES = 1_347
ACCURACY = 0.97
SHARE_OF_VOTES = 0.6


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to: the curve (votes and accuracy after each round) and its last point's accuracy."""

    way: str
    seed: int
    votes: tuple[int, ...]
    accuracy: tuple[float, ...]
    seconds: float

    @property
    def final(self) -> float:
        return self.accuracy[-1]


# -- playing ----------------------------------------------------------------------------------------------------------


def make_job(job: LabelingJob, way: str, seed: int) -> LabelingJob:
    """The sample's job with another seed and, for "random", random selection; nothing else changes."""
    spec = job.spec
    assert spec.budget.votes == VOTES
    sampling = spec.sampling
    if way == "random":
        sampling = sampling.model_copy(update={"strategy": Strategy.RANDOM, "cold_start": ColdStart.RANDOM})
    changed = {"sampling": sampling, "run": spec.run.model_copy(update={"seed": seed})}
    return job.model_copy(update={"spec": spec.model_copy(update=changed)})


def play_one(way: str, seed: int, keep: Path) -> Run:
    """Play one run to its end, or go on with it, and measure it."""
    from labelplane_cli.embedded.addresses import resolve_addresses
    from labelplane_cli.embedded.play import play
    from labelplane_core.clock import SystemClock

    manifests = read_manifests(SAMPLE)
    manifests = replace(manifests, job=make_job(manifests.job, way, seed))
    addresses = resolve_addresses(manifests, beside=SAMPLE.parent, out=str(keep / f"{way}-{seed}"))
    done = asyncio.run(play(manifests.job, addresses, clock=SystemClock(), watcher=lambda *_: None))
    if done.status.finalize is None:
        raise SystemExit(f"{way}, seed {seed}: {[each.message for each in done.status.conditions]}")
    return asyncio.run(measure(done, way, addresses.open_store()))


async def measure(job: LabelingJob, way: str, store: Any) -> Run:
    """Read the accuracy after each round from the tables that the run wrote, and the last from Finalize's figures."""
    from labelplane_aggregation.rounds import read_round_records, round_refs
    from labelplane_core.storage import Layout
    from labelplane_core.table_store import TableStore
    from labelplane_core.tables import INDEX
    from labelplane_report.columns import references

    status, classes = job.status, job.spec.task.classes
    assert status.prepare is not None
    assert status.finalize is not None
    tables = TableStore(store)
    index = await tables.read(status.prepare.result.results["index"], INDEX)
    known = references(index, classes, truth=read_truth(job))
    # The status lists the last rounds only; the store has a record of each.
    records = await read_round_records(store, Layout(), range(status.rounds[-1].round + 1))
    rounds = [refs for refs in map(round_refs, records) if refs.votes]
    points = [(each.votes, await accuracy_of(each, tables, known, classes)) for each in rounds]
    points[-1] = (points[-1][0], status.finalize.figures["truth_accuracy"])
    assert points[-1][0] <= VOTES
    votes, accuracy = zip(*points, strict=True)
    return Run(way, job.spec.run.seed, votes, accuracy, seconds_of(status))


async def accuracy_of(each: Any, tables: Any, known: Any, classes: Any) -> float:
    """The share of items outside gold that were right at the end of a round, by its references."""
    from labelplane_core.tables import POSTERIORS, SCORES
    from labelplane_report.measures import RoundTables, round_point

    posteriors = await tables.read(each.posteriors_ref, POSTERIORS)
    scores = await tables.read(each.scores_ref, SCORES) if each.scores_ref else None
    if scores is not None:
        scores = scores.select(["item_id", "logits"])
    point = round_point(RoundTables(each.number, each.votes, posteriors, scores), known, classes=classes)
    assert point.truth is not None
    return point.truth.share


def read_truth(job: LabelingJob) -> dict[str, str]:
    dataset = job.spec.dataset
    assert dataset.index
    assert dataset.truth_field
    with (SAMPLE.parent / dataset.uri / dataset.index).open(encoding="utf-8", newline="") as file:
        return {row[dataset.id_field]: row[dataset.truth_field] for row in csv.DictReader(file)}


def seconds_of(status: LabelingJobStatus) -> float:
    """Seconds from the start to the end of a run; of one that was continued, with the pause."""
    assert status.started_at is not None
    assert status.finished_at is not None
    return (status.finished_at - status.started_at).total_seconds()


# -- figures ----------------------------------------------------------------------------------------------------------


def votes_needed(run: Run, accuracy: float, *, in_whole_rounds: bool) -> float:
    """Votes after which a run first reaches an accuracy; infinite when it never does."""
    if in_whole_rounds:
        return next((float(v) for v, a in zip(run.votes, run.accuracy, strict=True) if a >= accuracy), math.inf)
    reached = votes_to_reach(Curve(run.way, run.votes, run.accuracy), accuracy)
    return math.inf if reached is None else reached


def rows_of(runs: list[Run]) -> list[dict[str, Any]]:
    """The rows of all seeds that were run both ways."""
    by_way = {way: {run.seed: run for run in runs if run.way == way} for way in WAYS}
    seeds = sorted(by_way["active"].keys() & by_way["random"].keys())
    if not seeds:
        return []
    active, random = ([by_way[way][seed] for seed in seeds] for way in WAYS)
    ours, theirs = [run.final for run in active], [run.final for run in random]
    rows = [_row("accuracy at the end", ours, theirs, ours, is_at_least=True)]
    for name, in_whole_rounds in (("on lines", False), ("in whole rounds", True)):
        needed = [
            [votes_needed(each, pair[1].final, in_whole_rounds=in_whole_rounds) for each in pair]
            for pair in zip(active, random, strict=True)
        ]
        ours, theirs = ([pair[side] for pair in needed] for side in (0, 1))
        shares = [mine / peer for mine, peer in needed]
        rows.append(_row(f"votes for random's accuracy, {name}", ours, theirs, shares, is_at_least=False))
    return [{**row, "seeds": seeds} for row in rows]


def _row(name: str, ours: list[float], peer: list[float], figures: list[float], *, is_at_least: bool) -> dict[str, Any]:
    median = statistics.median(figures)
    target = ACCURACY if is_at_least else SHARE_OF_VOTES
    return {
        "name": name,
        "ours": statistics.median(ours),
        "peer": statistics.median(peer),
        "ratio": median,
        "median": median,
        "worst": min(figures) if is_at_least else max(figures),
        "target": target,
        "reached": median >= target if is_at_least else median <= target,
        "by_seed": figures,
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    columns = ("ours", "peer", "ratio", "median", "worst", "target")
    print(f"{'':46}{''.join(f'{name:>10}' for name in columns)}")
    for row in rows:
        print(
            f"{row['name']:46}{''.join(f'{row[name]:10.4g}' for name in columns)}  {'yes' if row['reached'] else 'NO'}"
        )


def write_json(path: Path, rows: list[dict[str, Any]], runs: list[Run]) -> None:
    """Write the rows and, last, the runs they come from; what is never reached is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        return None if isinstance(value, float) and math.isinf(value) else value

    written = [{key: plain(value) for key, value in row.items()} for row in rows]
    curves = [asdict(run) for run in sorted(runs, key=lambda run: (run.seed, run.way))]
    path.write_text(json.dumps([*written, {"name": "curves", "runs": curves}], indent=1) + "\n")


# -- the picture ------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 430, 62, 30, 58, 52
STYLE = """
  text { font: 13px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; fill: #1d1c1a; }
  .paper { fill: #fbfaf7; } .grid { stroke: #dcd8d0; } .small { fill: #5f5b54; }
  .active { stroke: #1d5c87; fill: #1d5c87; } .random { stroke: #8a5a83; fill: #8a5a83; }
  .goal { stroke: #a33c2e; fill: #a33c2e; }
  .line { fill: none; stroke-width: 2.5; } .one { fill: none; stroke-width: 1; opacity: 0.35; }
  .random.line, .goal.line { stroke-dasharray: 7 4; } .goal.line { stroke-width: 1; } .name { stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e9e7e2; } .paper { fill: #15171a; } .grid { stroke: #363a41; } .small { fill: #a8a59e; }
    .active { stroke: #7db7e0; fill: #7db7e0; } .random { stroke: #c79ac1; fill: #c79ac1; }
    .goal { stroke: #ee8d7d; fill: #ee8d7d; } .line, .one { fill: none; } .name { stroke: none; }
  }
"""


@dataclass(frozen=True, slots=True)
class Axes:
    """Where votes and accuracies stand in the picture; `floor` is the accuracy at the x axis."""

    floor: float

    def x(self, votes: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * votes / 1_400

    def y(self, accuracy: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - accuracy) / (1.0 - self.floor)

    def line(self, style: str, votes: Any, accuracy: Any) -> str:
        points = " ".join(f"{self.x(v):.1f},{self.y(a):.1f}" for v, a in zip(votes, accuracy, strict=True))
        return f'<polyline class="{style}" points="{points}"/>'


def median_curve(runs: list[Run]) -> tuple[list[int], list[float]]:
    """Votes, and the median accuracy of all runs after them: on straight lines, for runs' rounds differ in size."""
    start, end = max(run.votes[0] for run in runs), min(run.votes[-1] for run in runs)
    votes = sorted({each for run in runs for each in run.votes if start <= each <= end})
    return votes, [statistics.median(np.interp(each, run.votes, run.accuracy) for run in runs) for each in votes]


def draw(runs: list[Run]) -> str:
    """The accuracy over votes: a thin line for each run, a thick one for the median; readable in light and dark."""
    floor = math.floor(20 * min(min(run.accuracy) for run in runs)) / 20
    # While a class lacks labels there is no model: most items have no answer, and the curve comes in from below.
    axes = Axes(min(max(floor, 0.75), 0.9))
    parts = [f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6"/>', *_grid(axes)]
    parts.append(axes.line("goal line", (0, 1_400), (ACCURACY, ACCURACY)))
    shown = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
    parts.append(f'<clipPath id="axes"><rect {shown}/></clipPath>\n<g clip-path="url(#axes)">')
    for way in ("random", "active"):
        chosen = [run for run in runs if run.way == way]
        parts += [axes.line(f"{way} one", run.votes, run.accuracy) for run in chosen]
        parts.append(axes.line(f"{way} line", *median_curve(chosen)))
    parts.append("</g>")
    seeds = len({run.seed for run in runs})
    parts += _legend(seeds)
    title = f"Digits: accuracy of items outside gold over votes, active and random selection, {seeds} seeds"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _grid(axes: Axes) -> list[str]:
    bottom, parts = HEIGHT - BOTTOM, []
    step = 0.05 if 1.0 - axes.floor <= 0.3 else 0.1
    for number in range(round((1.0 - axes.floor) / step) + 1):
        y = axes.y(1.0 - number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="small" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{1 - number * step:.0%}</text>'
        )
    for votes in range(0, 1_401, 200):
        x = axes.x(votes)
        parts.append(f'<text class="small" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{votes:,}</text>')
    parts.append(f'<text class="small" x="{WIDTH - RIGHT}" y="{bottom + 40}" text-anchor="end">votes of people</text>')
    return parts


def _legend(seeds: int) -> list[str]:
    parts = ['<text x="20" y="26">Items outside gold that are right, by votes</text>']
    names = (("active", "Margin"), ("random", "Random"), ("goal", f"{ACCURACY:.0%}"))
    for place, (way, name) in enumerate(names):
        x = LEFT + 110 * place
        parts.append(f'<polyline class="{way} line" points="{x},44 {x + 26},44"/>')
        parts.append(f'<text x="{x + 32}" y="48">{name}</text>')
    note = "one seed" if seeds == 1 else f"thin: one run; thick: median of {seeds} seeds"
    parts.append(f'<text class="small" x="{WIDTH - RIGHT}" y="48" text-anchor="end">{note}</text>')
    return parts


# -- the bench --------------------------------------------------------------------------------------------------------


def run_all(seeds: tuple[int, ...], keep: Path, arguments: argparse.Namespace) -> list[Run]:
    """Play all runs, each in a process of its own; write what is known after each."""
    runs: list[Run] = []
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.processes, mp_context=context, max_tasks_per_child=1) as pool:
        futures = [pool.submit(play_one, way, seed, keep) for seed in seeds for way in WAYS]
        for future in as_completed(futures):
            run = future.result()
            runs.append(run)
            curve = ", ".join(f"{v} {a:.1%}" for v, a in zip(run.votes, run.accuracy, strict=True))
            spent = time.monotonic() - started
            print(
                f"{len(runs)}/{len(futures)} {run.way} {run.seed}: {curve} ({run.seconds:.0f} s; {spent:.0f} s in all)"
            )
            if arguments.json:
                write_json(arguments.json, rows_of(runs), runs)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows and the curves to this file")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="run the first so many of the ten seeds")
    parser.add_argument("--keep", type=Path, help="keep the folders of the runs there, and go on with those in it")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="draw the curves to this SVG file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-digits-") as folder:
        runs = run_all(SEEDS[: arguments.seeds], arguments.keep or Path(folder), arguments)
    rows = rows_of(runs)
    print_table(rows)
    arguments.picture.write_text(draw(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
