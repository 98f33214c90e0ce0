"""How many workers a queue should have: by its depth, between bounds, never back and forth, and no busy one removed.

The work on the queue is `depth x seconds per shard`; so many workers are wanted that it is done in the time to drain.
Depth counts what is leased as well as what is ready: a busy worker is never invisible.

What was wanted is remembered as a step function of time. More workers come when more were wanted for the whole of the
up window, fewer stay when fewer were wanted for the whole of the down window, as a HorizontalPodAutoscaler stabilises.
docs/design/0009-scaling.md says how the defaults were found.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from labelplane_api.scaling import Scaling

__all__ = [
    "ASSUMED_SHARD_SECONDS",
    "LOOK_AGAIN_SECONDS",
    "Load",
    "QueueDepth",
    "Sample",
    "ScalingDecision",
    "ScalingReason",
    "ScalingRules",
    "decide_replicas",
    "wanted_replicas",
]

LOOK_AGAIN_SECONDS: Final = 2.0
"""How soon to decide again, so that a burst has its first worker wanted in under 3 s."""
ASSUMED_SHARD_SECONDS: Final = 10.0
"""Time that a shard is taken to need before one was measured: shards are sized for 5 to 20 s."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What is on a queue.

    Attributes:
        ready: shards that nobody works on.
        leased: shards that a worker holds.
    """

    ready: int
    leased: int

    @property
    def total(self) -> int:
        """Shards that are not done."""
        return self.ready + self.leased


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """What is set about the number of workers.

    Attributes:
        min_replicas: the fewest.
        max_replicas: the most.
        target_drain_seconds: in which the queue should be empty.
        up_window_seconds: how long more must be wanted before they come; the first worker never waits for it.
        down_window_seconds: how long fewer must be wanted before they go.
        step_seconds: the time over which the two steps count.
        up_factor: to how many times its size the number may grow in that time.
        up_step: by how many it may grow at least, so that a few become many soon.
        down_share: the share of it that may go in that time, at least one.
    """

    min_replicas: int = 0
    max_replicas: int = 10
    target_drain_seconds: float = 300.0
    up_window_seconds: float = 0.0
    down_window_seconds: float = 120.0
    step_seconds: float = 15.0
    up_factor: float = 2.0
    up_step: int = 10
    down_share: float = 0.5

    @classmethod
    def of(cls, scaling: Scaling) -> Self:
        """Return the rules that a job's `spec.scaling` sets."""
        return cls(
            min_replicas=scaling.min_replicas,
            max_replicas=scaling.max_replicas,
            target_drain_seconds=scaling.target_drain_seconds,
            up_window_seconds=scaling.up_window_seconds,
            down_window_seconds=scaling.down_window_seconds,
        )

    @property
    def memory_seconds(self) -> float:
        """How far back a decision looks."""
        return max(self.up_window_seconds, self.down_window_seconds, self.step_seconds)


