import io
from pathlib import Path

import pytest
from rich.console import Console

from labelplane_cli.terminal import (
    error_output,
    folder_at,
    is_live,
    one_line,
    output,
    print_next,
    printable,
    short_path,
)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("zähler 日本 – €", "zähler 日本 – €", id="letters of any script stay"),
        pytest.param("a\x1b[31mb", r"a\x1b[31mb", id="an escape sequence"),
        pytest.param("a\rb\nc\td", r"a\rb\nc\td", id="what moves the cursor"),
        pytest.param("a\x9bb", r"a\x9bb", id="a control character of eight bits"),
        pytest.param("a\u202eb", r"a\u202eb", id="what turns the direction of writing"),
        pytest.param("a\udcffb", r"a\udcffb", id="a byte that is no text"),
    ],
)
def test_text_is_made_printable(text: str, want: str) -> None:
    assert printable(text) == want


def test_message_becomes_one_line() -> None:
    assert one_line("  first\n\tsecond   third\r\n") == "first second third"


@pytest.mark.parametrize(
    ("length", "want"), [pytest.param(2000, "x" * 2000, id="kept"), pytest.param(2001, "x" * 1997 + "...", id="cut")]
)
def test_long_message_is(length: int, want: str) -> None:
    assert one_line("x" * length) == want


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("{here}/out/a", "out/a", id="below the working folder"),
        pytest.param("file://{here}/out", "out", id="an address below it"),
        pytest.param("file://{here}/with%20space", "with space", id="an encoded address"),
        pytest.param("{here}/with%20space", "with%20space", id="a path that looks encoded"),
        pytest.param("out", "out", id="relative"),
        pytest.param("/elsewhere/a", "/elsewhere/a", id="elsewhere"),
        pytest.param("s3://bucket/a", "s3://bucket/a", id="in a bucket"),
    ],
)
def test_path_is_told_as_somebody_here_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, want: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert short_path(path.format(here=Path.cwd())) == want


def test_path_object_is_never_taken_for_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert short_path(Path.cwd() / "100%20") == "100%20"


@pytest.mark.parametrize(
    ("address", "want"),
    [
        pytest.param("file:///a%20b/c", Path("/a b/c"), id="of a folder"),
        pytest.param("a/b", Path("a/b"), id="that is a path"),
        pytest.param("s3://bucket/a", None, id="of a bucket"),
    ],
)
def test_folder_is_read_from_an_address(address: str, want: Path | None) -> None:
    assert folder_at(address) == want


def test_next_steps_stand_in_columns_below_the_first() -> None:
    sink = io.StringIO()

    print_next(
        Console(file=sink, width=160, highlight=False, markup=False),
        [("open the report", "out/[report].html"), ("ask why", "labelplane explain out ITEM")],
    )

    assert sink.getvalue().splitlines() == [
        "  Next: open the report  out/[report].html",
        "        ask why          labelplane explain out ITEM",
    ]


@pytest.mark.parametrize(
    ("is_terminal", "kind", "want"),
    [
        pytest.param(True, "xterm", True, id="on a terminal"),
        pytest.param(True, "dumb", False, id="not on a dumb one"),
        pytest.param(False, "xterm", False, id="not in a file"),
    ],
)
def test_lines_move(is_terminal: bool, kind: str, want: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, _environ={"TERM": kind})

    assert is_live(console) is want


def test_results_and_errors_go_to_streams_of_their_own_and_long_lines_are_not_wrapped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output().print("[bold]" + "x" * 500)
    error_output().print(":smile: 12")

    captured = capsys.readouterr()
    assert captured.out == "[bold]" + "x" * 500 + "\n"
    assert captured.err == ":smile: 12\n"
