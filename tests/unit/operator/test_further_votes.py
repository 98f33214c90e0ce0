"""Items that are asked about again: what Review is told, what the budget leaves for it, when the rounds end."""

from typing import Any

import pytest
from job_builder import JobBuilder, make_job
from planned_world import PlannedWorld

from labelplane_api.conditions import ConditionType
from labelplane_api.status import Stage


def job(**humans: object) -> JobBuilder:
    return (
        make_job()
        .with_humans(votes_per_item=2, max_votes_per_item=5, least_gain=0.02, **humans)
        .with_sampling(min_per_class=3, initial_batch_size=20, batch_size=20)
        .with_budget(votes=150)
    )


def told(world: PlannedWorld) -> list[int | None]:
    """How many further votes each Review may ask for; None where it is not told to."""
    messages: list[Any] = [request.message for request in world.started if request.stage is Stage.REVIEW]
    return [message.further.at_most if message.HasField("further") else None for message in messages]


def test_review_is_told_what_votes_are_judged_by() -> None:
    world = PlannedWorld(job().build())
    start: Any = world.reach(Stage.REVIEW, 1).start
    further = start.message.further
    assert (further.posteriors_ref, further.reliabilities_ref, further.votes_ref) == (
        "posteriors-1",
        "reliabilities-1",
        "votes-1",
    )
    assert (further.most_votes_per_item, further.least_gain, further.at_most) == (5, 0.02, 20)


def test_further_votes_are_what_the_budget_pays_for_beyond_the_batch() -> None:
    world = PlannedWorld(job().build())
    world.play()
    # 150 votes: 40 a round for the batch. The third round leaves 30, and the fourth is cut to 15 items.
    assert told(world) == [20, 20, 20, None]


def test_a_job_with_a_fixed_overlap_asks_for_none() -> None:
    world = PlannedWorld(make_job().with_humans(votes_per_item=2).with_budget(votes=150).build())
    world.play()
    assert set(told(world)) == {None}


@pytest.mark.parametrize(
    ("tasks", "want_rounds"),
    [
        pytest.param(0, 3, id="no item is worth another vote"),
        pytest.param(5, 5, id="two rounds more are"),
    ],
)
def test_rounds_go_on_after_the_last_new_item_while_votes_are_worth_it(tasks: int, want_rounds: int) -> None:
    world = PlannedWorld(job().with_budget(votes=100_000).build())
    world.figures[Stage.SELECT] = lambda number: {"selected": 20 if number < 2 else 0}
    world.figures[Stage.REVIEW] = lambda number: {"tasks": 20 if number < 2 else tasks if number < 4 else 0}
    world.play()
    assert world.condition(ConditionType.COMPLETE)[1] == "EverythingLabelled"
    assert sum(request.stage is Stage.REVIEW for request in world.started) == want_rounds
