import io

import pytest
from rich.console import Console

from labelplane_kubectl.watching import Frame, watch


def _frames(*texts: str) -> list[Frame]:
    return [Frame([text], text.split()[0], is_last=number == len(texts) - 1) for number, text in enumerate(texts)]


def _watched(frames: list[Frame], *, is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)
    left = iter(frames)
    watch(console, lambda: next(left), pause=lambda: None)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_file_gets_each_change_once_and_not_the_passing_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = _frames("Train 1s", "Train 2s", "Score 3s", "Complete 4s")
    assert _watched(frames, is_terminal=False, monkeypatch=monkeypatch) == "Train 1s\n\nScore 3s\n\nComplete 4s\n"


def test_a_terminal_gets_every_frame_in_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _watched(_frames("Train 1s", "Train 2s", "Complete 3s"), is_terminal=True, monkeypatch=monkeypatch)
    assert all(text in written for text in ("Train 1s", "Train 2s", "Complete 3s"))
    assert "\x1b[2K" in written
    assert written.index("Train 1s") < written.index("\x1b[2K") < written.index("Complete 3s")
