import pytest
from job_builder import make_cluster_job
from plugin_world import cluster_world, plugin, with_times
from recorded_kubectl import words

from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage


def _job(*, rounds: int, gold: int = 50) -> LabelingJob:
    world = cluster_world(make_cluster_job().with_budget(votes=1200))
    world.figures[Stage.PREPARE] = lambda _: {"items": 1000, "gold_gate": gold, "last_round": -1}
    world.figures[Stage.SCORE] = lambda number: {"items": 1000, "kappa": 0.80 + 0.01 * number}
    world.reach(Stage.VOTE, rounds)
    return with_times(world.job)


def _lines(printed: str) -> list[str]:
    return [words(line) for line in printed.splitlines()]


def test_two_rounds_are_compared_figure_by_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert plugin([_job(rounds=5)]).run("diff", "digits", "1", "4") == 0
    assert _lines(capsys.readouterr().out) == [
        "round 1 round 4 change",
        "votes 60 240 +180",
        "labelled 100 400 +300",
        "asked about 20 20 +0",
        "model right 81.0 % 84.0 % +3.0 points (± 10.1: may be chance)",
        "kappa with the round before 0.81 0.84 +0.03",
        "student trained model-1 model-4 another",
        "time of Vote 16 s 19 s +3 s",
        "time of Aggregate 16 s 19 s +3 s",
        "time of Train 16 s 19 s +3 s",
        "time of Score 16 s 19 s +3 s",
        "time of Select 16 s 19 s +3 s",
        "time of Review 16 s 19 s +3 s",
    ]


def test_without_rounds_the_last_two_are_compared_and_what_is_not_there_is_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugin([_job(rounds=1)]).run("diff", "digits")
    lines = _lines(capsys.readouterr().out)
    assert lines[0] == "round 0 round 1 change"
    assert "model right - - -" in lines
    assert "time of Train skipped - -" in lines


def test_a_change_beyond_chance_is_not_called_chance(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([_job(rounds=5, gold=100_000)]).run("diff", "digits", "1", "4")
    assert "model right 81.0 % 84.0 % +3.0 points" in _lines(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("rounds", "arguments", "want"),
    [
        pytest.param(
            12,
            ("1", "12"),
            "digits has no round 1 in its status: give numbers from 3 to 12; the report has all of them",
            id="a round that is no longer listed",
        ),
        pytest.param(
            2, ("1", "7"), "digits has no round 7 in its status: give numbers from 0 to 2", id="a round to come"
        ),
        pytest.param(0, (), "digits has 1 round so far: two are needed to tell what changed", id="too early"),
        pytest.param(2, ("1",), "kubectl labelplane diff digits: give two rounds, or none for the last two", id="one"),
    ],
)
def test_rounds_that_cannot_be_compared_are_one_line(
    rounds: int, arguments: tuple[str, ...], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plugin([_job(rounds=rounds)]).run("diff", "digits", *arguments) == 2
    assert capsys.readouterr().err == f"{want}\n"


def test_a_job_without_rounds_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert plugin([make_cluster_job().build()]).run("diff", "digits", "0", "1") == 2
    assert capsys.readouterr().err == "digits has no round yet\n"
