"""Which services are up when: the pods that a job pays for."""

import pytest
from job_builder import make_job
from planned_world import PlannedWorld

from labelplane_api.parts import Part
from labelplane_operator.observed import OperationError

PEOPLE = {Part.AGGREGATION}
WANTED = [
    pytest.param("Prepare", PEOPLE, id="Prepare needs what reads the data"),
    pytest.param("Vote", PEOPLE, id="Vote needs the inbox"),
    pytest.param("Aggregate", PEOPLE, id="Aggregate infers where the votes are"),
    pytest.param("Train", PEOPLE | {Part.DISTILLATION}, id="Train brings the trainer"),
    pytest.param("Score", PEOPLE | {Part.SCORING, Part.SCORING_WORKER}, id="Score brings the workers"),
    pytest.param("Select", PEOPLE | {Part.SCORING}, id="Select needs no worker"),
    pytest.param("Review", PEOPLE, id="Review makes tasks"),
    pytest.param("Finalize", PEOPLE, id="Finalize writes the results"),
]


def world(**fields: object) -> PlannedWorld:
    builder = (
        make_job()
        .with_humans(votes_per_item=3)
        .with_sampling(min_per_class=3, initial_batch_size=20, batch_size=20)
        .with_budget(votes=120)
    )
    return PlannedWorld(builder.build(), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("stage", "want"), WANTED)
def test_services_that_are_up_while(stage: str, want: set[Part]) -> None:
    played = world()
    found = set()
    while (plan := played.step()).requeue_after_seconds is not None:
        if plan.start is not None and plan.start.stage == stage:
            found.add(plan.parts)

    assert found == {frozenset(want)}


def test_only_the_inbox_is_up_while_people_vote() -> None:
    waiting = world(people_answer=False)
    for _ in range(8):
        plan = waiting.step()

    assert plan.start is None
    assert plan.parts == frozenset(PEOPLE)


def test_stage_that_waits_for_its_next_try_keeps_its_services() -> None:
    failing = world()
    failing.errors = {"digits/1/train/1": OperationError("StoreUnavailable", "bucket b is away", is_retryable=True)}
    while not failing.job.status.failures:
        plan = failing.step()

    assert plan.start is None
    assert plan.parts == frozenset(PEOPLE | {Part.DISTILLATION})


def test_finished_job_keeps_nothing() -> None:
    played = world()

    assert played.play().parts is None
    assert played.step().parts is None


def test_refused_job_has_nothing() -> None:
    refused = PlannedWorld(make_job().having("spec.task.type", "ObjectDetection").build())

    assert refused.step().parts is None


def test_suspended_job_keeps_its_frame_without_a_pod() -> None:
    suspended = PlannedWorld(make_job().suspended().build())

    assert suspended.step().parts == frozenset()
