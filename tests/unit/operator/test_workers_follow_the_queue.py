"""The number of scoring workers over several reconciles: from the queue to the Deployment, and what is remembered."""

from datetime import UTC, datetime

import pytest
from cluster_jobs import UID, in_bucket
from reconciled_world import KEY, ReconciledWorld

from labelplane_api.running import Profile
from labelplane_api.status import (
    LabelingJobStatus,
    ModelStatus,
    OperationStatus,
    PrepareStatus,
    RoundStatus,
    Stage,
    StageResult,
)
from labelplane_operator.kinds import DEPLOYMENT
from labelplane_operator.policies.keda import queue_subject

WORKERS = DEPLOYMENT.path("team-a", "digits-scoring-worker")
QUEUE = queue_subject("team-a", UID, "score")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def status_in(stage: Stage) -> LabelingJobStatus:
    return LabelingJobStatus(
        profile=Profile.DISTRIBUTED,
        prepare=PrepareStatus(
            items=1_000_000,
            finished_rounds=0,
            result=StageResult(request_id="digits/prepare/x", results={"index": "i"}),
        ),
        rounds=(RoundStatus(round=0, started_at=NOW),),
        model=ModelStatus(promoted="d", round=0, reference="models/d"),
        operation=OperationStatus(request_id=f"digits/0/{stage}/1", stage=stage, round=0, attempt=1),
    )


@pytest.fixture
def world() -> ReconciledWorld:
    """A job that scores, with an empty queue."""
    scaling = {"max_replicas": 50, "down_window_seconds": 120}
    made = ReconciledWorld(in_bucket().with_scaling(**scaling))
    made.make_job()
    come_to(made, Stage.SCORE)
    return made


def come_to(world: ReconciledWorld, stage: Stage) -> None:
    world.change_job(status=status_in(stage).model_dump(mode="json", by_alias=True, exclude_none=True))


async def workers(world: ReconciledWorld, *, after: float = 0.0) -> int:
    world.pass_time(after)
    await world.reconcile(KEY)
    return int(world.api.objects[WORKERS]["spec"]["replicas"])


async def test_workers_come_with_the_first_shards(world: ReconciledWorld) -> None:
    assert await workers(world) == 0
    world.depths.put(QUEUE, ready=300)
    assert await workers(world, after=2) == 10


async def test_idle_workers_go_after_the_window_and_busy_ones_stay(world: ReconciledWorld) -> None:
    world.depths.put(QUEUE, ready=300)
    await workers(world)
    world.depths.put(QUEUE, ready=0, leased=4)
    assert await workers(world, after=60) == 10
    assert await workers(world, after=100) == 10, "the window begins when fewer are wanted"
    assert await workers(world, after=25) == 5
    assert await workers(world, after=30) == 4, "four are busy"


async def test_a_queue_that_is_away_changes_nothing(world: ReconciledWorld) -> None:
    world.depths.put(QUEUE, ready=300)
    await workers(world)
    world.depths.is_away = True
    assert await workers(world, after=1000) == 10


async def test_a_new_leader_begins_a_new_window(world: ReconciledWorld) -> None:
    world.depths.put(QUEUE, ready=300)
    await workers(world)
    world.depths.put(QUEUE, ready=0)
    await workers(world, after=100)
    successor = ReconciledWorld(world.builder, api=world.api, depths=world.depths, now=world.now)
    successor.see()
    assert await workers(successor, after=30) == 10
    assert await workers(successor, after=121) == 5


async def test_when_the_stage_is_over_no_worker_stays(world: ReconciledWorld) -> None:
    world.depths.put(QUEUE, ready=300)
    await workers(world)
    come_to(world, Stage.SELECT)
    assert await workers(world) == 0
