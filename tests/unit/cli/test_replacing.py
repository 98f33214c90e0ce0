import os
from pathlib import Path

import pytest

from labelplane_cli.errors import BadFile
from labelplane_cli.replacing import check_folder_of, replace_file


def test_new_file_is_written_whole_with_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()

    replace_file(tmp_path / "a", b"data")

    assert (tmp_path / "a").read_bytes() == b"data"
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "usual"]


def test_file_that_is_there_is_replaced_and_its_rights_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a longer text than the new one")
    (tmp_path / "a").chmod(0o600)

    replace_file(tmp_path / "a", b"new")

    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")

    replace_file(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("place", ["a folder", "below a file", "in a folder that is not there"])
def test_file_that_cannot_be_written_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = {"a folder": Path("f"), "below a file": Path("x/a"), "in a folder that is not there": Path("none/a")}[place]
    Path("f").mkdir()
    Path("x").touch()

    with pytest.raises(BadFile, match=f"^{path}: cannot be written"):
        replace_file(path, b"data")
    with pytest.raises(BadFile, match=f"^{path}: "):
        check_folder_of(path)

    assert sorted(each.name for each in Path().iterdir()) == ["f", "x"]


def test_file_in_a_folder_that_is_there_passes(tmp_path: Path) -> None:
    check_folder_of(tmp_path / "a")


def test_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    check_folder_of(pipe)
    replace_file(pipe, b"data")

    assert pipe.is_fifo()
    assert os.read(reader, 10) == b"data"
    os.close(reader)
