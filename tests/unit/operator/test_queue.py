"""A job whose pods wait until their queue admits them."""

from dataclasses import replace

from job_builder import make_cluster_job
from planned_world import CLUSTER, START, PlannedWorld

from labelplane_api.conditions import ConditionType
from labelplane_api.status import Stage
from labelplane_operator.observed import Observed, OperationState, OperationView, Problem
from labelplane_operator.plan import AWAITING_SECONDS
from labelplane_operator.policies.deadlines import worked_seconds

JOB = make_cluster_job().having("spec.scheduling", {"queueName": "team-a"}).with_run(active_deadline_seconds=600)
QUEUED = Problem("NotAdmitted", "pod digits-7 waits for LocalQueue team-a to admit it")
WAITS = Observed(unavailable="no pod is ready", problem=QUEUED)


def queued() -> PlannedWorld:
    world = PlannedWorld(JOB.build(), installation=CLUSTER)
    world.reach(Stage.TRAIN, 1)
    world.step(WAITS)
    return world


def test_job_that_waits_for_its_queue_says_so_and_warns_nobody() -> None:
    world = queued()

    assert world.condition(ConditionType.PROGRESSING) == ("False", "NotAdmitted", QUEUED.message)
    (event,) = (each for each in world.events if each.reason == "NotAdmitted")
    assert not event.is_warning
    assert world.job.status.stage == "Train"
    assert world.plan is not None
    assert world.plan.parts
    assert world.plan.start is not None


def test_waiting_for_the_queue_is_no_work() -> None:
    world = queued()
    worked = worked_seconds(world.job.status, now=world.now)
    for _ in range(400):
        world.step(WAITS)
        world.wait(600)

    assert worked_seconds(world.job.status, now=world.now) == worked < 60
    assert len([each for each in world.events if each.reason == "NotAdmitted"]) == 1


def test_job_in_a_queue_is_not_looked_at_by_its_standing_clock() -> None:
    world = queued()
    running = world.job.status.operation
    assert running is not None
    world.step(Observed(operation=OperationView(running.request_id, OperationState.RUNNING, started=START)))
    world.wait(500)

    plan = world.step(replace(WAITS, awaits_pods=True))

    assert plan.requeue_after_seconds == AWAITING_SECONDS


def test_job_goes_on_by_itself_once_it_is_admitted_and_its_clock_too() -> None:
    world = queued()
    world.wait(100_000)
    named = world.job.status.operation
    assert named is not None
    running = Observed(operation=OperationView(named.request_id, OperationState.RUNNING, started=START))

    world.step(running)

    assert world.condition(ConditionType.PROGRESSING)[:2] == ("True", "StageRunning")
    world.wait(700)
    world.step(running)
    assert world.condition(ConditionType.FAILED)[1] == "DeadlineExceeded"


def test_stage_that_runs_while_more_pods_are_in_the_queue_gets_on() -> None:
    world = queued()
    named = world.job.status.operation
    assert named is not None
    view = OperationView(named.request_id, OperationState.RUNNING, started=START)

    world.step(Observed(operation=view, problem=QUEUED))
    assert world.condition(ConditionType.PROGRESSING)[:2] == ("True", "StageRunning")
    world.step(Observed(operation=view, problem=Problem("CrashLoop", "a worker crashes")))
    assert world.condition(ConditionType.PROGRESSING)[:2] == ("False", "CrashLoop")