@dataclass(frozen=True, slots=True)
class Load:
    """What a decision is about.

    Attributes:
        current: the replicas that stand in the Deployment now.
        depth: of the queue; None while the queue cannot be asked.
        seconds_per_shard: what a worker needs for a shard, as measured; None before one is done.
    """

    current: int
    depth: QueueDepth | None
    seconds_per_shard: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What held from a moment on until the next sample.

    Attributes:
        at_seconds: by a monotonic clock.
        wanted: workers that the depth asked for, within the bounds.
        replicas: workers that were decided.
    """

    at_seconds: float
    wanted: int
    replicas: int


class ScalingReason(StrEnum):
    """What decided the number."""

    DEPTH = "Depth"
    WAKING = "Waking"
    UP_WINDOW = "UpWindow"
    DOWN_WINDOW = "DownWindow"
    STEP = "Step"
    BUSY = "BusyWorkers"
    BOUNDS = "Bounds"
    DEPTH_UNKNOWN = "DepthUnknown"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """How many workers there should be, and why.

    Attributes:
        replicas: the number.
        reason: what decided it.
        message: the same in words.
        history: to pass in the next time.
    """

    replicas: int
    reason: ScalingReason
    message: str
    history: tuple[Sample, ...] = ()


def wanted_replicas(depth: QueueDepth, rules: ScalingRules, *, seconds_per_shard: float | None = None) -> int:
    """Return how many workers empty the queue in the target time, at most one a shard, within the bounds."""
    return _bounded(_needed(depth, rules, seconds_per_shard), rules)


def decide_replicas(
    load: Load,
    rules: ScalingRules,
    history: Sequence[Sample],
    *,
    now_seconds: float,
    is_suspended: bool = False,
) -> ScalingDecision:
    """Return how many workers there should be now. Pure: the same arguments give the same decision.

    The bounds always hold. Without history, as after a change of leader, the present number counts as wanted until
    now, so nothing is removed before the down window is over.

    Args:
        load: the queue and its workers.
        rules: what is set.
        history: of the decision before; empty at first.
        now_seconds: of a monotonic clock, never before the last sample.
        is_suspended: none should run, busy or not.
    """
    if is_suspended:
        return ScalingDecision(0, ScalingReason.SUSPENDED, "the job is suspended")
    history = history or (Sample(now_seconds, load.current, load.current),)
    if load.depth is None:
        replicas = _bounded(load.current, rules)
        samples = _remembered(history, Sample(now_seconds, load.current, replicas), rules)
        message = f"{replicas:,} of {load.current:,} workers stay: the queue cannot be asked for its depth"
        return ScalingDecision(replicas, ScalingReason.DEPTH_UNKNOWN, message, samples)
    needed = _needed(load.depth, rules, load.seconds_per_shard)
    wanted = _bounded(needed, rules)
    samples = _remembered(history, Sample(now_seconds, wanted, load.current), rules)
    chosen, reason = _chosen(load.current, load.depth, rules, samples, now_seconds=now_seconds)
    replicas = _bounded(chosen, rules)
    if replicas != chosen or replicas == wanted != needed:
        reason = ScalingReason.BOUNDS
    message = (
        f"{load.depth.ready:,} shards ready and {load.depth.leased:,} leased want {wanted:,} workers: "
        f"{replicas:,} of {load.current:,} ({_WHY[reason]})"
    )
    return ScalingDecision(
        replicas, reason, message, _remembered(history, Sample(now_seconds, wanted, replicas), rules)
    )


_WHY: Final = {
    ScalingReason.DEPTH: "by depth",
    ScalingReason.WAKING: "the first worker waits for nothing",
    ScalingReason.UP_WINDOW: "more were not wanted for the whole up window",
    ScalingReason.DOWN_WINDOW: "more were wanted inside the down window",
    ScalingReason.STEP: "the rest follows step by step",
    ScalingReason.BUSY: "the others are busy",
    ScalingReason.BOUNDS: "by the bounds",
}


# -- the number -------------------------------------------------------------------------------------------------------


def _chosen(
    current: int, depth: QueueDepth, rules: ScalingRules, samples: Sequence[Sample], *, now_seconds: float
) -> tuple[int, ScalingReason]:
    """Return the number before the bounds; both windows hold the present wish, so only one of them can move it."""
    wanted = samples[-1].wanted
    up = min(each.wanted for each in _within(samples, now_seconds - rules.up_window_seconds))
    down = max(each.wanted for each in _within(samples, now_seconds - rules.down_window_seconds))
    recent = [each.replicas for each in _within(samples, now_seconds - rules.step_seconds)]
    if up > current:
        return _raised(current, up, highest=_highest(min(recent), rules))
    if wanted > current:
        return (1, ScalingReason.WAKING) if current == 0 else (current, ScalingReason.UP_WINDOW)
    if down < current:
        return _lowered(current, down, depth, lowest=_lowest(max(recent), rules))
    return current, ScalingReason.DEPTH if wanted == current else ScalingReason.DOWN_WINDOW


def _needed(depth: QueueDepth, rules: ScalingRules, seconds_per_shard: float | None) -> int:
    """Return how many workers the depth asks for, whatever the bounds are."""
    seconds = ASSUMED_SHARD_SECONDS if seconds_per_shard is None else seconds_per_shard
    return min(max(math.ceil(depth.total * seconds / rules.target_drain_seconds), 1), depth.total)


def _raised(current: int, up: int, *, highest: int) -> tuple[int, ScalingReason]:
    # What came in the step already is not taken back.
    return (max(current, highest), ScalingReason.STEP) if up > highest else (up, ScalingReason.DEPTH)


def _lowered(current: int, down: int, depth: QueueDepth, *, lowest: int) -> tuple[int, ScalingReason]:
    limits = ((down, ScalingReason.DEPTH), (lowest, ScalingReason.STEP), (depth.leased, ScalingReason.BUSY))
    replicas, reason = max(limits, key=lambda limit: limit[0])
    # Pods that are being stopped may hold leases too.
    return min(replicas, current), reason


def _highest(replicas: int, rules: ScalingRules) -> int:
    return max(math.floor(replicas * rules.up_factor), replicas + rules.up_step)


def _lowest(replicas: int, rules: ScalingRules) -> int:
    return replicas - max(1, math.floor(replicas * rules.down_share))


def _bounded(replicas: int, rules: ScalingRules) -> int:
    return min(max(replicas, rules.min_replicas), rules.max_replicas)


# -- the history ------------------------------------------------------------------------------------------------------


def _remembered(history: Sequence[Sample], now: Sample, rules: ScalingRules) -> tuple[Sample, ...]:
    """Return the history with the present, without what no window reaches."""
    last = history[-1]
    is_same = (last.wanted, last.replicas) == (now.wanted, now.replicas)
    samples = history if is_same else (*history, now)
    return tuple(_within(samples, now.at_seconds - rules.memory_seconds))


def _within(samples: Sequence[Sample], since_seconds: float) -> Iterator[Sample]:
    """Return what held at some moment since then: each sample holds until the next."""
    ends = (*(each.at_seconds for each in samples[1:]), math.inf)
    return (each for each, end in zip(samples, ends, strict=True) if end > since_seconds)
