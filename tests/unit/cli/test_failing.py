import pytest
import typer
from typer.testing import CliRunner

from labelplane_aggregation.errors import AggregationError
from labelplane_api.errors import JobFileError, NotSupportedError, Problem, SpecInvalidError
from labelplane_cli.errors import BadFile, JobHasFailed, NoSuchItem
from labelplane_cli.failing import Session, error_lines, report_failure
from labelplane_core.errors import BadItem, StoreUnavailable

FAULT = 70

CASES = [
    pytest.param(BadFile("a.csv: is no table: give one"), ["a.csv: is no table: give one"], 2, id="a bad file"),
    pytest.param(NoSuchItem("no item 7"), ["no item 7"], 2, id="an item that is not there"),
    pytest.param(JobHasFailed("it broke"), ["it broke"], 1, id="a job that has failed"),
    pytest.param(
        JobHasFailed("bad items", is_bad_input=True), ["bad items"], 2, id="a job that has failed by what it was given"
    ),
    pytest.param(JobFileError(["j.yaml:1: a", "j.yaml:2: b"]), ["j.yaml:1: a", "j.yaml:2: b"], 2, id="a job file"),
    pytest.param(
        SpecInvalidError([Problem(("spec", "a"), "spec.a: x"), Problem(("spec", "b"), "spec.b: y")]),
        ["spec.a: x", "spec.b: y"],
        2,
        id="a spec",
    ),
    pytest.param(
        NotSupportedError(["spec.serving"]),
        ["not supported yet: spec.serving: leave it out of the job"],
        2,
        id="what is not built",
    ),
    pytest.param(BadItem("image 3: cut off"), ["image 3: cut off"], 2, id="an error of the services"),
    pytest.param(StoreUnavailable("the store is away"), ["the store is away"], 2, id="a store that is away"),
    pytest.param(AggregationError("no votes"), ["no votes"], 2, id="an error of the aggregation"),
    pytest.param(
        FileNotFoundError(2, "No such file or directory", "votes.csv"),
        ["votes.csv: No such file or directory: give a file or folder that you may read and write"],
        2,
        id="a file of the system",
    ),
]


@pytest.mark.parametrize(("error", "want_lines", "want_code"), CASES)
def test_error_is_told_by_its_own_lines_and_code(error: Exception, want_lines: list[str], want_code: int) -> None:
    failure = error_lines(error)

    assert (list(failure.lines), failure.exit_code) == (want_lines, want_code)


def test_error_inside_groups_counts_and_not_the_group() -> None:
    inner = ExceptionGroup("tasks", [BadFile("votes: bad")])

    assert list(error_lines(ExceptionGroup("services", [inner])).lines) == ["votes: bad"]


def test_error_that_nobody_meant_is_called_ours_with_its_place() -> None:
    try:
        raise ZeroDivisionError("oh")  # noqa: TRY301 - the frame is what is told
    except ZeroDivisionError as error:
        failure = error_lines(error)

    (line,) = failure.lines
    assert line.startswith("labelplane is at fault: ZeroDivisionError: oh (test_failing.py:")
    assert "--debug" in line
    assert failure.exit_code == FAULT


def test_system_error_without_a_file_is_called_ours() -> None:
    assert error_lines(OSError("strange")).exit_code == FAULT


def command_line() -> typer.Typer:
    app = typer.Typer()

    @app.command("run")
    def run(rounds: int) -> None:
        del rounds

    @app.callback()
    def options() -> None:
        pass

    return app


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(["run"], "labelplane run: missing argument 'rounds': see labelplane run", id="one is missing"),
        pytest.param(["run", "1", "--fast"], "labelplane run: no such option: --fast: see", id="an option is unknown"),
        pytest.param(["walk"], "labelplane: no such command 'walk': see labelplane --help", id="a command is unknown"),
    ],
)
def test_wrong_arguments_are_told_with_the_help_that_has_them(arguments: list[str], want: str) -> None:
    outcome = CliRunner().invoke(command_line(), arguments, prog_name="labelplane", standalone_mode=False)

    assert isinstance(outcome.exception, Exception)
    failure = error_lines(outcome.exception)
    (line,) = failure.lines
    assert line.startswith(want)
    assert failure.exit_code == 2


def test_failure_goes_to_the_error_output_as_bounded_lines_that_steer_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = report_failure(JobFileError(["a:1: \x1b[2J\nbad", "a:2: " + "x" * 5000]), Session())

    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert (code, captured.out) == (2, "")
    assert first == r"a:1: \x1b[2J bad"
    assert second.endswith("xxx...")
    assert len(second) == 2000


@pytest.mark.parametrize("debug", [True, False])
def test_traceback_is_shown_to_who_debugs_alone(capsys: pytest.CaptureFixture[str], *, debug: bool) -> None:
    report_failure(BadFile("a: b"), Session(debug=debug))

    assert ("BadFile" in capsys.readouterr().err) is debug
