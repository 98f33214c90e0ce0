from datetime import timedelta
from typing import Any

import pytest
from job_builder import JobBuilder, make_job
from planned_world import START, PlannedWorld

from labelplane_api.status import EarlierRounds, LabelingJobStatus, ProgressStatus, RoundStatus, Stage, StageResult
from labelplane_cli.forecast import Batch, expected_batches, seconds_left


def job() -> JobBuilder:
    return (
        make_job()
        .with_humans(votes_per_item=3)
        .with_sampling(initial_batch_size=30, batch_size=20)
        .with_stop(max_rounds=4)
    )


def sizes(builder: JobBuilder, *, items: int = 1000, status: LabelingJobStatus | None = None) -> list[int]:
    return [batch.items for batch in expected_batches(builder.build(), status or LabelingJobStatus(), items=items)]


def test_new_job_begins_with_a_batch_without_a_model_and_asks_in_every_round() -> None:
    assert expected_batches(job().build(), LabelingJobStatus(), items=1000) == [
        Batch(0, 30, 90, is_cold_start=True),
        Batch(1, 20, 60, is_cold_start=False),
        Batch(2, 20, 60, is_cold_start=False),
        Batch(3, 20, 60, is_cold_start=False),
    ]


RULES_ALONE = (
    job()
    .having("spec.sources.humans", None)
    .having("spec.sources.rules", [{"name": "r", "label": "1", "regex": "one"}])
)


@pytest.mark.parametrize(
    ("builder", "items", "want"),
    [
        pytest.param(job(), 45, [30, 15], id="the items are used up"),
        pytest.param(job(), 0, [], id="there is no item"),
        pytest.param(job().with_budget(votes=160), 1000, [30, 20, 3], id="the votes are used up"),
        pytest.param(job().with_budget(votes=2), 1000, [], id="the votes pay for no item"),
        pytest.param(
            job().with_humans(price_per_vote=0.5).with_budget(money=60.0), 1000, [30, 10], id="the money is used up"
        ),
        pytest.param(job().with_stop(max_rounds=1), 1000, [30], id="there is one round"),
        pytest.param(RULES_ALONE, 1000, [], id="nobody is asked"),
    ],
)
def test_batches_end_when(builder: JobBuilder, items: int, want: list[int]) -> None:
    assert sizes(builder, items=items) == want


def asked(number: int, *, items: int, seconds: float | None = 10.0, is_trained: bool = True) -> RoundStatus:
    """Return a round that asked about `items`; one that goes on where `seconds` is None."""
    began = START + timedelta(seconds=10 * number)
    stages = {Stage.SELECT: StageResult(request_id="x", figures={"selected": float(items)})}
    if is_trained:
        stages[Stage.TRAIN] = StageResult(request_id="x")
    ended = None if seconds is None else began + timedelta(seconds=seconds)
    return RoundStatus(round=number, stages=stages, started_at=began, finished_at=ended)


def test_what_was_asked_about_is_asked_about_no_more() -> None:
    status = LabelingJobStatus(rounds=(asked(0, items=30), asked(1, items=20)))

    assert sizes(job(), items=55, status=status) == [5]
    assert sizes(job(), items=1000, status=status) == [20, 20]


def test_batches_that_are_not_listed_any_more_are_counted() -> None:
    builder = job().with_stop(max_rounds=20)
    earlier = EarlierRounds(rounds=8, batches=8, asked=170)
    status = LabelingJobStatus(rounds=(asked(8, items=20), asked(9, items=20)), earlier=earlier)

    assert sizes(builder, items=1000, status=status) == [20] * 10
    assert sizes(builder, items=215, status=status) == [5]


@pytest.mark.parametrize(
    "budget",
    [pytest.param({"votes": 210}, id="votes"), pytest.param({}, id="rounds alone")],
)
def test_forecast_of_a_new_job_is_what_the_planner_then_asks(budget: dict[str, int]) -> None:
    builder = job().with_sampling(min_per_class=3).with_budget(**budget)
    world = PlannedWorld(builder.build())
    world.figures[Stage.SELECT] = lambda number: {"selected": [30, 20, 20, 20][number]}
    world.play()

    messages: list[Any] = [request.message for request in world.started if request.stage is Stage.SELECT]
    asked_for = [message.batch_size for message in messages]
    assert sizes(builder) == asked_for


def running(*rounds: RoundStatus, items: int = 1000) -> LabelingJobStatus:
    return LabelingJobStatus(rounds=rounds, progress=ProgressStatus(items=items))


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(running(), id="before the first round"),
        pytest.param(running(asked(0, items=30, seconds=None, is_trained=False)), id="in the first round"),
        pytest.param(
            running(asked(0, items=30, is_trained=False), asked(1, items=20, seconds=None)),
            id="when the cold start alone is over",
        ),
    ],
)
def test_nobody_knows_how_long_the_rest_takes(status: LabelingJobStatus) -> None:
    assert seconds_left(job().build(), status, now=START) is None


def test_rest_is_as_many_usual_rounds_as_are_left_and_one_for_the_end() -> None:
    rounds = (
        asked(0, items=30, seconds=1, is_trained=False),
        asked(1, items=20, seconds=10),
        asked(2, items=20, seconds=None),
    )
    now = START + timedelta(seconds=24)

    # What goes on (4 s of it are over), one further batch, and the end, 10 s each.
    assert seconds_left(job().build(), running(*rounds), now=now) == pytest.approx(3 * 10 - 4)


def test_rest_that_takes_longer_than_expected_is_not_negative() -> None:
    rounds = (asked(0, items=30, is_trained=False), asked(1, items=20), asked(2, items=20, seconds=None))

    assert seconds_left(job().build(), running(*rounds), now=START + timedelta(hours=1)) == 0


def test_one_slow_round_does_not_decide() -> None:
    rounds = (
        asked(0, items=30, seconds=1000),
        asked(1, items=20, seconds=10),
        asked(2, items=20, seconds=10),
        asked(3, items=20, seconds=None),
    )

    seconds = seconds_left(job().build(), running(*rounds), now=START + timedelta(seconds=30))

    assert seconds == pytest.approx(20)
