"""A status holds the last rounds of a job; what a decision needs of the others is summed up."""

import pytest
from job_builder import JobBuilder, make_cluster_job
from planned_world import CLUSTER, PlannedWorld

from labelplane_api.conditions import ConditionType
from labelplane_api.status import EarlierRounds, LabelingJobStatus, RoundStatus, Stage
from labelplane_operator.history import last_figure, last_reference
from labelplane_operator.policies.stopping import decide_stop

LONG = make_cluster_job().with_budget(votes=100_000).with_stop(max_rounds=15)


def played(builder: JobBuilder) -> PlannedWorld:
    world = PlannedWorld(builder.build(), installation=CLUSTER)
    world.play()
    return world


def test_status_of_a_long_job_lists_its_last_ten_rounds() -> None:
    status = played(LONG).job.status

    assert [each.round for each in status.rounds] == list(range(6, 16))
    assert status.earlier is not None
    assert (status.earlier.rounds, status.earlier.batches, status.earlier.asked) == (6, 6, 120)
    assert status.earlier.accuracy == pytest.approx(0.85)
    assert status.earlier.stages[Stage.TRAIN].results["model"] == "model-5"


def test_status_of_a_short_job_sums_up_nothing() -> None:
    assert played(LONG.with_stop(max_rounds=9)).job.status.earlier is None


def test_status_lists_as_many_rounds_as_a_stop_rule_looks_back() -> None:
    status = played(LONG.with_stop(patience=12)).job.status

    assert len(status.rounds) == 13


def test_stop_rule_with_a_long_patience_has_all_the_rounds_that_it_looks_at() -> None:
    world = PlannedWorld(
        LONG.with_stop(max_rounds=40, prediction_agreement=0.95, patience=12).build(), installation=CLUSTER
    )
    world.figures[Stage.SCORE] = lambda number: {"items": 1000, "kappa": 0.5 if number < 6 else 0.99}
    world.play()

    assert world.condition(ConditionType.COMPLETE)[1] == "PredictionsAgree"
    assert world.stages()[-1] == "Finalize/17"  # rounds 6 to 17


@pytest.mark.parametrize(
    ("earlier", "want"),
    [
        pytest.param(EarlierRounds(rounds=5, accuracy=0.9), True, id="a better round that is not listed"),
        pytest.param(EarlierRounds(rounds=5, accuracy=0.5), False, id="worse rounds that are not listed"),
        pytest.param(EarlierRounds(rounds=5), False, id="rounds without a model that are not listed"),
    ],
)
def test_gain_is_measured_against(earlier: EarlierRounds, *, want: bool) -> None:
    job = LONG.with_stop(max_rounds=1000, minimum_gain=0.01, patience=2).build()
    rounds = tuple(RoundStatus(round=number, accuracy=0.5 + 0.03 * (number - 5)) for number in range(5, 15))

    stop = decide_stop(job, LabelingJobStatus(rounds=rounds, earlier=earlier))

    assert (stop is not None and stop.reason == "GainTooSmall") == want


def test_newest_result_of_a_stage_is_found_in_rounds_that_are_not_listed() -> None:
    """Where classes grow, training may be skipped for many rounds."""
    world = PlannedWorld(LONG.build(), installation=CLUSTER)
    world.figures[Stage.AGGREGATE] = lambda number: {
        "labelled": 100 * number,
        "min_class_count": 5 if number == 2 else 0,
    }
    world.play()

    status = world.job.status
    assert all(Stage.SCORE not in each.stages for each in status.rounds)
    assert last_reference(status, Stage.SCORE, "scores") == "scores-2"
    assert last_figure(status, Stage.SCORE, "kappa") == 0.9
    assert world.started[-1].message.model_predictions.scores_ref == "scores-2"  # type: ignore[attr-defined]


def test_long_status_survives_the_api_server() -> None:
    status = played(LONG).job.status

    assert LabelingJobStatus.model_validate(status.to_manifest(), by_alias=True, by_name=False) == status


def test_stage_is_never_empty_once_a_job_was_looked_at() -> None:
    world = PlannedWorld(LONG.build(), installation=CLUSTER, people_answer=False)
    words = []
    for _ in range(60):
        world.step()
        words.append(world.job.status.stage)
        if words[-1] == "Waiting":
            world.votes, world.votes_missing = world.votes + world.votes_missing, 0

    assert list(dict.fromkeys(words))[:6] == ["Prepare", "Vote", "Aggregate", "Select", "Review", "Waiting"]
    assert all(words)
