import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from job_builder import JobBuilder, make_cluster_job
from planned_world import START
from played_children import deployment, pod, ready, unschedulable, waiting
from plugin_world import cluster_world, manifest, plugin, with_times
from recorded_kubectl import RecordedKubectl, words

from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage
from labelplane_operator.observed import OperationError


def _scoring(builder: JobBuilder | None = None) -> LabelingJob:
    """Return a job that scores in round 2, a third of its items done."""
    world = cluster_world(builder)
    world.reach(Stage.SCORE, 2)
    operation = world.job.status.operation
    assert operation is not None
    running = operation.model_copy(update={"done": 333, "total": 1000, "unit": "items", "started_at": START})
    return with_times(world.job.with_status(world.job.status.model_copy(update={"operation": running})))


def _waiting(builder: JobBuilder | None = None) -> LabelingJob:
    world = cluster_world(builder, people_answer=False)
    world.reach(Stage.REVIEW, 0)
    for _ in range(3):
        world.step()
    return world.job


def _complete() -> LabelingJob:
    world = cluster_world(make_cluster_job().with_humans(price_per_vote=0.05).with_budget(money=20))
    world.play()
    return with_times(world.job)


def _failed() -> LabelingJob:
    world = cluster_world(make_cluster_job().with_run(backoff_limit=0))
    world.errors["digits/0/vote/1"] = OperationError("AccessDenied", "the bucket is locked", is_retryable=False)
    world.play()
    return world.job


def test_jobs_have_a_line_each_with_what_is_pressing(capsys: pytest.CaptureFixture[str]) -> None:
    score = _scoring(make_cluster_job().named("tickets", namespace="team-b"))
    assert plugin([_waiting(), score]).run("status", "-A") == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert words(head) == "NAMESPACE NAME STAGE ROUND LABELLED RIGHT VOTES COST AGE NOTE"
    assert words(first) == "default digits Waiting 0/20 0/1,000 - 0/120 - 30m VotesMissing: 60 votes are missing"
    assert words(second) == "team-b tickets Score 33 % 2/20 200/1,000 82.0 % 120/120 - 30m"


def test_numbers_end_under_each_other_and_no_line_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([_waiting(), _scoring(make_cluster_job().named("tickets"))]).run("status")
    lines = capsys.readouterr().out.splitlines()
    pairs = zip(lines, ("LABELLED", "0/1,000", "200/1,000"), strict=True)
    assert len({line.index(text) + len(text) for line, text in pairs}) == 1
    assert all(line == line.rstrip() for line in lines)


def test_a_namespace_without_jobs_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert plugin([]).run("status") == 0
    assert "no LabelingJob in this namespace; kubectl labelplane demo" in capsys.readouterr().out


def test_a_job_is_shown_with_its_figures_rounds_and_pods(capsys: pytest.CaptureFixture[str]) -> None:
    broken = waiting("connector", "CrashLoopBackOff", restarts=4, exit_code=2)
    children = (deployment("digits"), pod("digits", containers=(ready("small"), broken)))
    assert plugin([_scoring()], *children).run("status", "digits") == 0
    printed = [words(line) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "digits namespace default profile Small age 30m",
        "Score round 2/20 333/1,000 items",
        "labels 200 of 1,000 items decided by people",
        "model right 82.0 % (gate gold, ± 10.5), trained in round 2",
        "votes 120 of 120",
        "ROUND VOTES LABELLED RIGHT KAPPA ASKED TRAIN TOOK",
        "1 60 100 81.0 % 0.90 20 16 s 12 s",
        "Deployment digits 0 of 1 ready",
        "└─ pod digits-x2x7k Running small ready, connector CrashLoopBackOff (4 restarts)",
    ):
        assert line in printed


