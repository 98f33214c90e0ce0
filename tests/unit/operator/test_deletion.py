"""What becomes of a deleted job, of its results, and of a finished job that nobody looks at any more."""

from datetime import timedelta

import pytest
from job_builder import JobBuilder, make_cluster_job
from planned_world import CLUSTER, LAPTOP, START, PlannedWorld

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType
from labelplane_api.metadata import ObjectMeta
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.observed import CleanupState, CleanupView, Observed, OperationError, Problem
from labelplane_operator.plan import Plan, plan_when_blocked
from labelplane_operator.policies.deletion import FINALIZER, holds_object, wanted_finalizers

RETAIN = make_cluster_job()
DELETE = RETAIN.with_output(deletion_policy="Delete")


def world(builder: JobBuilder) -> PlannedWorld:
    return PlannedWorld(builder.build(), installation=CLUSTER)


def deleted(played: PlannedWorld, *, finalizers: tuple[str, ...] = (FINALIZER,)) -> PlannedWorld:
    """Let the user delete the job."""
    metadata = played.job.metadata.model_copy(update={"deletion_timestamp": played.now, "finalizers": finalizers})
    played.job = played.job.model_copy(update={"metadata": metadata})
    return played


def half_done(builder: JobBuilder) -> PlannedWorld:
    played = world(RETAIN)
    played.reach(Stage.TRAIN, 1)
    played.change(builder)
    return played


def seen(state: CleanupState, message: str = "", *, minutes_ago: float = 0, of: PlannedWorld) -> Observed:
    finished = of.now - timedelta(minutes=minutes_ago) if state is CleanupState.FAILED else None
    return Observed(cleanup=CleanupView(state, message, finished))


def asked_for(plan: Plan) -> tuple[object, ...]:
    return plan.parts, plan.start, plan.finalizer, plan.cleanup


def accepted(*, is_accepted: bool) -> LabelingJobStatus:
    value = ConditionStatus.TRUE if is_accepted else ConditionStatus.FALSE
    condition = Condition(type=ConditionType.ACCEPTED, status=value, reason="SpecValid", observed_generation=1)
    return LabelingJobStatus(conditions=(condition,))


@pytest.mark.parametrize(
    ("builder", "is_accepted", "want"),
    [
        pytest.param(RETAIN, True, False, id="results stay"),
        pytest.param(DELETE, True, True, id="results go"),
        pytest.param(RETAIN, False, False, id="refused, results stay"),
        pytest.param(DELETE, False, None, id="refused, results would go"),
    ],
)
def test_living_job_is_held_by_the_policy(builder: JobBuilder, *, is_accepted: bool, want: bool | None) -> None:
    assert holds_object(builder.build(), accepted(is_accepted=is_accepted)) is want


def test_job_that_asks_for_what_is_not_built_gets_no_finalizer() -> None:
    assert world(DELETE.with_output(formats=["Csv", "Coco"])).step().finalizer is None


def test_job_whose_results_will_go_is_held_before_anything_is_started() -> None:
    plan = world(DELETE).step()
    assert plan.start is not None
    assert plan.finalizer is True


@pytest.mark.parametrize(
    ("has", "is_deleted", "is_held", "want"),
    [
        pytest.param((), False, True, (FINALIZER,), id="it is added"),
        pytest.param(("a/b", FINALIZER), False, True, ("a/b", FINALIZER), id="it stands"),
        pytest.param((FINALIZER, "a/b"), False, False, ("a/b",), id="it goes alone"),
        pytest.param((FINALIZER,), True, False, (), id="nothing holds the object any more"),
        pytest.param(
            ("foregroundDeletion", FINALIZER), True, True, (FINALIZER,), id="no foreground while results are removed"
        ),
        pytest.param(
            ("foregroundDeletion", FINALIZER), True, False, ("foregroundDeletion",), id="foreground after them"
        ),
    ],
)
def test_finalizers_of_others_stay(
    has: tuple[str, ...], *, is_deleted: bool, is_held: bool, want: tuple[str, ...]
) -> None:
    deleted_at = START if is_deleted else None
    metadata = ObjectMeta(name="digits", finalizers=has, deletion_timestamp=deleted_at)
    assert wanted_finalizers(metadata, is_held=is_held) == want


