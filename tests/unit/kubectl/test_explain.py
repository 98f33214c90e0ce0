import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from job_builder import make_cluster_job
from planned_world import START, PlannedWorld
from played_children import deployment, pod, unschedulable, waiting
from plugin_world import cluster_world, plugin, seen

from labelplane_api.status import Stage
from labelplane_kubectl.explaining import Scene, explain
from labelplane_operator.observed import Observed, OperationError


def _fresh() -> PlannedWorld:
    return cluster_world()


def _refused() -> PlannedWorld:
    world = cluster_world(make_cluster_job().with_dataset(uri="a-folder"))
    world.step()
    return world


def _taken() -> PlannedWorld:
    world = cluster_world()
    world.errors["digits/prepare/u1"] = OperationError("PrefixTaken", "held by team-b/digits", is_retryable=True)
    world.step()
    world.step(world.observe())
    return world


def _preparing() -> PlannedWorld:
    world = cluster_world()
    world.step()
    return world


def _retrying() -> PlannedWorld:
    world = cluster_world(make_cluster_job().with_run(backoff_limit=3))
    for attempt in (1, 2):
        world.errors[f"digits/1/train/{attempt}"] = OperationError("StoreDown", "no answer", is_retryable=True)
    world.reach(Stage.TRAIN, 1)
    while world.job.status.failures.get(Stage.TRAIN) != 2:
        world.step()
    world.now -= timedelta(seconds=3)
    return world


def _waiting() -> PlannedWorld:
    world = cluster_world(
        make_cluster_job()
        .with_votes_from_files("s3://data/votes")
        .with_review(deadline_seconds=7200)
        .with_stop(target_accuracy=0.95, minimum_gain=0.01, prediction_agreement=0.98),
        people_answer=False,
    )
    world.reach(Stage.REVIEW, 0)
    for _ in range(3):
        world.step()
    return world


def _scoring_the_last() -> PlannedWorld:
    world = cluster_world()
    world.reach(Stage.SCORE, 2)
    return world


def _suspended() -> PlannedWorld:
    world = cluster_world()
    world.reach(Stage.TRAIN, 1)
    world.change(make_cluster_job().suspended())
    world.step(Observed())
    return world


def _resumed_unseen() -> PlannedWorld:
    world = _suspended()
    world.change(make_cluster_job())
    return world


def _to_rest_unseen() -> PlannedWorld:
    world = _preparing()
    world.change(make_cluster_job().suspended())
    return world


def _complete() -> PlannedWorld:
    world = cluster_world()
    world.play()
    return world


def _failed() -> PlannedWorld:
    world = cluster_world()
    world.errors["digits/0/vote/1"] = OperationError("AccessDenied", "the bucket is locked", is_retryable=False)
    world.play()
    return world


def _without_gold() -> PlannedWorld:
    world = cluster_world(
        make_cluster_job().with_gates(minimum_gold_accuracy=0.9).with_run(active_deadline_seconds=600)
    )
    world.figures[Stage.AGGREGATE] = lambda number: {
        "labelled": 100 * number,
        "min_class_count": 5 * number,
        "gate_accuracy": 0.7,
    }
    world.reach(Stage.TRAIN, 1)
    return world


def _told(world: PlannedWorld) -> str:
    return " ".join(explain(Scene(seen(world.job)), now=world.now))


