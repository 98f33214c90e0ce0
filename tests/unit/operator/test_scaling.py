from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scaled_queue import ScaledQueue

from labelplane_api.scaling import Scaling
from labelplane_operator.policies.scaling import (
    ASSUMED_SHARD_SECONDS,
    LOOK_AGAIN_SECONDS,
    Load,
    QueueDepth,
    Sample,
    ScalingDecision,
    ScalingReason,
    ScalingRules,
    decide_replicas,
    wanted_replicas,
)

RULES = ScalingRules(max_replicas=100, target_drain_seconds=300, up_window_seconds=0, down_window_seconds=120)
EMPTY = QueueDepth(ready=0, leased=0)

depths = st.builds(QueueDepth, ready=st.integers(0, 30_000), leased=st.integers(0, 400))
times = st.floats(0.01, 1000, allow_nan=False)


@st.composite
def rules(draw: st.DrawFn) -> ScalingRules:
    low = draw(st.integers(0, 50))
    return ScalingRules(
        min_replicas=low,
        max_replicas=draw(st.integers(max(low, 1), 500)),
        target_drain_seconds=draw(st.integers(1, 3600)),
        up_window_seconds=draw(st.sampled_from([0, 10, 60, 600])),
        down_window_seconds=draw(st.sampled_from([0, 30, 120, 3600])),
        step_seconds=draw(st.sampled_from([0, 15, 60])),
        up_factor=draw(st.sampled_from([1.0, 2.0, 10.0])),
        up_step=draw(st.integers(1, 50)),
        down_share=draw(st.sampled_from([0.1, 0.5, 1.0])),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[Sample, ...]:
    ages = sorted(draw(st.lists(st.floats(0, 4000, allow_nan=False), max_size=8)), reverse=True)
    return tuple(Sample(10_000 - age, draw(st.integers(0, 500)), draw(st.integers(0, 500))) for age in ages)


def decide(
    current: int, depth: QueueDepth | None, history: tuple[Sample, ...] = (), *, now: float, rules: ScalingRules = RULES
) -> ScalingDecision:
    return decide_replicas(Load(current, depth), rules, history, now_seconds=now)


# -- how many are wanted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "seconds", "want"),
    [
        pytest.param(EMPTY, 10.0, 0, id="an empty queue wants none"),
        pytest.param(QueueDepth(1, 0), 10.0, 1, id="one shard wants one worker"),
        pytest.param(QueueDepth(300, 0), 10.0, 10, id="300 shards of 10 s in 300 s want 10"),
        pytest.param(QueueDepth(280, 20), 10.0, 10, id="leased shards count as ready ones do"),
        pytest.param(QueueDepth(301, 0), 10.0, 11, id="a part of a worker is a worker"),
        pytest.param(QueueDepth(5, 0), 3600.0, 5, id="never more workers than shards"),
        pytest.param(QueueDepth(90_000, 0), 10.0, 100, id="never more than the most"),
        pytest.param(QueueDepth(30, 0), None, 1, id="an unmeasured shard is taken to need 10 s"),
        pytest.param(QueueDepth(30, 0), 0.0, 1, id="a shard that needs no time wants one worker all the same"),
    ],
)
def test_as_many_workers_are_wanted_as_drain_the_queue_in_time(
    depth: QueueDepth, seconds: float | None, want: int
) -> None:
    assert wanted_replicas(depth, RULES, seconds_per_shard=seconds) == want


def test_an_unmeasured_shard_counts_as_one_of_the_assumed_time() -> None:
    depth = QueueDepth(600, 0)
    assert wanted_replicas(depth, RULES) == wanted_replicas(depth, RULES, seconds_per_shard=ASSUMED_SHARD_SECONDS)


def test_the_rules_of_a_job_are_those_of_its_spec() -> None:
    scaling = Scaling.model_validate(
        {
            "minReplicas": 2,
            "maxReplicas": 30,
            "targetDrainSeconds": 60,
            "upWindowSeconds": 5,
            "downWindowSeconds": 7,
        }
    )
    found = ScalingRules.of(scaling)
    assert (found.min_replicas, found.max_replicas, found.target_drain_seconds) == (2, 30, 60)
    assert (found.up_window_seconds, found.down_window_seconds) == (5, 7)


# -- one decision -----------------------------------------------------------------------------------------------------

QUIET = (Sample(0, 20, 20),)
"""20 workers have been wanted and there for long."""


