"""The two clocks of a job: how long it may work, and how long a round waits for people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from job_builder import JobBuilder, make_cluster_job
from planned_world import CLUSTER, START, PlannedWorld

from labelplane_api.conditions import ConditionType
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.observed import Observed, OperationError, OperationState, OperationView
from labelplane_operator.policies.deadlines import review_deadline, worked_seconds

JOB = make_cluster_job()
WAITING = ConditionType.WAITING_FOR_ANNOTATIONS


def world(builder: JobBuilder, *, people_answer: bool = True) -> PlannedWorld:
    return PlannedWorld(builder.build(), installation=CLUSTER, people_answer=people_answer)


def running(world: PlannedWorld) -> Observed:
    """What is seen of the named operation while it goes on."""
    named = world.job.status.operation
    assert named is not None
    return Observed(operation=OperationView(named.request_id, OperationState.RUNNING, started=START))


# -- run.activeDeadlineSeconds ----------------------------------------------------------------------------------------


def test_work_over_its_time_fails_the_job_and_frees_its_pods() -> None:
    late = world(JOB.with_run(active_deadline_seconds=600))
    late.reach(Stage.TRAIN, 1)
    late.wait(700)

    plan = late.step(running(late))

    status, reason, message = late.condition(ConditionType.FAILED)
    assert (status, reason) == ("True", "DeadlineExceeded")
    assert message.endswith("run.activeDeadlineSeconds is 600: a larger one lets it go on where it stands")
    assert (plan.start, plan.parts, plan.requeue_after_seconds) == (None, None, None)
    assert late.job.status.stage == "Failed"


def test_waiting_for_people_is_no_work() -> None:
    patient = world(JOB.with_run(active_deadline_seconds=600), people_answer=False)
    patient.reach(Stage.REVIEW)
    patient.step()
    worked = worked_seconds(patient.job.status, now=patient.now)
    patient.wait(100_000)

    patient.step()

    assert patient.job.status.stage == "Waiting"
    assert worked_seconds(patient.job.status, now=patient.now) == worked < 60


def test_suspension_is_no_work() -> None:
    held = world(JOB.with_run(active_deadline_seconds=600))
    held.reach(Stage.TRAIN, 1)
    held.wait(500)
    held.change(JOB.with_run(active_deadline_seconds=600).suspended())
    held.step(Observed())
    held.wait(100_000)
    held.change(JOB.with_run(active_deadline_seconds=600))
    held.step(Observed())

    assert 500 <= worked_seconds(held.job.status, now=held.now) < 560
    held.wait(100)
    held.step(running(held))
    assert held.condition(ConditionType.FAILED)[1] == "DeadlineExceeded"


def test_time_that_pods_cannot_run_is_work_as_for_any_kubernetes_job() -> None:
    stuck = world(JOB.with_run(active_deadline_seconds=600))
    stuck.step()
    for _ in range(400):
        plan = stuck.step(Observed(unavailable="no pod"))
        if plan.is_final:
            break

    assert stuck.condition(ConditionType.FAILED)[1] == "DeadlineExceeded"
    assert stuck.now - START <= timedelta(seconds=605)


def test_larger_deadline_lets_the_job_go_on_where_it_stood() -> None:
    late = world(JOB.with_run(active_deadline_seconds=600))
    plan = late.reach(Stage.TRAIN, 1)
    assert plan.start is not None
    late.wait(700)
    late.step(running(late))
    late.change(JOB.with_run(active_deadline_seconds=6000))

    again = late.step(Observed())

    assert again.start is not None
    assert again.start.request_id == plan.start.request_id
    late.play()
    assert late.condition(ConditionType.COMPLETE)[0] == "True"


def test_running_operation_writes_nothing_for_the_clock() -> None:
    busy = world(JOB.with_run(active_deadline_seconds=600))
    busy.reach(Stage.TRAIN, 1)
    seen = running(busy)
    busy.step(seen)
    before = busy.job.status

    for _ in range(20):
        assert busy.step(seen).status == before


def test_work_is_added_up_over_operations_and_a_lost_write_counts_nothing_twice() -> None:
    steady = world(JOB)
    before = steady.job
    for number in range(200):
        steady.wait(10)
        plan = steady.step()
        if number % 5 == 4 and plan.requeue_after_seconds is not None:
            steady.job = before  # the status was not written
        before = steady.job
        if plan.requeue_after_seconds is None:
            break

    assert steady.job.status.finished_at is not None
    assert steady.job.status.started_at is not None
    lasted = (steady.job.status.finished_at - steady.job.status.started_at).total_seconds()
    assert steady.job.status.active_since is None
    assert 0 < steady.job.status.active_seconds <= lasted


def test_time_of_an_operation_is_added_up_when_it_ends() -> None:
    busy = world(JOB)
    busy.reach(Stage.TRAIN, 1)
    before = busy.job.status
    busy.wait(100)

    busy.step()

    after = busy.job.status
    assert after.operation is not None
    assert after.operation.stage is Stage.SCORE
    assert after.active_seconds >= before.active_seconds + 100
    assert after.active_since is not None
    assert before.active_since is not None
    assert after.active_since > before.active_since


LATE = JOB.with_run(active_deadline_seconds=600)


def running_late(left: float) -> tuple[PlannedWorld, Observed]:
    """Return a world whose Train runs and whose time is over in `left` seconds."""
    busy = world(LATE)
    busy.reach(Stage.TRAIN, 1)
    busy.step(running(busy))
    busy.wait(600 - left - worked_seconds(busy.job.status, now=busy.now))
    return busy, running(busy)


def failing_late(left: float) -> tuple[PlannedWorld, Observed]:
    """Return a world whose Train has failed and whose time is over in `left` seconds, before the next try."""
    busy, seen = running_late(left)
    assert seen.operation is not None
    error = OperationError("StoreUnavailable", "bucket b is away", is_retryable=True)
    return busy, Observed(operation=replace(seen.operation, state=OperationState.FAILED, error=error))


@pytest.mark.parametrize(
    "late", [pytest.param(running_late, id="a stage runs"), pytest.param(failing_late, id="a stage is tried again")]
)
def test_next_look_is_not_later_than_the_end_of_the_time_while(
    late: Callable[[float], tuple[PlannedWorld, Observed]],
) -> None:
    busy, seen = late(0.5)

    assert busy.step(seen).requeue_after_seconds == pytest.approx(0.5)


def test_next_look_for_votes_is_not_later_than_their_deadline() -> None:
    lazy = asked(JOB.with_review(deadline_seconds=3600))
    deadline = review_deadline(lazy.job, lazy.job.status)
    assert deadline is not None
    lazy.now = deadline - timedelta(seconds=7)

    assert lazy.step().requeue_after_seconds == pytest.approx(7)


# -- review.deadlineSeconds -------------------------------------------------------------------------------------------

HOUR = JOB.with_review(deadline_seconds=3600)


def asked(builder: JobBuilder, *, number: int = 0) -> PlannedWorld:
    """Return a world where people are asked about a round and do not answer."""
    lazy = world(builder, people_answer=False)
    lazy.reach(Stage.REVIEW, number)
    lazy.step()
    return lazy


def test_wait_says_what_happens_when_and_where_to_go() -> None:
    lazy = world(HOUR.having("spec.sources.humans", {"inbox": {}}), people_answer=False)
    lazy.installation = type(CLUSTER)("here", 7, is_cluster=True, review_address="https://labels.example/")
    lazy.reach(Stage.REVIEW)
    lazy.step()

    message = lazy.condition(WAITING)[2]

    assert message.startswith(
        "60 votes are missing: vote at https://labels.example/t/default/digits; at 2026-01-01 01:00:"
    )
    assert message.endswith("UTC review.onDeadline is Proceed")


def test_wait_says_where_the_connector_brings_tasks_and_what_keeps_it_from_working() -> None:
    lazy = world(HOUR, people_answer=False)
    lazy.installation = type(CLUSTER)("here", 7, is_cluster=True, review_address="https://labels.example/digits")
    lazy.connector_address = "https://ls.example/projects/3"
    lazy.reach(Stage.REVIEW)
    lazy.step()
    assert lazy.condition(WAITING)[2].startswith("60 votes are missing: vote at https://ls.example/projects/3; at 2026")

    lazy.connector_problem = "Label Studio does not answer"
    lazy.step()
    want = "60 votes are missing: vote at https://ls.example/projects/3; Label Studio does not answer; at 2026"
    assert lazy.condition(WAITING)[2].startswith(want)


def test_round_goes_on_with_the_votes_there_are() -> None:
    lazy = asked(HOUR)
    lazy.votes, lazy.votes_missing = 25, 35
    lazy.wait(3601)

    plan = lazy.step()

    assert plan.start is not None
    assert (plan.start.stage, lazy.stages()[-1]) == (Stage.VOTE, "Vote/1")
    assert lazy.condition(WAITING) == (
        "False",
        "DeadlinePassed",
        "35 votes are missing after 3,600 s: the next round goes on with the votes there are",
    )
    lazy.step()
    assert lazy.condition(WAITING)[1] == "DeadlinePassed"


def test_round_fails_the_job_when_it_should() -> None:
    lazy = asked(JOB.with_review(deadline_seconds=3600, on_deadline="Fail"))
    lazy.votes, lazy.votes_missing = 25, 35
    lazy.wait(3601)

    plan = lazy.step()

    assert lazy.condition(ConditionType.FAILED) == (
        "True",
        "DeadlineExceeded",
        "35 votes are missing after 3,600 s (review.deadlineSeconds): change the spec to wait again",
    )
    assert plan.parts is None


@pytest.mark.parametrize(
    ("waited", "want"),
    [pytest.param(3500, "Waiting", id="before the deadline"), pytest.param(3601, "Vote", id="after it")],
)
def test_wait_begins_when_people_are_asked(waited: int, want: str) -> None:
    lazy = asked(HOUR)
    lazy.wait(waited)
    lazy.step()
    assert lazy.job.status.stage == want


def test_all_votes_in_time_are_as_without_a_deadline() -> None:
    quick = asked(HOUR)
    quick.votes, quick.votes_missing = 60, 0
    quick.wait(100_000)
    quick.step()
    assert quick.condition(WAITING)[:2] == ("False", "VotesComplete")


def test_votes_that_cannot_be_counted_end_no_wait() -> None:
    away = asked(JOB.with_review(deadline_seconds=3600, on_deadline="Fail"))
    away.wait(100_000)
    plan = away.step(Observed(unavailable="no pod"))
    assert away.job.status.stage == "Waiting"
    assert plan.requeue_after_seconds


def test_people_get_the_whole_time_again_after_a_suspension() -> None:
    held = asked(HOUR)
    held.wait(3000)
    held.change(HOUR.suspended())
    held.step(Observed())
    held.wait(3000)
    held.change(HOUR)
    held.step()
    held.wait(3500)
    held.step()
    assert held.job.status.stage == "Waiting"
    held.wait(200)
    held.step()
    assert held.job.status.stage == "Vote"


def test_people_get_the_whole_time_again_after_the_job_failed() -> None:
    failing = JOB.with_review(deadline_seconds=3600, on_deadline="Fail")
    lazy = asked(failing)
    lazy.wait(3601)
    lazy.step()
    lazy.change(failing.with_run(backoff_limit=3))
    lazy.step()
    assert lazy.job.status.stage == "Waiting"
    lazy.wait(3000)
    lazy.step()
    assert lazy.job.status.stage == "Waiting"
    lazy.votes, lazy.votes_missing = 60, 0
    lazy.step()
    assert lazy.job.status.stage == "Vote"


def test_changed_deadline_counts_at_once() -> None:
    lazy = asked(JOB)
    lazy.wait(100_000)
    lazy.step()
    assert lazy.job.status.stage == "Waiting"
    lazy.change(HOUR)
    lazy.step()
    assert lazy.job.status.stage == "Vote"


def late_rounds(lazy: PlannedWorld, *, most: int = 30) -> int:
    """Let deadline after deadline pass until nothing is to be done; return how many rounds were asked about."""
    for _ in range(most * 12):
        plan = lazy.step()
        if plan.requeue_after_seconds is None:
            break
        if lazy.job.status.stage == "Waiting":
            lazy.wait(3600)
    return sum(stage.startswith("Review") for stage in lazy.stages())


def test_job_that_nobody_ever_votes_in_gives_up() -> None:
    lonely = world(HOUR.with_budget(votes=100_000), people_answer=False)
    assert late_rounds(lonely) == 3
    assert lonely.condition(ConditionType.FAILED)[:2] == ("True", "NoVotes")
    assert lonely.condition(WAITING)[0] == "False"


def test_job_given_up_waits_for_the_same_round_when_its_spec_changes() -> None:
    lonely = world(HOUR.with_budget(votes=100_000), people_answer=False)
    late_rounds(lonely)
    lonely.change(HOUR.with_budget(votes=99_999))
    lonely.step()
    assert lonely.job.status.stage == "Waiting"
    lonely.votes, lonely.votes_missing = 60, 0
    lonely.step()
    assert lonely.stages()[-1] == "Vote/3"


def test_job_that_people_have_left_concludes_with_what_it_has() -> None:
    left = world(HOUR.with_budget(votes=100_000))
    left.reach(Stage.REVIEW, 1)
    left.people_answer = False
    asked_before = sum(stage.startswith("Review") for stage in left.stages())
    asked_in_all = late_rounds(left)
    assert asked_in_all - asked_before == 3
    assert left.condition(ConditionType.COMPLETE)[:2] == ("True", "NoVotes")
    assert left.stages()[-1].startswith("Finalize")


def test_people_who_skip_everything_in_time_are_asked_on() -> None:
    picky = world(JOB.with_budget(votes=100_000).with_stop(max_rounds=6), people_answer=False)
    for _ in range(200):
        plan = picky.step()
        picky.votes_missing = 0  # every task was skipped
        if plan.requeue_after_seconds is None:
            break
    assert picky.condition(ConditionType.COMPLETE)[:2] == ("True", "MaxRoundsReached")


def test_single_vote_keeps_a_job_going() -> None:
    slow = world(HOUR.with_budget(votes=100_000).with_stop(max_rounds=6), people_answer=False)
    for _ in range(200):
        plan = slow.step()
        if plan.requeue_after_seconds is None:
            break
        if slow.job.status.stage == "Waiting":
            slow.votes += 1
            slow.wait(3600)
    assert slow.condition(ConditionType.COMPLETE)[:2] == ("True", "MaxRoundsReached")


# -- how often people are looked after --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waited", "want"),
    [
        pytest.param(0, 5.0, id="just asked"),
        pytest.param(600, 30.0, id="asked ten minutes ago"),
        pytest.param(86_400, 60.0, id="asked yesterday"),
    ],
)
def test_votes_are_looked_for_less_often_the_longer_people_take(waited: int, want: float) -> None:
    lazy = asked(JOB)
    lazy.wait(waited)
    plan = lazy.step()
    assert plan.requeue_after_seconds == pytest.approx(want, rel=0.05)


def test_waiting_job_writes_nothing() -> None:
    lazy = asked(HOUR)
    lazy.step()
    before = lazy.job.status
    for _ in range(10):
        assert lazy.step().status == before


def test_clock_of_an_older_status_begins_now() -> None:
    assert worked_seconds(LabelingJobStatus(), now=START) == 0
