"""Whatever happens to a job on its way, it does the same stages once each and ends as an undisturbed one does."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from job_builder import make_cluster_job
from planned_world import CLUSTER, PlannedWorld

from labelplane_api.conditions import ConditionType, find_condition
from labelplane_operator.observed import Observed, Problem

JOB = make_cluster_job().with_run(active_deadline_seconds=30_000_000, ttl_seconds_after_finished=60)


def _step(world: PlannedWorld) -> None:
    world.step()


def _lose_the_status(world: PlannedWorld) -> None:
    before = world.job
    world.step()
    world.job = before.model_copy(update={"metadata": world.job.metadata})


def _lose_the_services(world: PlannedWorld) -> None:
    world.step(Observed(unavailable="UNAVAILABLE: no connection"))


def _lack_a_secret(world: PlannedWorld) -> None:
    world.step(Observed(unavailable="UNAVAILABLE", problem=Problem("MissingSecret", "there is no Secret s")))


def _suspend(world: PlannedWorld) -> None:
    world.change(JOB.suspended())
    world.step(Observed())


def _resume(world: PlannedWorld) -> None:
    world.change(JOB)


def _break_the_spec(world: PlannedWorld) -> None:
    world.change(JOB.with_output(formats=["Csv", "Coco"]))
    world.step()


def _let_an_hour_pass(world: PlannedWorld) -> None:
    world.wait(3600)


DISTURBANCES: list[Callable[[PlannedWorld], None]] = [
    _step,
    _step,
    _step,
    _lose_the_status,
    _lose_the_services,
    _lack_a_secret,
    _suspend,
    _resume,
    _break_the_spec,
    _let_an_hour_pass,
]


def ended(world: PlannedWorld) -> PlannedWorld:
    """Let the user mend the spec, and play the job to its end."""
    world.change(JOB)
    for _ in range(1000):
        if world.step().is_final:
            return world
    raise AssertionError(world.job.status.operation)


UNDISTURBED = ended(PlannedWorld(JOB.build(), installation=CLUSTER))


@settings(max_examples=40)
@given(disturbances=st.lists(st.sampled_from(DISTURBANCES), max_size=60))
def test_disturbed_job_ends_as_an_undisturbed_one(disturbances: list[Callable[[PlannedWorld], None]]) -> None:
    world = PlannedWorld(JOB.build(), installation=CLUSTER)
    for disturb in disturbances:
        disturb(world)
        assert world.plan is None or world.plan.status.stage

    status = ended(world).job.status

    assert world.stages() == UNDISTURBED.stages()
    assert world.condition(ConditionType.COMPLETE) == UNDISTURBED.condition(ConditionType.COMPLETE)
    assert [each.votes for each in status.rounds] == [each.votes for each in UNDISTURBED.job.status.rounds]
    assert status.active_since is None
    assert find_condition(status.conditions, ConditionType.ACCEPTED).status == "True"  # type: ignore[union-attr]
    assert (world.plan.parts, world.plan.start) == (None, None)  # type: ignore[union-attr]
