from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from simulated_cluster import ClusterSettings, Scaler, simulate
from simulated_rounds import SimulatedRound, make_rounds
from simulated_scalers import fixed, policy, ready_only

from labelplane_operator.policies.scaling import ScalingRules

RULES = ScalingRules(max_replicas=60)
STORMY = ClusterSettings(nodes=60, spot_hours=0.3, storms=((600.0, 0.5), (1500.0, 0.5)))


@pytest.fixture(scope="module")
def rounds() -> Sequence[SimulatedRound]:
    return make_rounds(np.random.default_rng(3), items=6_000_000, jobs=8, hours=1.0)


def test_the_same_seed_gives_the_same_run(rounds: Sequence[SimulatedRound]) -> None:
    first, second = (simulate(rounds, policy(RULES), STORMY, seed=5) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "scaler",
    [
        pytest.param(policy(RULES), id="by the policy"),
        pytest.param(ready_only(RULES), id="without leased shards"),
        pytest.param(fixed(7), id="a fixed number"),
    ],
)
def test_every_shard_is_done_once_however_many_nodes_are_reclaimed(
    rounds: Sequence[SimulatedRound], scaler: Callable[[], Scaler]
) -> None:
    found = simulate(rounds, scaler, STORMY, seed=5)
    assert found.shards == sum(each.shards for each in rounds)
    assert len(found.round_seconds) == len(rounds)
    assert found.reclaimed > 10


def test_nothing_is_ever_more_than_there_is(rounds: Sequence[SimulatedRound]) -> None:
    found = simulate(rounds, policy(RULES), STORMY, seed=5)
    assert all(0 <= moment.busy <= STORMY.nodes and moment.nodes <= STORMY.nodes for moment in found.moments)
    assert 0 < found.useful_seconds + found.wasted_seconds <= found.paid_seconds


def test_the_policy_stops_no_busy_worker_and_one_that_is_blind_for_leases_does(
    rounds: Sequence[SimulatedRound],
) -> None:
    assert simulate(rounds, policy(RULES), STORMY, seed=5).busy_removed == 0
    assert simulate(rounds, ready_only(RULES), STORMY, seed=5).busy_removed > 0


def test_more_time_to_drain_costs_fewer_nodes_and_more_time(rounds: Sequence[SimulatedRound]) -> None:
    found = [
        simulate(rounds, policy(ScalingRules(max_replicas=60, target_drain_seconds=seconds)), ClusterSettings(), seed=5)
        for seconds in (120, 600, 3000)
    ]
    assert all(one.node_hours > other.node_hours for one, other in pairwise(found))
    assert all(sum(one.round_seconds) < sum(other.round_seconds) for one, other in pairwise(found))