@pytest.mark.parametrize(
    ("current", "depth", "history", "rules", "want", "want_reason"),
    [
        pytest.param(0, QueueDepth(300, 0), (), RULES, 10, ScalingReason.DEPTH, id="a burst is answered at once"),
        pytest.param(0, EMPTY, (), RULES, 0, ScalingReason.DEPTH, id="nothing to do wants nobody"),
        pytest.param(0, QueueDepth(900, 0), (), RULES, 10, ScalingReason.STEP, id="a large burst comes in steps"),
        pytest.param(
            20, QueueDepth(580, 20), QUIET, RULES, 20, ScalingReason.DEPTH, id="as many as wanted stay as they are"
        ),
        pytest.param(
            0,
            QueueDepth(300, 0),
            (),
            replace(RULES, up_window_seconds=60),
            1,
            ScalingReason.WAKING,
            id="the first worker does not wait for the up window",
        ),
        pytest.param(
            20,
            QueueDepth(1500, 20),
            QUIET,
            replace(RULES, up_window_seconds=60),
            20,
            ScalingReason.UP_WINDOW,
            id="more wait for the up window",
        ),
        pytest.param(20, EMPTY, QUIET, RULES, 20, ScalingReason.DOWN_WINDOW, id="idle workers stay for the window"),
        pytest.param(
            20,
            EMPTY,
            (Sample(0, 20, 20), Sample(879, 0, 20)),
            RULES,
            10,
            ScalingReason.STEP,
            id="after the window half of them go",
        ),
        pytest.param(
            20,
            QueueDepth(0, 15),
            (Sample(0, 20, 20), Sample(879, 1, 20)),
            RULES,
            15,
            ScalingReason.BUSY,
            id="busy ones stay after the window",
        ),
        pytest.param(
            20,
            QueueDepth(0, 30),
            (Sample(0, 20, 20), Sample(879, 1, 20)),
            RULES,
            20,
            ScalingReason.BUSY,
            id="leases of pods that are being stopped call for no new ones",
        ),
        pytest.param(1, EMPTY, (Sample(0, 1, 1), Sample(879, 0, 1)), RULES, 0, ScalingReason.DEPTH, id="to zero"),
        pytest.param(
            3,
            EMPTY,
            (Sample(0, 2, 3),),
            replace(RULES, min_replicas=2),
            2,
            ScalingReason.BOUNDS,
            id="the fewest stay when nothing is to do",
        ),
        pytest.param(
            0,
            EMPTY,
            (),
            replace(RULES, min_replicas=40),
            40,
            ScalingReason.BOUNDS,
            id="the fewest come at once, without steps",
        ),
        pytest.param(
            20,
            QueueDepth(900, 20),
            QUIET,
            replace(RULES, max_replicas=5),
            5,
            ScalingReason.BOUNDS,
            id="a lower bound set by a person holds for busy workers too",
        ),
        pytest.param(7, None, QUIET, RULES, 7, ScalingReason.DEPTH_UNKNOWN, id="without a depth nothing changes"),
        pytest.param(
            7, None, (), replace(RULES, max_replicas=5), 5, ScalingReason.DEPTH_UNKNOWN, id="the bounds hold even then"
        ),
    ],
)
def test_one_decision(
    current: int,
    depth: QueueDepth | None,
    history: tuple[Sample, ...],
    rules: ScalingRules,
    want: int,
    want_reason: ScalingReason,
) -> None:
    found = decide(current, depth, history, now=1000.0, rules=rules)
    assert (found.replicas, found.reason) == (want, want_reason)
    assert str(want) in found.message


def test_a_suspended_job_has_no_worker_however_busy() -> None:
    load = Load(20, QueueDepth(1000, 20))
    found = decide_replicas(load, replace(RULES, min_replicas=3), QUIET, now_seconds=1000, is_suspended=True)
    assert (found.replicas, found.reason, found.history) == (0, ScalingReason.SUSPENDED, ())


def test_a_leader_without_history_removes_nobody_before_the_down_window_is_over() -> None:
    first = decide(20, EMPTY, now=1000)
    almost = decide(20, EMPTY, first.history, now=1119.9)
    after = decide(20, EMPTY, almost.history, now=1120)
    assert (first.replicas, almost.replicas, after.replicas) == (20, 20, 10)


def test_many_workers_come_step_by_step() -> None:
    history: tuple[Sample, ...] = ()
    current, numbers = 0, {}
    for now in range(40):
        found = decide(current, QueueDepth(900, 0), history, now=float(now))
        history, current = found.history, found.replicas
        numbers[now] = current
    assert [numbers[now] for now in (0, 14, 15, 29, 30, 39)] == [10, 10, 20, 20, 30, 30]


def test_an_outage_of_the_queue_starts_the_down_window_anew() -> None:
    idle = decide(20, EMPTY, now=1000)
    away = decide(20, None, idle.history, now=1110)
    back = decide(20, EMPTY, away.history, now=1115)
    assert decide(20, EMPTY, back.history, now=1130).replicas == 20
    assert decide(20, EMPTY, back.history, now=1236).replicas == 10


def test_the_history_does_not_grow_while_nothing_changes() -> None:
    found = decide(5, QueueDepth(150, 0), now=0)
    for step in range(1000):
        found = decide(5, QueueDepth(150 - step % 3, step % 3), found.history, now=2.0 * step)
    assert len(found.history) <= 2


# -- what always holds ------------------------------------------------------------------------------------------------


@given(current=st.integers(0, 500), depth=st.none() | depths, rules=rules(), history=histories(), seconds=times)
def test_the_number_is_always_inside_the_bounds(
    current: int, depth: QueueDepth | None, rules: ScalingRules, history: tuple[Sample, ...], seconds: float
) -> None:
    found = decide_replicas(Load(current, depth, seconds), rules, history, now_seconds=10_000)
    assert rules.min_replicas <= found.replicas <= rules.max_replicas


