"""What the page of a job shows, from jobs that the planner has played."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from job_builder import make_job
from planned_world import PlannedWorld

from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_review.desk_client import Counts, PersonCounts
from labelplane_review.web.progress import job_state, job_view, newest_posteriors, person_view, stage_words

COUNTS = Counts(tasks=40, tasks_open=12, votes=77, votes_missing=13, votes_set_aside=2, person=None)
ANN = PersonCounts("ann", 30, 1, 10, 9, 2.5, datetime(2026, 1, 1, tzinfo=UTC))


def asking() -> PlannedWorld:
    return PlannedWorld(make_job().having("spec.sources.humans", {"inbox": {}}).build())


def test_new_job_shows_what_is_known_and_no_curve() -> None:
    view = job_view(asking().job, COUNTS, [])
    assert (view["state"], view["stage"], view["round"], view["curve"]["points"]) == ("running", "Starting", None, [])
    assert (view["votes"], view["votes_missing"], view["votes_set_aside"], view["tasks"]) == (77, 13, 2, 40)
    assert newest_posteriors(asking().job.status) == ""


def test_stage_is_told_in_words() -> None:
    world = asking()
    world.reach(Stage.PREPARE)
    assert stage_words(world.job) == "Reading the items"
    world.people_answer = False
    world.reach(Stage.REVIEW)
    assert stage_words(world.job) == "Making tasks"
    world.step()
    world.votes_missing = 9
    world.step()
    assert stage_words(world.job) == "Waiting for people"
    assert "9 votes" in job_view(world.job, COUNTS, [])["message"]


def test_accuracy_comes_with_its_interval_on_gate_gold() -> None:
    world = asking()
    world.reach(Stage.TRAIN, 3)
    world.step()
    world.step()
    curve = job_view(world.job, COUNTS, [])["curve"]
    assert curve["kind"] == "accuracy"
    first = curve["points"][0]
    assert first["of"] == 50
    assert first["low"] < first["value"] < first["high"]
    assert [point["round"] for point in curve["points"]] == sorted(point["round"] for point in curve["points"])
    assert newest_posteriors(world.job.status)


def test_without_gold_the_curve_is_how_alike_two_rounds_answer() -> None:
    world = asking()
    world.reach(Stage.TRAIN, 3)
    rounds = tuple(
        each.model_copy(update={"accuracy": None, "prediction_agreement": -0.1 if each.round == 1 else 0.8})
        for each in world.job.status.rounds
    )
    job = world.job.with_status(world.job.status.model_copy(update={"rounds": rounds}))
    curve = job_view(job, COUNTS, [])["curve"]
    assert (curve["kind"], curve["points"][1]["value"]) == ("stability", 0.0)
    assert "low" not in curve["points"][0]


@pytest.mark.parametrize(
    ("kind", "status", "want"),
    [
        pytest.param("Failed", "True", "failed", id="failed"),
        pytest.param("Accepted", "False", "failed", id="refused"),
        pytest.param("Complete", "True", "complete", id="complete"),
        pytest.param("Complete", "False", "running", id="not yet"),
    ],
)
def test_conditions_say_how_it_stands_and_why(kind: str, status: str, want: str) -> None:
    condition = {
        "type": kind,
        "status": status,
        "reason": "Why",
        "message": "this is why",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    job = make_job().build().with_status(LabelingJobStatus.model_validate({"conditions": [condition]}))
    assert job_state(job) == want
    if want != "running":
        assert job_view(job, COUNTS, [])["message"] == "this is why"
        assert stage_words(job).lower() == want


def test_cost_is_beside_its_bounds() -> None:
    job = make_job().with_humans(price_per_vote=0.1).having("spec.budget", {"votes": 90, "money": 5.0}).build()
    cost = job_view(job, COUNTS, [])["cost"]
    assert (cost["votes_budget"], cost["money_budget"], cost["money"], cost["currency"]) == (90, 5.0, 0.0, "USD")


@pytest.mark.parametrize(
    ("person", "allowed", "want"),
    [
        pytest.param(ANN, True, 0.9, id="ten gold answers"),
        pytest.param(ANN, False, None, id="the job does not allow it"),
        pytest.param(replace(ANN, gold_answered=4, gold_right=4), True, None, id="too few to say"),
        pytest.param(replace(ANN, gold_answered=5, gold_right=5), True, 1.0, id="enough"),
    ],
)
def test_agreement_is_shown_when_it_says_something(person: PersonCounts, allowed: bool, want: float | None) -> None:
    view = person_view(person, shows_agreement=allowed)
    assert view["agreement"] == want
    assert (view["gold_answered"] is None) is (want is None)
    assert (view["name"], view["votes"], view["last_seen"]) == ("ann", 30, "2026-01-01T00:00:00+00:00")
