import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from job_builder import make_job
from planned_world import PlannedWorld

from labelplane_api.job import LabelingJob
from labelplane_cli.embedded.run_folder import MAX_SOCKET_PATH, RunFolder
from labelplane_cli.errors import CliError, RunIsLive


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def played_job() -> LabelingJob:
    """Return a job in its second round, with a status that has something of everything."""
    world = PlannedWorld(make_job().with_uid("0af3").of_generation(4).with_budget(votes=90).build())
    while not any(each.round == 1 and each.stages for each in world.job.status.rounds):
        world.step()
    return world.job


def test_folder_without_a_run_has_no_state(folder: RunFolder) -> None:
    assert folder.read_state() is None


def test_state_is_read_back_as_it_was_written(folder: RunFolder) -> None:
    job = played_job()

    folder.write_state(job)
    state = folder.read_state()

    assert state is not None
    assert (state.name, state.uid, state.generation) == ("digits", "0af3", 4)
    assert state.status == job.status
    assert LabelingJob.model_validate({"metadata": {"name": "digits"}, "spec": state.spec}).spec == job.spec


def test_newer_state_takes_the_place_of_the_older_and_leaves_nothing_beside(folder: RunFolder) -> None:
    folder.write_state(make_job().with_uid("1").build())
    folder.write_state(make_job().with_uid("2").build())

    state = folder.read_state()

    assert state is not None
    assert state.uid == "2"
    assert [path.name for path in folder.path.iterdir()] == ["status.json"]


def test_killed_runs_leave_one_unfinished_state_at_most_and_it_is_never_read(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_state(make_job().with_uid("1").build())
    monkeypatch.setattr(os, "fsync", _killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            folder.write_state(make_job().with_uid("2").build())

    state = folder.read_state()

    assert state is not None
    assert state.uid == "1"
    assert len(list(folder.path.iterdir())) == 2


def _killed(descriptor: int) -> None:
    raise KeyboardInterrupt


def test_field_of_a_newer_version_in_the_status_is_passed_over(folder: RunFolder) -> None:
    folder.write_state(played_job())
    edit(folder, lambda fields: fields["status"].update(mood="good"))

    state = folder.read_state()

    assert state is not None
    assert state.status == played_job().status


def edit(folder: RunFolder, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder.path / "status.json"
    fields = json.loads(path.read_bytes())
    change(fields)
    path.write_text(json.dumps(fields), encoding="utf-8")


DAMAGES = [
    pytest.param(lambda fields: fields.pop("uid"), id="no uid"),
    pytest.param(lambda fields: fields.update(uid=7), id="a uid that is a number"),
    pytest.param(lambda fields: fields.update(generation="four"), id="a generation in words"),
    pytest.param(lambda fields: fields.update(spec=[]), id="a spec that is a list"),
    pytest.param(lambda fields: fields["spec"].pop("task"), id="a spec without its task"),
    pytest.param(lambda fields: fields["status"].update(rounds=3), id="rounds that are a number"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_state_is_called_damaged_that_has(folder: RunFolder, damage: Callable[[dict[str, Any]], object]) -> None:
    folder.write_state(played_job())
    edit(folder, damage)

    with pytest.raises(CliError, match=r"status\.json is damaged: remove it, and the run goes on"):
        folder.read_state()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="is empty"),
        pytest.param(b'{"name": "digits", "uid"', id="is cut off"),
        pytest.param(b"[]", id="is a list"),
        pytest.param(b"null", id="is null"),
        pytest.param(b"\xff\xfe\x00", id="is no text"),
    ],
)
def test_state_is_called_damaged_that(folder: RunFolder, content: bytes) -> None:
    (folder.path / "status.json").write_bytes(content)

    with pytest.raises(CliError, match=r"status\.json is damaged"):
        folder.read_state()


def test_epoch_rises_with_every_holder(tmp_path: Path) -> None:
    epochs = []
    for _ in range(3):
        with RunFolder(tmp_path / "made by the first").held() as epoch:
            epochs.append(epoch)

    assert epochs == [1, 2, 3]


def test_epoch_begins_anew_where_the_lock_holds_no_number(folder: RunFolder) -> None:
    (folder.path / "run.lock").write_text("who knows", encoding="utf-8")

    with folder.held() as epoch:
        assert epoch == 1
    with folder.held() as epoch:
        assert epoch == 2


def test_second_holder_is_refused_until_the_first_lets_go(folder: RunFolder) -> None:
    with folder.held() as first:
        with pytest.raises(RunIsLive, match="another labelplane runs this folder"), RunFolder(folder.path).held():
            pytest.fail("two hold the folder")
        with pytest.raises(RunIsLive), RunFolder(folder.path).held():
            pytest.fail("two hold the folder")
    with folder.held() as second:
        assert (first, second) == (1, 2)


def test_holder_that_fails_lets_go(folder: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError), folder.held():
        raise ZeroDivisionError
    with folder.held() as epoch:
        assert epoch == 2


def test_refused_file_of_the_holder_is_not_blamed_on_the_folder(folder: RunFolder) -> None:
    refused = PermissionError(errno.EACCES, "Permission denied", "elsewhere")

    with pytest.raises(PermissionError) as caught, folder.held():
        raise refused

    assert caught.value is refused


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_folder_that_cannot_be_made_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" if place == "a file" else tmp_path / "file" / "out"

    with (
        pytest.raises(CliError, match=rf"^{path}: .*: choose a folder that you may write, with --out$"),
        RunFolder(path).held(),
    ):
        pytest.fail("nothing is there to hold")


def test_services_listen_in_the_folder_and_a_socket_of_a_killed_run_is_taken_away(folder: RunFolder) -> None:
    own = folder.path / "services.sock"
    own.write_bytes(b"left by a killed run")

    with folder.socket() as address:
        assert address == f"unix:{own}"
        assert not own.exists()
        own.write_bytes(b"")

    assert not own.exists()


def test_services_of_a_folder_too_deep_for_a_socket_listen_elsewhere(tmp_path: Path) -> None:
    with RunFolder(tmp_path / ("deep" * 30)).socket() as address:
        path = Path(address.removeprefix("unix:"))
        assert len(str(path)) <= MAX_SOCKET_PATH
        assert path.parent.is_dir()
        assert not path.is_relative_to(tmp_path)

    assert not path.parent.exists()
