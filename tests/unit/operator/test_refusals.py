"""Jobs that may not run: what is wrong, what to do, and how each gets out of it by itself."""

import pytest
from job_builder import JobBuilder, make_cluster_job, make_job
from planned_world import CLUSTER, LAPTOP, START, PlannedWorld

from labelplane_api.conditions import ConditionType
from labelplane_api.metadata import ObjectMeta
from labelplane_api.parts import Part
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.observed import Observed, OperationError, Problem
from labelplane_operator.plan import plan_for_invalid

JOB = make_cluster_job()
ACCEPTED, PROGRESSING = ConditionType.ACCEPTED, ConditionType.PROGRESSING


def world(builder: JobBuilder = JOB) -> PlannedWorld:
    return PlannedWorld(builder.build(), installation=CLUSTER)


# -- what a cluster cannot reach --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("builder", "want_fields"),
    [
        pytest.param(JOB.with_dataset(uri="digits"), ["spec.dataset.uri"], id="items in a folder"),
        pytest.param(JOB.with_storage(uri="out"), ["spec.storage.uri"], id="results in a folder"),
        pytest.param(
            JOB.with_votes_from_files("votes"), ["spec.sources.humans.files.uri"], id="files of votes in a folder"
        ),
        pytest.param(make_job(), ["spec.dataset.uri", "spec.storage.uri"], id="a job of a laptop"),
    ],
)
def test_folder_of_one_machine_is_refused_on_a_cluster(builder: JobBuilder, want_fields: list[str]) -> None:
    refused = world(builder)

    plan = refused.step()

    status, reason, message = refused.condition(ACCEPTED)
    assert (status, reason) == ("False", "SpecInvalid")
    assert [each.split(":")[0] for each in message.split("; ")] == want_fields
    assert (plan.parts, plan.start, plan.requeue_after_seconds) == (None, None, None)
    assert refused.job.status.stage == "Refused"


def test_folder_of_one_machine_is_accepted_there() -> None:
    assert PlannedWorld(make_job().build(), installation=LAPTOP).step().start is not None


def test_what_the_cluster_lacks_is_refused_with_its_own_words() -> None:
    refused = world()

    refused.step(Observed(refusals=("spec.scheduling.queueName: Kueue is not installed",)))

    assert refused.condition(ACCEPTED) == ("False", "SpecInvalid", "spec.scheduling.queueName: Kueue is not installed")


def test_refused_job_goes_on_when_it_is_mended() -> None:
    mended = world()
    plan = mended.reach(Stage.TRAIN, 1)
    assert plan.start is not None
    mended.change(JOB.with_output(formats=["Csv", "Coco"]))
    assert mended.step().parts is None
    assert mended.condition(PROGRESSING)[:2] == ("False", "NotSupported")
    mended.change(JOB)

    again = mended.step(Observed())

    assert again.start is not None
    assert again.start.request_id == plan.start.request_id
    assert mended.condition(ACCEPTED)[0] == mended.condition(PROGRESSING)[0] == "True"


# -- what does not even parse -----------------------------------------------------------------------------------------

PROBLEMS = ("spec.budget.votes: must be at least 1", "spec.sampling.strategy: is no strategy")


def test_invalid_object_is_told_by_field_and_keeps_the_rest_of_its_status() -> None:
    played = world()
    played.reach(Stage.TRAIN, 1)
    before = played.job.status

    plan = plan_for_invalid(before, PROBLEMS, metadata=ObjectMeta(name="digits", generation=4), now=START)

    told = {each.type: (each.status, each.reason, each.message) for each in plan.status.conditions}
    assert told["Accepted"] == ("False", "SpecInvalid", "; ".join(PROBLEMS))
    assert plan.status.observed_generation == 4
    assert (plan.status.rounds, plan.status.operation) == (before.rounds, before.operation)
    assert (plan.parts, plan.start, plan.finalizer, plan.requeue_after_seconds) == (None, None, None, None)
    assert [(event.reason, event.is_warning) for event in plan.events] == [("SpecInvalid", True)] * 2


def test_invalid_object_is_told_once() -> None:
    metadata = ObjectMeta(name="digits")
    first = plan_for_invalid(LabelingJobStatus(), PROBLEMS, metadata=metadata, now=START)

    second = plan_for_invalid(first.status, PROBLEMS, metadata=metadata, now=START)

    assert (second.status, second.events) == (first.status, ())
    assert first.status.stage == "Refused"


def test_invalid_object_that_is_deleted_is_let_go() -> None:
    metadata = ObjectMeta(name="digits", deletion_timestamp=START, finalizers=("labelplane.io/results",))

    plan = plan_for_invalid(LabelingJobStatus(), PROBLEMS, metadata=metadata, now=START)

    assert (plan.finalizer, plan.cleanup, plan.parts) == (False, False, None)


# -- a prefix that another job has ------------------------------------------------------------------------------------

TAKEN = OperationError(
    "PrefixTaken",
    "this output prefix belongs to job team/old of installation here: take another output.prefix, or set output.adopt "
    "to go on with its data",
    is_retryable=False,
)