@given(
    current=st.integers(0, 500),
    depth=depths,
    more=depths,
    rules=rules(),
    history=histories(),
    seconds=times,
)
def test_a_deeper_queue_never_has_fewer_workers(
    current: int,
    depth: QueueDepth,
    more: QueueDepth,
    rules: ScalingRules,
    history: tuple[Sample, ...],
    seconds: float,
) -> None:
    deeper = QueueDepth(depth.ready + more.ready, depth.leased + more.leased)
    less, most = (
        decide_replicas(Load(current, each, seconds), rules, history, now_seconds=10_000).replicas
        for each in (depth, deeper)
    )
    assert less <= most


@given(current=st.integers(0, 500), depth=depths, rules=rules(), history=histories(), seconds=times)
def test_a_busy_worker_is_never_removed_but_by_the_upper_bound(
    current: int, depth: QueueDepth, rules: ScalingRules, history: tuple[Sample, ...], seconds: float
) -> None:
    found = decide_replicas(Load(current, depth, seconds), rules, history, now_seconds=10_000)
    assert found.replicas >= min(current, depth.leased, rules.max_replicas)


@given(
    gaps=st.lists(st.floats(0.1, 30), min_size=1, max_size=60),
    busy=st.lists(st.booleans(), min_size=60, max_size=60),
    window=st.sampled_from([0, 30, 120]),
)
def test_zero_comes_only_after_the_queue_was_empty_for_the_whole_window(
    gaps: list[float], busy: list[bool], window: float
) -> None:
    rules = replace(RULES, down_window_seconds=window)
    history: tuple[Sample, ...] = ()
    now, current, last_work = 0.0, 3, 0.0
    for gap, has_work in zip(gaps, busy, strict=False):
        now += gap
        depth = QueueDepth(1, 0) if has_work else EMPTY
        last_work = now if has_work else last_work
        found = decide(current, depth, history, now=now, rules=rules)
        assert found.replicas > 0 or now - last_work >= window or current == 0
        assert found.replicas > 0 or not has_work
        history, current = found.history, found.replicas


@given(burst=st.integers(1, 100_000), phase=st.floats(0, LOOK_AGAIN_SECONDS), rules=rules(), history=histories())
def test_from_a_burst_to_the_first_worker_wanted_it_takes_less_than_3_s(
    burst: int, phase: float, rules: ScalingRules, history: tuple[Sample, ...]
) -> None:
    came, now = 10_000 + phase, 10_000.0
    found = decide(0, EMPTY, history, now=now, rules=replace(rules, min_replicas=0))
    while found.replicas == 0:
        now += LOOK_AGAIN_SECONDS
        depth = QueueDepth(burst, 0) if now >= came else EMPTY
        found = decide(0, depth, found.history, now=now, rules=replace(rules, min_replicas=0))
    assert now - came < 3.0


@settings(max_examples=30)
@given(depths=st.lists(st.integers(0, 1200), min_size=80, max_size=80))
def test_workers_go_only_when_no_more_were_wanted_for_the_whole_window(depths: list[int]) -> None:
    history: tuple[Sample, ...] = ()
    current, wishes = 0, []
    for step, ready in enumerate(depths):
        now = 10.0 * step
        depth = QueueDepth(ready, 0)
        wishes.append((now, wanted_replicas(depth, RULES)))
        found = decide(current, depth, history, now=now)
        if found.replicas < current:
            assert found.replicas >= max(wish for at, wish in wishes if at > now - RULES.down_window_seconds)
        history, current = found.history, found.replicas


@pytest.mark.parametrize("period", [1, 5, 50], ids=lambda period: f"every {period * LOOK_AGAIN_SECONDS:.0f} s")
def test_a_depth_that_wavers_does_not_make_the_number_flap(period: int) -> None:
    history: tuple[Sample, ...] = ()
    current, numbers = 20, []
    for step in range(400):
        found = decide(
            current, QueueDepth(640 if step // period % 2 else 560, 0), history, now=LOOK_AGAIN_SECONDS * step
        )
        history, current = found.history, found.replicas
        numbers.append(current)
    assert set(numbers[2 * period :]) == {22}


# -- a queue that is worked on ----------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(
    shards=st.integers(1, 400),
    seconds=st.floats(2, 40),
    bursts=st.lists(st.tuples(st.floats(1, 900), st.integers(1, 200)), max_size=3),
    rules=rules(),
)
def test_every_queue_is_drained_and_then_left_with_the_fewest(
    shards: int, seconds: float, bursts: list[tuple[float, int]], rules: ScalingRules
) -> None:
    queue = ScaledQueue(rules, seconds_per_shard=seconds)
    queue.put(shards)
    for after, more in bursts:
        queue.run_for(after)
        queue.put(more)
    queue.run_until_drained()
    assert queue.done == shards + sum(more for _, more in bursts)
    assert queue.busy_removed == 0
    queue.run_for(rules.down_window_seconds + 12 * max(rules.step_seconds, 2.0) * max(1.0, 5 / rules.down_share))
    assert queue.replicas == rules.min_replicas
