"""The planner against a world that answers at once: the order of stages, stops, promotion, failures, waiting."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cluster_jobs import in_bucket
from job_builder import JobBuilder, make_job
from planned_world import CLUSTER, START, PlannedWorld

from labelplane_api.conditions import find_condition, is_true
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.observed import InboxView, Observed, OperationError, OperationState, OperationView

ROUND = ("Vote", "Aggregate", "Train", "Score", "Select", "Review")


def small_job() -> JobBuilder:
    return (
        make_job()
        .with_humans(votes_per_item=3)
        .with_sampling(min_per_class=3, initial_batch_size=20, batch_size=20)
        .with_budget(votes=120)
    )


def condition(world: PlannedWorld, kind: str) -> tuple[str, str, str]:
    found = find_condition(world.job.status.conditions, kind)
    assert found is not None, kind
    return found.status, found.reason, found.message


def test_job_runs_its_rounds_in_order_and_finalizes_last() -> None:
    world = PlannedWorld(small_job().build())
    world.play()
    cold = [f"{stage}/0" for stage in ("Vote", "Aggregate", "Select", "Review")]
    full = [f"{stage}/1" for stage in ROUND]
    last = [f"{stage}/2" for stage in ("Vote", "Aggregate", "Train", "Score", "Finalize")]
    assert world.stages() == ["Prepare/0", *cold, *full, *last]
    assert condition(world, "Complete")[:2] == ("True", "BudgetSpent")


def test_training_is_skipped_while_a_class_lacks_labels() -> None:
    world = PlannedWorld(small_job().with_sampling(min_per_class=8).build())
    world.play()
    assert world.job.status.rounds[1].skipped == {"Train": "NotEnoughLabels", "Score": "NotEnoughLabels"}
    assert "Train/2" in world.stages()


def test_every_stage_is_told_what_the_stages_before_left() -> None:
    world = PlannedWorld(small_job().build())
    world.play()
    by_name = {name: request.message for name, request in zip(world.stages(), world.started, strict=True)}
    assert by_name["Vote/1"].previous_votes_ref == "votes-0"
    assert not by_name["Aggregate/1"].HasField("model_predictions")
    assert by_name["Aggregate/2"].model_predictions.out_of_fold_ref == "out_of_fold-1"
    assert by_name["Aggregate/2"].model_predictions.scores_ref == "scores-1"
    assert by_name["Score/1"].model_ref == "model-1"
    assert by_name["Select/0"].strategy == "KCenter"
    assert by_name["Select/1"].strategy == "Margin"
    assert by_name["Select/1"].previous_selection_ref == "selection-0"
    assert [each.votes for each in by_name["Finalize/2"].rounds] == [0, 60, 120]
    assert {each.stage for each in by_name["Review/1"].stages} == set(ROUND) - {"Review"}


def test_batch_is_cut_to_what_the_budget_pays_for() -> None:
    world = PlannedWorld(small_job().with_budget(votes=70).build())
    world.play()
    sizes = [request.message.batch_size for request in world.started if request.stage is Stage.SELECT]
    assert sizes == [20, 3]


def test_money_for_votes_bounds_the_batch_too() -> None:
    world = PlannedWorld(
        small_job().with_humans(price_per_vote=0.1).with_budget(votes=None).with_budget(money=7.0).build()
    )
    world.figures[Stage.SELECT] = lambda number: {"selected": 20 if number == 0 else 3}
    world.play()
    sizes = [request.message.batch_size for request in world.started if request.stage is Stage.SELECT]
    assert sizes == [20, 3]
    assert world.job.status.cost.money == pytest.approx(6.9)


def test_job_without_a_bound_on_votes_asks_whole_batches_until_its_rounds_are_used_up() -> None:
    world = PlannedWorld(small_job().with_budget(votes=None).with_stop(max_rounds=2).build())
    world.play()
    sizes = [request.message.batch_size for request in world.started if request.stage is Stage.SELECT]
    assert sizes == [20, 20]
    assert condition(world, "Complete")[1] == "MaxRoundsReached"


STOPS = [
    pytest.param({"spec.stop.targetAccuracy": 0.82}, "TargetReached", 2, id="the target is reached"),
    pytest.param({"spec.stop.maxRounds": 3}, "MaxRoundsReached", 3, id="the rounds are used up"),
    pytest.param({"spec.stop.predictionAgreement": 0.85, "spec.stop.patience": 2}, "PredictionsAgree", 2, id="settled"),
    pytest.param({"spec.stop.minimumGain": 0.02, "spec.stop.patience": 2}, "GainTooSmall", 3, id="gain too small"),
    pytest.param({"spec.budget.cpuSeconds": 25.0}, "BudgetSpent", 4, id="processor time is used up"),
]


@pytest.mark.parametrize(("fields", "want_reason", "want_round"), STOPS)
def test_rounds_stop_when(fields: dict[str, object], want_reason: str, want_round: int) -> None:
    builder = small_job().with_budget(votes=100_000)
    for path, value in fields.items():
        builder = builder.having(path, value)
    world = PlannedWorld(builder.build())
    world.figures[Stage.VOTE] = lambda _: {"cpu_seconds": 5.0}
    world.play()
    assert condition(world, "Complete")[1] == want_reason
    assert world.stages()[-1] == f"Finalize/{want_round}"


def test_rounds_stop_when_nothing_is_left_to_ask() -> None:
    world = PlannedWorld(small_job().with_budget(votes=100_000).build())
    world.figures[Stage.SELECT] = lambda number: {"selected": 20 if number < 2 else 0}
    world.play()
    assert condition(world, "Complete")[1] == "EverythingLabelled"


def trained(*, only_student: float, only_standing: float) -> dict[str, float]:
    return {
        "student_accuracy": 0.80,
        "standing_accuracy": 0.82,
        "only_student_right": only_student,
        "only_standing_right": only_standing,
    }


PROMOTIONS = [
    pytest.param(9, 1, "model-2", "BetterModel", id="clearly better"),
    pytest.param(5, 5, "model-2", "BetterModel", id="equal"),
    pytest.param(4, 6, "model-2", "BetterModel", id="worse within one standard error"),
    pytest.param(1, 9, "model-1", "NotBetter", id="clearly worse"),
    pytest.param(0, 2, "model-1", "NotBetter", id="loses two and wins none"),
]


@pytest.mark.parametrize(("only_student", "only_standing", "want_model", "want_reason"), PROMOTIONS)
def test_new_student_is_promoted_when(
    only_student: float, only_standing: float, want_model: str, want_reason: str
) -> None:
    world = PlannedWorld(small_job().build())
    world.figures[Stage.TRAIN] = lambda _: trained(only_student=only_student, only_standing=only_standing)
    world.play()
    assert world.job.status.model is not None
    assert world.job.status.model.reference == want_model
    assert condition(world, "ModelPromoted")[1] == want_reason


def test_worse_student_is_not_scored_and_both_figures_are_told() -> None:
    world = PlannedWorld(small_job().build())
    world.figures[Stage.TRAIN] = lambda _: trained(only_student=1, only_standing=9)
    world.play()
    last_score = [each for each in world.started if each.stage is Stage.SCORE][-1]
    assert last_score.message.model_ref == "model-1"
    assert condition(world, "ModelPromoted")[2] == "new student is worse: 82.0 -> 80.0 % on gate gold"


def test_without_gold_the_gate_is_unknown_and_nothing_may_be_accepted() -> None:
    world = PlannedWorld(small_job().without_gold().build())
    world.figures[Stage.PREPARE] = lambda _: {"items": 1000}
    world.play()
    assert condition(world, "QualityGatePassed")[:2] == ("Unknown", "NoGold")
    assert not world.started[-1].message.acceptance.enabled


def test_missed_gate_holds_acceptance_and_export_but_no_round() -> None:
    free, gated = PlannedWorld(small_job().build()), PlannedWorld(small_job().with_gates(minimum_alpha=0.9).build())
    gated.figures[Stage.AGGREGATE] = lambda number: {
        "labelled": 100 * number,
        "min_class_count": 5 * number,
        "alpha": 0.5,
    }
    free.play()
    gated.play()
    assert gated.stages() == free.stages()
    assert condition(gated, "QualityGatePassed")[:2] == ("False", "GateMissed")
    assert condition(gated, "Complete")[0] == "True"
    finalize = gated.started[-1].message
    assert (finalize.acceptance.enabled, list(finalize.formats)) == (False, [])
    ungated = free.started[-1].message
    assert (ungated.acceptance.enabled, list(ungated.formats)) == (True, ["Csv", "Parquet"])


def test_gate_is_judged_again_after_every_aggregate() -> None:
    world = PlannedWorld(small_job().with_gates(minimum_class_accuracy={"3": 0.9, "1": 0.5}).build())
    world.figures[Stage.AGGREGATE] = lambda number: {
        "labelled": 100 * number,
        "min_class_count": 5 * number,
        "gate_classes": 2,
        "gate_class": 3,
        "gate_class_accuracy": 0.5 + 0.25 * number,
    }
    world.play()
    requests = [each.message for each in world.started if each.stage is Stage.AGGREGATE]
    assert [(each.class_name, each.accuracy) for each in requests[0].class_minimums] == [("1", 0.5), ("3", 0.9)]
    told = [event.reason for event in world.events if event.reason in {"NotMeasured", "GateMissed", "GatesMet"}]
    assert told == ["NotMeasured", "GateMissed", "GatesMet"]
    assert world.started[-1].message.acceptance.enabled


def test_job_waits_for_people_and_goes_on_by_itself() -> None:
    world = PlannedWorld(small_job().build(), people_answer=False)
    for _ in range(8):
        world.step()
    assert condition(world, "WaitingForAnnotations") == ("True", "VotesMissing", "60 votes are missing")
    assert world.plan is not None
    assert world.plan.start is None
    world.votes, world.votes_missing = 60, 0
    world.step()
    assert condition(world, "WaitingForAnnotations")[:2] == ("False", "VotesComplete")
    assert world.stages()[-1] == "Vote/1"


def test_job_waits_while_the_inbox_cannot_be_counted() -> None:
    world = PlannedWorld(small_job().build(), people_answer=False)
    for _ in range(6):
        world.step()
    plan = world.step(Observed(unavailable="UNAVAILABLE: no connection"))
    assert plan.start is None
    assert condition(world, "WaitingForAnnotations")[2] == "UNAVAILABLE: no connection"


def lost_connection() -> OperationError:
    return OperationError("StoreUnavailable", "bucket b does not answer", is_retryable=True)


def test_failed_stage_is_tried_again_under_a_new_id_after_a_delay() -> None:
    job = small_job().build()
    world = PlannedWorld(job)
    world.errors = {f"{job.metadata.name}/0/vote/{attempt}": lost_connection() for attempt in (1, 2)}
    world.play()
    tries = [each.request_id for each in world.started if "/0/vote/" in each.request_id]
    assert [each.rsplit("/", 1)[-1] for each in tries] == ["1", "2", "3"]
    assert condition(world, "Complete")[0] == "True"
    assert world.job.status.failures == {}


def test_delay_doubles_with_every_failure() -> None:
    job = small_job().build()
    world = PlannedWorld(job)
    world.errors = {f"{job.metadata.name}/0/vote/{attempt}": lost_connection() for attempt in range(1, 10)}
    delays = []
    for _ in range(12):
        plan = world.step()
        if plan.start is None and plan.requeue_after_seconds:
            delays.append(plan.requeue_after_seconds)
    assert delays[:4] == [2.0, 4.0, 8.0, 16.0]


def test_job_fails_after_the_backoff_limit_and_says_why() -> None:
    job = small_job().having("spec.run.backoffLimit", 2).build()
    world = PlannedWorld(job)
    world.errors = {f"{job.metadata.name}/0/vote/{attempt}": lost_connection() for attempt in range(1, 10)}
    world.play()
    assert condition(world, "Failed") == (
        "True",
        "BackoffLimitExceeded",
        "Vote of round 0: bucket b does not answer",
    )
    assert len([each for each in world.started if each.stage is Stage.VOTE]) == 3


def test_error_that_cannot_change_fails_the_job_at_once() -> None:
    job = small_job().with_uid("u1").build()
    world = PlannedWorld(job)
    error = OperationError("EmptyDataset", "s3://b/digits holds no image: put images there", is_retryable=False)
    world.errors = {f"{job.metadata.name}/prepare/u1": error}
    world.play()
    assert condition(world, "Failed")[1] == "EmptyDataset"
    assert world.stages() == ["Prepare/0"]


def test_failed_job_goes_on_when_its_spec_changes() -> None:
    job = small_job().having("spec.run.backoffLimit", 0).build()
    world = PlannedWorld(job)
    world.errors = {f"{job.metadata.name}/0/vote/1": lost_connection()}
    world.play()
    metadata = world.job.metadata.model_copy(update={"generation": world.job.metadata.generation + 1})
    world.job = world.job.model_copy(update={"metadata": metadata})
    world.errors = {}
    world.play()
    assert condition(world, "Complete")[0] == "True"
    assert f"{job.metadata.name}/0/vote/2" in [each.request_id for each in world.started]
    assert not is_true(world.job.status.conditions, "Failed")


def test_unbuilt_field_is_refused_by_name_and_nothing_starts() -> None:
    world = PlannedWorld(make_job().having("spec.task.type", "ObjectDetection").build())
    world.play()
    status, reason, message = condition(world, "Accepted")
    assert (status, reason) == ("False", "NotSupported")
    assert message.startswith("not supported yet: spec.task.type")
    assert world.started == []


def test_review_page_is_refused_on_clusters_alone() -> None:
    job = make_job().having("spec.sources.humans", {"inbox": {}}).build()
    on_cluster, on_laptop = PlannedWorld(job, installation=CLUSTER), PlannedWorld(job)
    on_cluster.step()
    assert condition(on_cluster, "Accepted")[2] == "not supported yet: spec.sources.humans.inbox"
    assert on_laptop.step().start is not None


def test_review_page_is_taken_on_a_cluster_whose_installation_serves_it() -> None:
    job = in_bucket().having("spec.sources.humans", {"inbox": {}}).build()
    world = PlannedWorld(job, installation=replace(CLUSTER, review_address="https://labels.example"))
    assert world.step().start is not None
    assert condition(world, "Accepted")[0] == "True"


def test_planning_again_after_losing_any_answer_gives_the_same_plan() -> None:
    """Level-triggered: whatever step is repeated or seen late, the same stages run once and the status is the same."""
    undisturbed = PlannedWorld(small_job().build())
    undisturbed.play()
    disturbed = PlannedWorld(small_job().build())
    for number in range(400):
        if number % 3 == 1:
            disturbed.step(Observed(unavailable="away"))
        before = disturbed.job
        plan = disturbed.step()
        if number % 4 == 2:
            disturbed.job = before  # the status was not written
        if plan.requeue_after_seconds is None:
            break
    assert disturbed.stages() == undisturbed.stages()
    assert [each.stages.keys() for each in disturbed.job.status.rounds] == [
        each.stages.keys() for each in undisturbed.job.status.rounds
    ]


def test_plan_is_pure() -> None:
    world = PlannedWorld(small_job().build())
    for _ in range(5):
        world.step()
    job, observed, now = world.job, world.observe(), world.now
    again = PlannedWorld(job, now=now, operations=world.operations)
    assert world.step(observed) == again.step(observed)


def test_running_operation_shows_its_progress_and_is_started_again() -> None:
    world = PlannedWorld(small_job().build())
    plan = world.step()
    assert plan.start is not None
    running = OperationView(
        plan.start.request_id, OperationState.RUNNING, done=10, total=40, unit="items", started=START
    )
    plan = world.step(Observed(operation=running))
    assert plan.start is not None
    operation = plan.status.operation
    assert operation is not None
    assert (operation.done, operation.total, operation.unit) == (10, 40, "items")


def test_operation_of_another_id_is_not_believed() -> None:
    world = PlannedWorld(small_job().build())
    world.step()
    other = OperationView("somebody/prepare/else", OperationState.SUCCEEDED)
    assert world.step(Observed(operation=other)).status.prepare is None


def test_earlier_rounds_of_the_prefix_are_continued() -> None:
    world = PlannedWorld(small_job().build())
    world.figures[Stage.PREPARE] = lambda _: {"items": 1000, "gold_gate": 50, "last_round": 3, "attempts": 2}
    world.votes = 60
    world.play()
    assert world.stages()[1] == "Vote/4"
    assert world.started[1].request_id.endswith("/4/vote/3")
    assert world.started[1].message.previous_votes_ref == ""


def test_second_review_counts_votes_of_both_rounds_as_paid() -> None:
    world = PlannedWorld(small_job().build())
    world.play()
    assert world.job.status.cost.votes == 120
    assert [each.votes for each in world.job.status.rounds] == [0, 60, 120]


def test_events_are_told_once_for_every_turn_of_a_condition() -> None:
    world = PlannedWorld(small_job().build())
    world.play()
    reasons = [event.reason for event in world.events]
    assert reasons.count("SpecValid") == 1
    assert reasons.count("Prepared") == 1
    assert reasons.count("BudgetSpent") == 1


def test_finished_job_is_left_alone() -> None:
    world = PlannedWorld(small_job().build())
    world.play()
    before = world.job.status
    plan = world.step(Observed(inbox=InboxView(votes=99, votes_missing=5)))
    assert plan.status == before
    assert plan.start is None


def test_profile_is_chosen_by_the_number_of_items_and_stays() -> None:
    large = PlannedWorld(small_job().build())
    large.figures[Stage.PREPARE] = lambda _: {"items": 200_001, "gold_gate": 1}
    large.play()
    assert large.job.status.profile == "Distributed"
    small = PlannedWorld(small_job().build())
    small.play()
    assert small.job.status.profile == "Small"


def test_status_survives_the_api_server() -> None:
    world = PlannedWorld(small_job().build())
    world.play()
    fields = world.job.status.model_dump(mode="json", by_alias=True)
    assert LabelingJobStatus.model_validate(fields) == world.job.status


def test_time_of_a_finished_round_is_noted() -> None:
    world = PlannedWorld(small_job().build(), now=START + timedelta(hours=1))
    world.play()
    assert world.job.status.rounds[0].finished_at is not None
    assert world.job.status.finished_at is not None