def taken(*, attempts: int = 1) -> PlannedWorld:
    """Return a world whose first tries find that the prefix belongs to another job."""
    loser = world()
    names = ["digits/prepare/u1", *(f"digits/prepare/u1/{number}" for number in range(2, attempts + 1))]
    loser.errors = dict.fromkeys(names, TAKEN)
    loser.step()
    loser.step()
    return loser


def test_taken_prefix_is_told_with_its_owner_and_is_no_failure() -> None:
    loser = taken()

    assert loser.condition(ACCEPTED) == ("False", "PrefixTaken", TAKEN.message)
    assert loser.condition(PROGRESSING)[:2] == ("False", "PrefixTaken")
    assert loser.job.status.failures == {}
    assert loser.job.status.finished_at is None
    assert loser.job.status.stage == "Refused"
    assert loser.plan is not None
    assert (loser.plan.parts, loser.plan.start) == (frozenset(), None)
    assert loser.plan.requeue_after_seconds == pytest.approx(300)


def test_taken_prefix_is_asked_for_again_by_one_service_and_told_once() -> None:
    loser = taken(attempts=50)
    tried = []
    for _ in range(60):
        plan = loser.step()
        if plan.start is not None:
            tried.append(plan.start.request_id)
            assert plan.parts == frozenset({Part.AGGREGATION})
        assert loser.job.status.stage == "Refused"

    assert tried[:2] == ["digits/prepare/u1/2", "digits/prepare/u1/3"]
    assert len(tried) > 10
    assert [event.reason for event in loser.events].count("PrefixTaken") == 2  # Accepted and Progressing, once each


def test_job_gets_a_prefix_that_its_owner_has_left() -> None:
    loser = taken(attempts=3)

    loser.play()

    assert loser.condition(ACCEPTED)[:2] == ("True", "SpecValid")
    assert loser.condition(ConditionType.COMPLETE)[0] == "True"
    assert loser.stages().count("Prepare/0") == 4


def test_change_of_the_spec_asks_at_once() -> None:
    loser = taken()
    loser.wait(-200)  # the next try is not due
    assert loser.step().start is None
    loser.wait(-50)
    loser.change(JOB.with_output(adopt=True))

    plan = loser.step()

    assert plan.start is not None
    assert plan.start.request_id == "digits/prepare/u1/2"
    assert plan.start.message.ownership.adopt  # type: ignore[attr-defined]


def test_another_error_of_the_next_try_is_told_as_itself() -> None:
    loser = taken()
    loser.errors["digits/prepare/u1/2"] = OperationError("EmptyDataset", "holds no image", is_retryable=False)

    loser.play()

    assert loser.condition(ConditionType.FAILED)[1] == "EmptyDataset"
    assert loser.condition(ACCEPTED)[0] == "True"


def test_waiting_for_a_prefix_is_no_work() -> None:
    loser = taken(attempts=500)
    loser.change(JOB.with_run(active_deadline_seconds=10))
    for _ in range(100):
        loser.step()
    assert loser.condition(ACCEPTED)[1] == "PrefixTaken"
    assert loser.job.status.active_seconds <= 10


def test_run_on_one_machine_ends_when_its_folder_is_taken() -> None:
    alone = PlannedWorld(make_job().with_uid("u1").build(), installation=LAPTOP)
    alone.errors = {"digits/prepare/u1": TAKEN}

    alone.play()

    assert alone.condition(ConditionType.FAILED)[1] == "PrefixTaken"


# -- pods that cannot run ---------------------------------------------------------------------------------------------

NO_SECRET = Problem("MissingSecret", "there is no Secret minio: create it")


def test_pods_that_cannot_run_are_told_once_and_recover_by_themselves() -> None:
    stuck = world()
    stuck.step()
    for _ in range(10):
        plan = stuck.step(Observed(unavailable="UNAVAILABLE: no endpoints", problem=NO_SECRET))

    assert stuck.condition(PROGRESSING) == ("False", NO_SECRET.reason, NO_SECRET.message)
    assert plan.requeue_after_seconds == 10.0
    assert plan.parts == frozenset({Part.AGGREGATION})
    assert plan.start is not None
    told = [event for event in stuck.events if event.reason == "MissingSecret"]
    assert [event.is_warning for event in told] == [True]

    stuck.step()
    assert stuck.condition(PROGRESSING)[:2] == ("True", "StageRunning")
    stuck.play()
    assert stuck.condition(ConditionType.COMPLETE)[0] == "True"


def test_inbox_that_cannot_run_is_told_while_people_are_waited_for() -> None:
    waiting = PlannedWorld(JOB.build(), installation=CLUSTER, people_answer=False)
    waiting.reach(Stage.REVIEW)
    waiting.step()
    assert waiting.condition(PROGRESSING) == ("True", "RoundFinished", "round 0 has asked people")

    waiting.step(Observed(unavailable="UNAVAILABLE: no endpoints", problem=NO_SECRET))
    assert waiting.condition(PROGRESSING)[:2] == ("False", "MissingSecret")
    waiting.step()
    assert waiting.condition(PROGRESSING)[:2] == ("True", "RoundFinished")