@pytest.mark.parametrize(
    ("job", "want"),
    [
        pytest.param(_failed, "! Failed is True: AccessDenied", id="what is wrong has a mark"),
        pytest.param(_waiting, "- WaitingForAnnotations is True: VotesMissing", id="who is waited for"),
        pytest.param(_complete, "- Complete is True: BudgetSpent", id="how it ended"),
        pytest.param(_complete, "cost $6.00 of $20.00", id="what it cost"),
    ],
)
def test_conditions_that_matter_are_shown(
    job: Callable[[], LabelingJob], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin([job()]).run("status", "digits")
    assert want in [words(line) for line in capsys.readouterr().out.splitlines()]


def test_pods_of_deployments_that_are_gone_are_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([_scoring()], deployment("digits", "aggregation", ready=1), pod("digits", "scoring")).run("status", "digits")
    assert "pods without a Deployment └─ pod digits-scoring-x2x7k Running scoring ready" in words(
        capsys.readouterr().out
    )


def test_a_user_who_may_not_read_pods_sees_the_job_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"deployments.apps,pods": 'Error from server (Forbidden): pods is forbidden: User "ann" cannot list'}
    assert plugin([_scoring()], refusals=refused).run("status", "digits") == 0
    printed = capsys.readouterr().out
    assert "Score" in printed
    assert "its pods cannot be read: kubectl get: Error from server (Forbidden): pods is forbidden" in printed


def test_a_job_whose_spec_is_no_longer_valid_is_shown_with_what_its_status_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = plugin([_scoring()])
    world.kubectl.jobs[0]["spec"]["task"]["type"] = "OfANewerVersion"
    assert world.run("status", "digits") == 0
    assert "Score round 2 333/1,000 items" in words(capsys.readouterr().out)
    assert world.run("explain", "digits") == 0
    assert "It does Score of round 2, which" in capsys.readouterr().out


def test_a_status_of_another_shape_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    world = plugin([_scoring()])
    world.kubectl.jobs[0]["status"]["rounds"] = "three"
    assert world.run("status", "digits") == 2
    want = "the status of digits cannot be read (rounds): take the plugin of the operator's version\n"
    assert capsys.readouterr().err == want


def test_a_job_that_nobody_has_seen_is_pending(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([make_cluster_job().build()]).run("status")
    assert words(capsys.readouterr().out.splitlines()[1]) == "digits Pending - - - 0/120 - 30m"


def test_json_has_what_the_tree_shows(capsys: pytest.CaptureFixture[str]) -> None:
    pending = unschedulable("digits", "small", "0/3 nodes are available")
    plugin([_scoring()], deployment("digits"), pending).run("status", "digits", "-o", "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["stage"], found["round"], found["maxRounds"]) == ("Score", 2, 20)
    assert found["operation"]["done"] == 333
    assert [each["round"] for each in found["rounds"]] == [0, 1, 2]
    assert found["workloads"][0]["pods"][0]["state"] == "Pending"
    assert found["pressing"] == []


def test_json_of_a_namespace_is_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([_waiting(), _complete()]).run("status", "--output=json")
    assert [each["stage"] for each in json.loads(capsys.readouterr().out)] == ["Waiting", "Complete"]


def test_watching_a_job_prints_each_change_once_and_ends_with_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    looks = 0

    def move_on(kubectl: RecordedKubectl) -> None:
        nonlocal looks
        looks += 1
        if looks == 6:  # two calls a look: the job and its pods
            kubectl.jobs = [manifest(_complete())]

    world = plugin([_scoring()], after_call=move_on)
    assert world.run("status", "digits", "--watch", "--interval", "60") == 0
    printed = capsys.readouterr().out
    assert printed.count("digits   namespace") == 2
    assert printed.count("Complete is True") == 1
    assert world.clock.time - START == timedelta(minutes=33)


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(("digits", "-A"), "give --namespace in place of --all-namespaces", id="a name in all namespaces"),
        pytest.param(("-w", "-o", "json"), "--watch is for people", id="a watch for scripts"),
        pytest.param(("-o", "yaml"), "see kubectl labelplane status --help", id="a format that there is not"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    arguments: tuple[str, ...], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plugin([]).run("status", *arguments) == 2
    error = capsys.readouterr().err
    assert want in error
    assert error.count("\n") == 1
