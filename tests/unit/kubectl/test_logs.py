from typing import Any

import pytest
from played_children import deployment, pod, ready, waiting
from plugin_world import Plugin, cluster_world, manifest, plugin
from recorded_kubectl import RecordedKubectl

from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage

CRASHING = waiting("connector", "CrashLoopBackOff", restarts=2, exit_code=1)
SMALL = pod("digits", containers=(ready("small"), CRASHING))
DISTRIBUTED = (
    deployment("digits", "aggregation"),
    pod("digits", "aggregation", containers=(ready("aggregation"), ready("connector"))),
    pod("digits", "scoring-worker", end="aaaaa"),
    pod("digits", "scoring-worker", end="bbbbb", containers=(waiting("scoring-worker", "ContainerCreating"),)),
)


def _training() -> LabelingJob:
    world = cluster_world()
    world.reach(Stage.TRAIN, 1)
    return world.job


def _complete() -> LabelingJob:
    world = cluster_world()
    world.play()
    return world.job


def _read(world: Plugin) -> list[str]:
    """Return what was read, as POD/CONTAINER."""
    calls = [call for call in world.kubectl.calls if "logs" in call]
    return [f"{call[call.index('logs') + 1]}/{call[call.index('logs') + 2].partition('=')[2]}" for call in calls]


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(
            (),
            [
                "digits-aggregation-x2x7k/aggregation",
                "digits-aggregation-x2x7k/connector",
                "digits-scoring-worker-aaaaa/scoring-worker",
            ],
            id="all that have begun",
        ),
        pytest.param(("--part", "aggregation"), ["digits-aggregation-x2x7k/aggregation"], id="a service alone"),
        pytest.param(("--part", "connector"), ["digits-aggregation-x2x7k/connector"], id="the connector"),
        pytest.param(("--part", "scoring-worker"), ["digits-scoring-worker-aaaaa/scoring-worker"], id="workers"),
    ],
)
def test_logs_are_those_of_the_part(arguments: tuple[str, ...], want: list[str]) -> None:
    world = plugin([_training()], *DISTRIBUTED)
    assert world.run("logs", "digits", *arguments) == 0
    assert _read(world) == want
    assert all(stream.is_stopped for stream in world.kubectl.streams.values())


def test_options_reach_kubectl() -> None:
    world = plugin([_training()], SMALL)
    world.run("logs", "digits", "--part", "small", "--since=5m", "--tail", "20", "-n", "team-a")
    assert world.kubectl.calls[-1] == [
        "--namespace=team-a",
        "logs",
        "digits-x2x7k",
        "--container=small",
        "--prefix",
        "--tail=20",
        "--since=5m",
    ]


def test_the_lives_before_are_those_of_containers_that_were_started_again() -> None:
    world = plugin([_training()], SMALL)
    world.run("logs", "digits", "--previous")
    assert _read(world) == ["digits-x2x7k/connector"]
    assert "--previous" in world.kubectl.calls[-1]


@pytest.mark.parametrize(
    ("job", "arguments", "want"),
    [
        pytest.param(
            _complete,
            (),
            "no container of digits has begun to write (digits is Complete): see kubectl labelplane explain digits",
            id="finished",
        ),
        pytest.param(
            _training,
            ("--part", "scoring"),
            "no container of the scoring of digits has begun to write (digits is Train): "
            "see kubectl labelplane explain digits",
            id="a part that is not up",
        ),
        pytest.param(_training, ("-f", "-p"), "--previous reads what has ended: leave out --follow", id="both"),
    ],
)
def test_nothing_to_read_is_one_line(
    job: Any, arguments: tuple[str, ...], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plugin([job()]).run("logs", "digits", *arguments) == 2
    assert capsys.readouterr().err == f"{want}\n"


@pytest.mark.parametrize("option", ["--tail=-1", "--follow"])
def test_a_log_that_may_not_be_read_is_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    forbidden = 'Error from server (Forbidden): pods "digits-x2x7k" is forbidden'
    assert plugin([_training()], SMALL, refusals={"logs": forbidden}).run("logs", "digits", option) == 2
    assert capsys.readouterr().err == f"kubectl logs: {forbidden}\n"


def test_a_pod_that_goes_while_its_log_is_read_is_no_failure() -> None:
    gone = 'Error from server (NotFound): pods "digits-x2x7k" not found'
    assert plugin([_training()], SMALL, refusals={"logs": gone}).run("logs", "digits") == 0


def test_following_takes_up_pods_and_lives_that_begin_later_and_ends_with_the_job() -> None:
    worker = pod("digits", "scoring-worker", end="later")
    again = pod("digits", containers=(ready("small"), ready("connector", restarts=3)))
    worlds = [[SMALL], [SMALL, worker], [again, worker], []]

    def move_on(kubectl: RecordedKubectl) -> None:
        look = sum("deployments.apps,pods" in call for call in kubectl.calls)
        kubectl.children = worlds[min(look, len(worlds) - 1)]
        if look == len(worlds):
            kubectl.jobs = [manifest(_complete())]

    world = plugin([_training()], SMALL, after_call=move_on)
    assert world.run("logs", "digits", "--follow") == 0
    assert _read(world) == [
        "digits-x2x7k/small",
        "digits-x2x7k/connector",
        "digits-scoring-worker-later/scoring-worker",
        "digits-x2x7k/connector",
    ]
    assert all("--follow" in call for call in world.kubectl.calls if "logs" in call)


def test_a_job_that_is_finished_is_followed_until_its_containers_have_written_all() -> None:
    world = plugin([_complete()], SMALL, log_looks=3)
    assert world.run("logs", "digits", "--follow") == 0
    assert world.clock.seconds == 3 * 2
    assert [stream.poll() for stream in world.kubectl.streams.values()] == [0, 0]


def test_a_job_that_goes_meanwhile_ends_following_and_one_that_never_was_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cleanup = pod("digits", "cleanup")

    def delete(kubectl: RecordedKubectl) -> None:
        if len(kubectl.calls) > 4:
            kubectl.jobs = []

    world = plugin([_complete()], cleanup, log_looks=2, after_call=delete)
    assert world.run("logs", "digits", "-f") == 0
    assert _read(world) == ["digits-cleanup-x2x7k/cleanup"]
    assert world.kubectl.jobs == []
    assert world.run("logs", "digits", "-f") == 2
    assert "no LabelingJob digits" in capsys.readouterr().err
