import pytest
from job_builder import make_cluster_job
from plugin_world import plugin

from labelplane_kubectl.completing import completions

JOBS = [make_cluster_job().named(name).build() for name in ("digits", "dogs", "tickets")]


@pytest.mark.parametrize(
    ("words", "want"),
    [
        pytest.param(("s",), ["status", "suspend"], id="a command"),
        pytest.param(("-n", "status", "ex"), ["explain"], id="a namespace that is called as a command"),
        pytest.param(("status", "d"), ["digits", "dogs"], id="a job"),
        pytest.param(("logs", "--namespace", "team-a", ""), ["digits", "dogs", "tickets"], id="a job of a namespace"),
        pytest.param(("suspend", "digits", ""), [], id="nothing after the job"),
        pytest.param(("demo", ""), [], id="a command without a job"),
        pytest.param(("logs", "digits", "--f"), ["--follow"], id="an option"),
        pytest.param(("diff", "--con"), ["--context"], id="an option of kubectl"),
    ],
)
def test_the_last_word_is_completed(words: tuple[str, ...], want: list[str]) -> None:
    found = completions(words, plugin(JOBS).kubectl)
    assert [each.partition("\t")[0] for each in found] == want


def test_the_first_words_are_the_commands_with_what_they_do() -> None:
    found = dict(each.split("\t") for each in completions([""], plugin(JOBS).kubectl))
    assert list(found) == ["status", "explain", "diff", "logs", "suspend", "resume", "demo"]
    assert found["diff"].startswith("Compare two rounds")


def test_jobs_are_those_of_the_cluster_that_the_words_name() -> None:
    world = plugin(JOBS)
    completions(["status", "-n", "team-a", "--context=prod", ""], world.kubectl)
    assert world.kubectl.calls[0][:3] == ["--namespace=team-a", "--context=prod", "get"]


def test_a_cluster_that_does_not_answer_has_no_candidates() -> None:
    assert completions(["status", ""], plugin(JOBS, refusals={"get": "Unable to connect"}).kubectl) == []