def test_policy_that_changes_takes_the_finalizer_away() -> None:
    played = half_done(DELETE)
    played.step()
    played.change(RETAIN)
    assert played.step().finalizer is False


def test_run_on_one_machine_knows_no_finalizer_and_no_deletion() -> None:
    played = deleted(PlannedWorld(RETAIN.build(), installation=LAPTOP))
    assert played.step().finalizer is None
    assert played.play().is_final


def test_deleted_job_that_keeps_its_results_is_let_go() -> None:
    plan = deleted(half_done(RETAIN)).step(Observed())
    assert asked_for(plan) == (None, None, False, False)
    assert (plan.status.stage, plan.requeue_after_seconds) == ("Deleting", None)


def test_deleted_job_goes_after_its_results() -> None:
    going = deleted(half_done(DELETE))

    assert asked_for(going.step(Observed())) == (None, None, True, True)
    assert going.condition(ConditionType.PROGRESSING) == (
        "False",
        "DeletingResults",
        "the results below default/digits are being deleted",
    )
    assert asked_for(going.step(seen(CleanupState.RUNNING, of=going))) == (None, None, True, True)
    assert asked_for(going.step(seen(CleanupState.SUCCEEDED, of=going))) == (None, None, False, False)


def test_finished_job_goes_after_its_results_too() -> None:
    finished = world(RETAIN)
    finished.play()
    finished.change(DELETE)
    assert asked_for(deleted(finished).step(Observed())) == (None, None, True, True)


def test_cleanup_that_failed_is_told_and_made_again_after_a_while() -> None:
    going = deleted(half_done(DELETE))

    plan = going.step(seen(CleanupState.FAILED, "AccessDenied: DeleteObject", of=going))

    assert asked_for(plan) == (None, None, True, True)
    assert plan.requeue_after_seconds == pytest.approx(300)
    status, reason, message = going.condition(ConditionType.PROGRESSING)
    assert (status, reason) == ("False", "CleanupFailed")
    assert "AccessDenied: DeleteObject" in message
    assert "take the finalizer labelplane.io/results away" in message
    assert [event.is_warning for event in plan.events] == [True]

    later = going.step(seen(CleanupState.FAILED, "AccessDenied: DeleteObject", minutes_ago=6, of=going))
    assert asked_for(later) == (None, None, True, False)
    assert asked_for(going.step(Observed())) == (None, None, True, True)


def test_cleanup_whose_pod_cannot_run_is_told_while_it_waits() -> None:
    going = deleted(half_done(DELETE))
    running = CleanupView(CleanupState.RUNNING)

    plan = going.step(Observed(cleanup=running, problem=Problem("MissingSecret", "there is no Secret storage")))

    assert asked_for(plan) == (None, None, True, True)
    assert going.condition(ConditionType.PROGRESSING)[1] == "CleanupFailed"
    assert "there is no Secret storage" in going.condition(ConditionType.PROGRESSING)[2]
    going.step(Observed(cleanup=running))
    assert going.condition(ConditionType.PROGRESSING)[1] == "DeletingResults"


def test_cleanup_that_the_cluster_refuses_is_told_of_a_job_that_is_being_deleted() -> None:
    going = deleted(half_done(DELETE))
    plan = going.step(Observed())

    blocked = plan_when_blocked(going.job, plan, Problem("ChildRefused", "exceeded quota"), now=going.now)

    assert blocked.status.stage == "Deleting"
    assert blocked.finalizer is True


def test_finalizer_that_was_taken_away_by_hand_leaves_the_results() -> None:
    plan = deleted(half_done(DELETE), finalizers=("somebody/else",)).step(Observed())
    assert asked_for(plan) == (None, None, False, False)