@pytest.mark.parametrize(
    ("world", "want"),
    [
        pytest.param(_fresh, ["No operator has written anything about digits yet"], id="nobody has seen it"),
        pytest.param(
            _refused,
            ["It is refused, and nothing of it runs: spec.dataset.uri", "(SpecInvalid)", "goes on by itself when"],
            id="refused",
        ),
        pytest.param(
            _taken,
            ["for another job to leave its output prefix: held by team-b/digits", "asks for the prefix again at"],
            id="its prefix is taken",
        ),
        pytest.param(
            _preparing,
            ["It does Prepare, which claims the output prefix", "Then: the first round begins with Vote"],
            id="the first stage",
        ),
        pytest.param(
            _retrying,
            [
                "It is to do Train of round 1 (of 20 at most)",
                "Train has failed 2 times of 4 times that it may (run.backoffLimit)",
                "StoreDown: no answer",
                "The next try, number 3, is at",
                "(in 3 s)",
                "Then: Score.",
            ],
            id="a stage that fails",
        ),
        pytest.param(
            _waiting,
            [
                "Round 0 has asked, and 60 votes are missing",
                "files of votes it looks for at s3://data/votes",
                "It waits until 2026-01-01 02:00:",
                "then it goes on with the votes there are",
                "the next round begins with Vote",
                "round 20 (now 0)",
                "accuracy 95 % (not measured yet)",
                "a gain below 1 points a round",
                "predictions that agree with kappa 0.98",
                "pays for 120 more votes (40 items)",
            ],
            id="people are waited for",
        ),
        pytest.param(
            _scoring_the_last,
            ["Then: Finalize.", "It asks nobody any more (BudgetSpent): the budget of 120 votes is used up"],
            id="the last round",
        ),
        pytest.param(
            _suspended,
            ["It is suspended", "labelplane resume digits lets it go on: Train of round 1 continues from what it"],
            id="suspended",
        ),
        pytest.param(
            _resumed_unseen,
            ["The spec has changed since (generation 3; the status is about 2)", "run.suspend is false again"],
            id="resumed and not seen",
        ),
        pytest.param(_to_rest_unseen, ["It is to be suspended"], id="suspended and not seen"),
        pytest.param(
            _complete,
            [
                "It is complete (BudgetSpent)",
                "no pod of it is left",
                "Its results lie below s3://labels/runs/default/digits: labels labels-2, report report-2.",
            ],
            id="complete",
        ),
        pytest.param(
            _failed,
            ["It has failed (AccessDenied): Vote of round 0: the bucket is locked", "with try 2 of Vote of round 0"],
            id="failed",
        ),
        pytest.param(
            _without_gold,
            ["A quality gate is missed", "minimumGoldAccuracy: accuracy is 0.7", "It may work for another"],
            id="a missed gate and a bound of work",
        ),
    ],
)
def test_sentences_say_where_it_stands_and_what_comes_next(world: Callable[[], PlannedWorld], want: list[str]) -> None:
    told = _told(world())
    assert [each for each in want if each not in told] == []
    assert not re.search(r"\.\.|None|: \.", told)


def test_what_keeps_pods_from_running_is_told_as_they_show_it_now(capsys: pytest.CaptureFixture[str]) -> None:
    pending = unschedulable("digits", "small", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
    plugin([_preparing().job], deployment("digits"), pending).run("explain", "digits")
    printed = capsys.readouterr().out
    assert "Its pods cannot run (Unschedulable): pod digits-x2x7k: no node has nvidia.com/gpu free" in printed


def test_pods_that_are_not_ready_yet_are_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    plugin(
        [_preparing().job], deployment("digits"), pod("digits", containers=(waiting("small", "ContainerCreating"),))
    ).run("explain", "digits")
    assert "It waits for pods to be ready: Deployment digits has 0 of 1." in capsys.readouterr().out


def test_without_deployments_the_operator_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([_preparing().job]).run("explain", "digits")
    assert "Its Deployments are not there yet" in capsys.readouterr().out


def test_pods_that_may_not_be_read_are_not_guessed_at(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"deployments.apps,pods": "Error from server (Forbidden): pods is forbidden"}
    assert plugin([_preparing().job], refusals=refused).run("explain", "digits") == 0
    printed = capsys.readouterr().out
    assert "Its pods cannot be read: kubectl get: Error from server (Forbidden)" in printed
    assert "Its Deployments" not in printed


def test_a_deleted_job_says_what_it_is_held_by() -> None:
    world = _complete()
    told = explain(Scene(seen(world.job, deletionTimestamp=START.isoformat(), finalizers=["x"])), now=START)
    assert told[0] == "It is deleted, and held until its results are removed (output.deletionPolicy: Delete)."
