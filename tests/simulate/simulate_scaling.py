"""`make simulate`: plays 100 million items on 1,000 nodes through the scaling policy, and tries a grid of settings.

Writes a table and a picture for docs/scaling.md. The same seed writes the same files.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from simulated_cluster import ClusterSettings, Outcome, Scaler, simulate
from simulated_picture import Point, draw
from simulated_rounds import SimulatedRound, make_rounds
from simulated_scalers import fixed, policy, ready_only

from labelplane_api.scaling import Scaling
from labelplane_operator.policies.scaling import ScalingRules

ROOT: Final = Path(__file__).resolve().parents[2]
WAITING_NODE_HOURS: Final = 10.0
"""Node-hours that an hour of waiting for a round is taken to be worth: about what a person costs against spot nodes."""
MOST_WORKERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """A setting and what it came to, over all seeds.

    Attributes:
        rules: the setting; None where the policy does not scale.
        node_hours: paid, in the mean of the seeds.
        waiting_hours: over all rounds.
        utilisation: share of the paid time that was work.
        slow_seconds: the time in which 95 of 100 rounds are done.
        busy_removed: busy workers that were stopped, over all seeds.
    """

    name: str
    rules: ScalingRules | None
    node_hours: float
    waiting_hours: float
    utilisation: float
    slow_seconds: float
    busy_removed: int

    @property
    def cost(self) -> float:
        """Node-hours, with the waiting at its worth in them."""
        return self.node_hours + WAITING_NODE_HOURS * self.waiting_hours


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--seeds", type=int, default=2, help="how many worlds each setting meets")
    words.add_argument("--items", type=int, default=100_000_000)
    words.add_argument("--jobs", type=int, default=60)
    words.add_argument("--hours", type=float, default=3.0)
    words.add_argument("--nodes", type=int, default=1000)
    words.add_argument("--processes", type=int, default=1)
    words.add_argument("--table", type=Path, default=ROOT / "docs/scaling-simulation.md")
    words.add_argument("--picture", type=Path, default=ROOT / "docs/images/scaling.svg")
    given = words.parse_args()
    world = World(given.seed, given.seeds, given.items, given.jobs, given.hours, given.nodes)
    grid = list(_grid())
    with ProcessPoolExecutor(given.processes) as pool:
        results = list(pool.map(world.try_rules, grid, chunksize=4))
    best = min(results, key=lambda result: result.cost)
    default = world.try_rules(_rules(Scaling()))
    rivals = [world.try_scaler(name, scaler) for name, scaler in _rivals()]
    given.table.write_text(_table(world, results, default, rivals))
    shown = world.play(0, policy(_rules(Scaling())))
    points = [_point(each, is_default=False) for each in results] + [_point(default, is_default=True)]
    given.picture.write_text(draw(shown, points, nodes=given.nodes))
    print(f"best: {best.name}\ndefaults: {default.name}\ncost {best.cost:.1f} and {default.cost:.1f} node-hours")


@dataclass(frozen=True, slots=True)
class World:
    """What every setting meets."""

    seed: int
    seeds: int
    items: int
    jobs: int
    hours: float
    nodes: int

    def rounds(self, number: int) -> Sequence[SimulatedRound]:
        generator = np.random.default_rng([self.seed, number])
        return make_rounds(generator, items=self.items, jobs=self.jobs, hours=self.hours)

    def play(self, number: int, scaler: Callable[[], Scaler]) -> Outcome:
        settings = ClusterSettings(nodes=self.nodes)
        return simulate(self.rounds(number), scaler, settings, seed=self.seed + number)

    def try_rules(self, rules: ScalingRules) -> Result:
        return self._result(_name(rules), rules, policy(rules))

    def try_scaler(self, name: str, scaler: Callable[[], Scaler]) -> Result:
        return self._result(name, None, scaler)

    def _result(self, name: str, rules: ScalingRules | None, scaler: Callable[[], Scaler]) -> Result:
        outcomes = [self.play(number, scaler) for number in range(self.seeds)]
        seconds = [each for outcome in outcomes for each in outcome.round_seconds]
        return Result(
            name,
            rules,
            node_hours=float(np.mean([each.node_hours for each in outcomes])),
            waiting_hours=sum(seconds) / 3600 / len(outcomes),
            utilisation=float(np.mean([each.utilisation for each in outcomes])),
            slow_seconds=float(np.percentile(seconds, 95)),
            busy_removed=sum(each.busy_removed for each in outcomes),
        )


_TARGETS: Final = (150, 300, 450, 600)
_UP_WINDOWS: Final = (0, 30)
_DOWN_WINDOWS: Final = (0, 60, 120, 300)
_STEPS: Final = ((2.0, 10), (1000.0, 1000))


def _grid() -> Iterator[ScalingRules]:
    grid = itertools.product(_TARGETS, _UP_WINDOWS, _DOWN_WINDOWS, _STEPS)
    for target, up_window, down_window, (factor, step) in grid:
        yield ScalingRules(
            max_replicas=MOST_WORKERS,
            target_drain_seconds=target,
            up_window_seconds=up_window,
            down_window_seconds=down_window,
            up_factor=factor,
            up_step=step,
        )


def _rules(scaling: Scaling) -> ScalingRules:
    return ScalingRules.of(scaling.model_copy(update={"max_replicas": MOST_WORKERS}))


def _rivals() -> Iterator[tuple[str, Callable[[], Scaler]]]:
    rules = _rules(Scaling())
    yield "the same, leased shards not counted", ready_only(rules)
    yield "10 workers a round", fixed(10)
    yield "100 workers a round", fixed(100)


def _name(rules: ScalingRules) -> str:
    step = "at once" if rules.up_factor >= MOST_WORKERS else f"×{rules.up_factor:g} or +{rules.up_step}"
    return f"{rules.target_drain_seconds:g} | {rules.up_window_seconds:g} | {rules.down_window_seconds:g} | {step}"


def _point(result: Result, *, is_default: bool) -> Point:
    return Point(result.node_hours, result.slow_seconds, is_default)


# -- the table --------------------------------------------------------------------------------------------------------


def _table(world: World, results: Sequence[Result], default: Result, rivals: Sequence[Result]) -> str:
    ordered = sorted(results, key=lambda result: result.cost)
    lines = [
        "# Scaling: what the simulation found",
        "",
        _about(world, settings=len(results)),
        "",
        *_head("", *_RULES, *_FIGURES),
        _row("**default** ", default),
        *(_row(f"{place} ", result) for place, result in enumerate(ordered[:10], 1)),
        _row("last ", ordered[-1]),
        "",
        "## One setting changed, the others as by default",
        "",
        *_head("", *_RULES, *_FIGURES),
        *(_row("", result) for result in results if _differences(result, default) == 1),
        "",
        "## Other ways to scale",
        "",
        *_head("who scales", *_FIGURES),
        *(f"| {each.name} | {_figures(each)} |" for each in rivals),
        "",
    ]
    return "\n".join(lines)


def _about(world: World, *, settings: int) -> str:
    return (
        f"Written by `make simulate` (seed {world.seed}): {world.items:,} items in {world.jobs} rounds over "
        f"{world.hours:g} hours, at most {world.nodes:,} spot nodes, {world.seeds} worlds a setting, {settings} "
        f"settings. Cost = node-hours + {WAITING_NODE_HOURS:g} × hours of waiting, over all rounds. "
        "[0009](design/0009-scaling.md) says what follows."
    )


_RULES: Final = ("target drain s", "up window s", "down window s", "growth in 15 s")
_FIGURES: Final = ("node-hours", "utilisation", "95 of 100 rounds done in", "cost", "busy workers stopped")


def _head(*names: str) -> tuple[str, str]:
    return f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"


def _row(name: str, result: Result) -> str:
    return f"| {name}| {result.name} | {_figures(result)} |"


def _figures(result: Result) -> str:
    return (
        f"{result.node_hours:.1f} | {result.utilisation:.1%} | {result.slow_seconds:,.0f} s | {result.cost:.1f} | "
        f"{result.busy_removed:,}"
    )


def _differences(result: Result, other: Result) -> int:
    pairs = zip(result.name.split(" | "), other.name.split(" | "), strict=True)
    return sum(one != another for one, another in pairs)


if __name__ == "__main__":
    main()
