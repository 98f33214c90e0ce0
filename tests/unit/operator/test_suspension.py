"""`run.suspend`: nothing runs, nothing is lost, and the job goes on where it stood."""

import pytest
from job_builder import make_cluster_job
from planned_world import CLUSTER, PlannedWorld

from labelplane_api.conditions import ConditionType
from labelplane_api.status import Stage
from labelplane_operator.observed import Observed, OperationState, OperationView

JOB = make_cluster_job()


def world() -> PlannedWorld:
    return PlannedWorld(JOB.build(), installation=CLUSTER)


def test_job_that_begins_suspended_starts_nothing_and_has_not_begun() -> None:
    held = PlannedWorld(JOB.suspended().build(), installation=CLUSTER)

    plan = held.play()

    assert (plan.start, plan.parts, held.started) == (None, frozenset(), [])
    assert held.condition(ConditionType.SUSPENDED)[:2] == ("True", "SuspendedByUser")
    assert held.condition(ConditionType.PROGRESSING)[:2] == ("False", "SuspendedByUser")
    assert held.condition(ConditionType.ACCEPTED)[0] == "True"
    assert (held.job.status.stage, held.job.status.started_at) == ("Suspended", None)


def test_suspended_job_is_left_alone_until_its_spec_changes() -> None:
    held = world()
    held.reach(Stage.AGGREGATE, 1)
    held.change(JOB.suspended())
    held.step(Observed())
    before = held.job.status
    held.wait(3600)

    plan = held.step(Observed())

    assert plan.status == before
    assert plan.requeue_after_seconds is None
    assert plan.events == ()


@pytest.mark.parametrize(
    ("stage", "number"), [("Prepare", 0), ("Vote", 0), ("Train", 1), ("Score", 1), ("Select", 1), ("Finalize", 2)]
)
def test_running_stage_is_started_again_under_its_id_after(stage: str, number: int) -> None:
    held = world()
    plan = held.reach(Stage(stage), number)
    assert plan.start is not None
    held.change(JOB.suspended())
    held.step(Observed())
    held.change(JOB.with_run(suspend=False).having("metadata.finalizers", ["somebody/else"]))

    again = held.step(Observed(unavailable="the pods are coming"))

    assert again.start is not None
    assert again.start.request_id == plan.start.request_id
    assert again.start.message == plan.start.message
    assert held.condition(ConditionType.SUSPENDED)[:2] == ("False", "Resumed")
    held.play()
    undisturbed = world()
    undisturbed.play()
    assert held.stages() == undisturbed.stages()


def test_stage_that_ended_before_its_pod_went_is_kept() -> None:
    held = world()
    plan = held.reach(Stage.AGGREGATE, 0)
    assert plan.start is not None
    held.change(JOB.suspended())

    held.step(Observed(operation=held.operations[plan.start.request_id]))

    assert "Aggregate" in held.job.status.rounds[0].stages
    assert held.job.status.operation is None


def test_job_suspended_while_people_vote_waits_on_after() -> None:
    held = PlannedWorld(JOB.build(), installation=CLUSTER, people_answer=False)
    held.reach(Stage.REVIEW)
    held.step()
    held.change(JOB.suspended())
    assert held.step(Observed()).parts == frozenset()
    assert held.job.status.stage == "Suspended"
    held.change(JOB)

    held.step()

    assert held.job.status.stage == "Waiting"
    assert held.condition(ConditionType.WAITING_FOR_ANNOTATIONS)[:2] == ("True", "VotesMissing")


def test_failure_seen_while_suspended_is_not_forgotten() -> None:
    held = world()
    plan = held.reach(Stage.AGGREGATE, 0)
    assert plan.start is not None
    held.change(JOB.suspended())

    held.step(Observed(operation=OperationView(plan.start.request_id, OperationState.CANCELLED)))

    assert held.job.status.operation is not None
    assert held.job.status.operation.attempt == 2
    assert held.condition(ConditionType.SUSPENDED)[0] == "True"


def test_finished_job_stays_finished() -> None:
    held = world()
    held.play()
    held.change(JOB.suspended())

    held.step()

    assert held.job.status.stage == "Complete"


def test_suspending_and_resuming_are_told_once_each() -> None:
    held = world()
    held.reach(Stage.AGGREGATE, 0)
    for builder in (JOB.suspended(), JOB):
        held.change(builder)
        for _ in range(3):
            held.step(Observed())

    told = [(event.reason, event.is_warning) for event in held.events if event.message.startswith("Suspended")]
    assert told == [("SuspendedByUser", False), ("Resumed", False)]


def test_nothing_of_an_undisturbed_run_and_of_a_pause_is_a_warning() -> None:
    held = world()
    held.reach(Stage.AGGREGATE, 0)
    for builder in (JOB.suspended(), JOB):
        held.change(builder)
        held.step(Observed())
    held.play()

    assert held.condition(ConditionType.COMPLETE)[0] == "True"
    assert [event for event in held.events if event.is_warning] == []
