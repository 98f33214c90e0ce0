"""How many scoring workers run: by the depth of their queue, from the policy to the Deployment."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cluster_jobs import ALL_PARTS, UID, in_bucket
from job_builder import make_job
from planned_world import PlannedWorld
from prometheus_client import CollectorRegistry, generate_latest
from reconciled_world import ReconciledWorld

from labelplane_api import LabelingJob
from labelplane_api.conditions import ConditionType
from labelplane_api.parts import Part
from labelplane_api.running import Profile
from labelplane_api.status import OperationStatus, Stage
from labelplane_operator.errors import QueueAway
from labelplane_operator.metrics import OperatorMetrics
from labelplane_operator.observe import Observer
from labelplane_operator.observed import Observed, OperationState, ScalingMemory
from labelplane_operator.plan import Plan
from labelplane_operator.policies.scaling import QueueDepth
from labelplane_operator.policies.worker_count import WorkerCount, decide_workers

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORKERS = "/apis/apps/v1/namespaces/team-a/deployments/digits-scoring-worker"


class PlayedDepths:
    """A queue of a depth, or one that is away."""

    def __init__(self, depth: QueueDepth | None) -> None:
        self.depth_ = depth
        self.asked: list[str] = []

    async def depth(self, subject: str) -> QueueDepth:
        self.asked.append(subject)
        if self.depth_ is None:
            raise QueueAway("NATS does not answer")
        return self.depth_


def distributed_job(
    stage: Stage = Stage.SCORE, profile: Profile = Profile.DISTRIBUTED, scaling: dict[str, Any] | None = None
) -> LabelingJob:
    job = in_bucket().with_uid(UID).with_scaling(**(scaling or {})).build()
    named = OperationStatus(stage=stage, round=1, attempt=1, request_id=f"digits/1/{stage.lower()}/1")
    return job.with_status(job.status.model_copy(update={"profile": profile, "operation": named}))


@pytest.mark.parametrize(
    ("ready", "leased", "current", "bounds", "want"),
    [
        pytest.param(0, 0, 0, (0, 10), 0, id="nothing to do"),
        pytest.param(0, 0, 0, (2, 10), 2, id="nothing to do, and some are always wanted"),
        pytest.param(1, 0, 0, (0, 10), 1, id="one shard"),
        pytest.param(90, 0, 0, (0, 10), 3, id="as many as empty it in 300 s, at 10 s a shard"),
        pytest.param(90_000, 0, 0, (0, 10), 10, id="the most"),
        pytest.param(0, 7, 7, (0, 10), 7, id="whoever is busy stays"),
        pytest.param(0, 17, 17, (0, 10), 10, id="busy ones above a bound that was lowered"),
    ],
)
def test_workers_follow_what_is_ready_and_leased(
    ready: int, leased: int, current: int, bounds: tuple[int, int], want: int
) -> None:
    job = distributed_job(scaling={"min_replicas": bounds[0], "max_replicas": bounds[1]})
    seen = Observed(queue=QueueDepth(ready, leased), workers=current)
    assert _replicas(decide_workers(job, job.status, seen, now=NOW)) == want


def test_depth_that_is_not_known_leaves_the_workers_there_are() -> None:
    job = distributed_job()
    assert _replicas(decide_workers(job, job.status, Observed(workers=4), now=NOW)) == 4


def _replicas(count: WorkerCount | None) -> int | None:
    return None if count is None else count.replicas


@pytest.mark.parametrize(
    ("job", "depth", "want"),
    [
        pytest.param(distributed_job(), QueueDepth(3, 1), QueueDepth(3, 1), id="scores"),
        pytest.param(distributed_job(), None, None, id="the queue is away"),
        pytest.param(distributed_job(Stage.TRAIN), QueueDepth(3, 1), None, id="trains"),
        pytest.param(distributed_job(profile=Profile.SMALL), QueueDepth(3, 1), None, id="one pod"),
    ],
)
async def test_depth_is_read_while_items_are_scored_by_workers(
    job: LabelingJob, depth: QueueDepth | None, want: QueueDepth | None
) -> None:
    world, depths = ReconciledWorld(), PlayedDepths(depth)
    seen = await Observer(world.kube, world.cache, world.services, depths=depths).observe(job)

    assert seen.queue == want
    assert set(depths.asked) <= {f"labelplane.team-a.{UID}.score"}


@pytest.mark.parametrize(
    ("observed", "want_workers", "want_reason"),
    [
        pytest.param({"queue": QueueDepth(40, 2)}, 2, "StageRunning", id="known"),
        pytest.param({"unavailable": "NATS does not answer", "workers": 4}, 4, "DependencyUnavailable", id="away"),
    ],
)
def test_queue_that_is_away_is_told_and_changes_no_number(
    observed: dict[str, Any], want_workers: int | None, want_reason: str
) -> None:
    world = PlannedWorld(make_job().build())
    world.reach(Stage.SCORE, 1)
    world.job = world.job.with_status(world.job.status.model_copy(update={"profile": Profile.DISTRIBUTED}))
    seen = world.observe()
    assert seen.operation is not None
    running = replace(seen.operation, state=OperationState.RUNNING)

    plan = world.step(replace(seen, operation=running, **observed))

    assert (_replicas(plan.workers), world.condition(ConditionType.PROGRESSING)[1]) == (want_workers, want_reason)


def test_depth_is_a_metric_while_it_is_known() -> None:
    registry = CollectorRegistry()
    metrics = OperatorMetrics(registry)
    metrics.queue_seen("team-a", "digits", QueueDepth(40, 2))
    shown = generate_latest(registry).decode()
    metrics.queue_seen("team-a", "digits", None)
    metrics.queue_seen("team-a", "digits", None)

    assert 'labelplane_job_queue_depth{job="digits",namespace="team-a",state="ready"} 40.0' in shown
    assert 'labelplane_job_queue_depth{job="digits",namespace="team-a",state="leased"} 2.0' in shown
    assert "queue_depth{" not in generate_latest(registry).decode()


async def test_workers_come_and_go_and_stay_when_nobody_knows_how_many_are_wanted() -> None:
    world, job = ReconciledWorld(), distributed_job()
    world.make_job()
    replicas = []
    for workers, parts in (
        (None, ALL_PARTS),
        (3, ALL_PARTS),
        (None, ALL_PARTS),
        (None, ALL_PARTS - {Part.SCORING_WORKER}),
    ):
        count = None if workers is None else WorkerCount(workers, "", ScalingMemory())
        await world.actor.act(job, Plan(job.status, parts=parts, workers=count))
        world.see()
        replicas.append(world.api.objects[WORKERS]["spec"]["replicas"])

    assert replicas == [0, 3, 3, 0]