def test_results_of_the_job_that_has_the_prefix_are_never_removed() -> None:
    loser = world(RETAIN)
    loser.errors = {"digits/prepare/u1": OperationError("PrefixTaken", "it belongs to a/b", is_retryable=False)}
    loser.step()
    loser.step()
    assert loser.condition(ConditionType.ACCEPTED)[1] == "PrefixTaken"
    loser.change(DELETE)

    assert asked_for(deleted(loser).step(Observed())) == (None, None, False, False)


def test_job_that_never_started_anything_has_nothing_to_remove() -> None:
    assert asked_for(deleted(world(DELETE)).step(Observed())) == (None, None, False, False)


def test_deletion_goes_on_when_the_operator_comes_back() -> None:
    """Whatever was seen before, the same look gives the same plan."""
    first, second = deleted(half_done(DELETE)), deleted(half_done(DELETE))
    first.step(Observed())
    first.step(seen(CleanupState.RUNNING, of=first))
    look = CleanupView(CleanupState.SUCCEEDED)
    assert asked_for(first.step(Observed(cleanup=look))) == asked_for(second.step(Observed(cleanup=look)))


# -- run.ttlSecondsAfterFinished --------------------------------------------------------------------------------------

HOUR = RETAIN.with_run(ttl_seconds_after_finished=3600)


def test_finished_job_is_deleted_when_its_time_is_over() -> None:
    played = world(HOUR)
    plan = finish(played)

    assert not plan.delete_job
    assert plan.requeue_after_seconds == pytest.approx(3600)
    assert finish(played).delete_job


def finish(played: PlannedWorld) -> Plan:
    """Reconcile until the job is finished, once more if it is."""
    for _ in range(1000):
        plan = played.step()
        if plan.is_final:
            return plan
    raise AssertionError(played.job.status.operation)


@pytest.mark.parametrize(
    ("waited", "want_deleted", "want_seconds"),
    [
        pytest.param(0, False, 3600.0, id="just finished"),
        pytest.param(3599, False, 1.0, id="a second before"),
        pytest.param(3600, True, None, id="its time is over"),
        pytest.param(100_000, True, None, id="the operator was away"),
    ],
)
def test_time_to_live_counts_from_the_end(waited: int, *, want_deleted: bool, want_seconds: float | None) -> None:
    played = world(HOUR)
    finish(played)
    assert played.job.status.finished_at is not None
    played.now = played.job.status.finished_at + timedelta(seconds=waited)

    plan = played.step()

    assert (plan.delete_job, plan.requeue_after_seconds) == (want_deleted, want_seconds)


def test_failed_job_expires_too() -> None:
    failing = world(HOUR)
    failing.errors = {"digits/0/vote/1": OperationError("BadVotes", "no such file", is_retryable=False)}
    finish(failing)
    failing.wait(4000)
    assert failing.step().delete_job


@pytest.mark.parametrize(
    ("builder", "is_cluster"),
    [pytest.param(RETAIN, True, id="no time is set"), pytest.param(HOUR, False, id="it runs on one machine")],
)
def test_finished_job_stays_when(builder: JobBuilder, *, is_cluster: bool) -> None:
    played = PlannedWorld(builder.build(), installation=CLUSTER if is_cluster else LAPTOP)
    finish(played)
    played.wait(1_000_000)
    plan = played.step()
    assert (plan.delete_job, plan.requeue_after_seconds) == (False, None)


def test_running_job_never_expires() -> None:
    running = half_done(RETAIN.with_run(ttl_seconds_after_finished=0))
    running.now = START + timedelta(days=400)
    assert not running.step(Observed()).delete_job


def test_changing_the_time_of_a_finished_job_counts() -> None:
    played = world(RETAIN)
    finish(played)
    played.wait(10_000)
    played.change(HOUR)
    assert played.step().delete_job
