import threading
from datetime import timedelta
from pathlib import Path

import pytest
from fake_clock import FakeClock
from mounted_secret import ACCESS, SECRET, MountedSecret

from labelplane_core.errors import AccessDenied
from labelplane_core.storage.credentials import FolderKeys, Keys

OTHERWISE = Keys("from", "variables")
TOKEN = "AWS_SESSION_TOKEN"
TURNS = 300


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path / "keys")


def keys_of(secret: MountedSecret, otherwise: Keys = OTHERWISE) -> FolderKeys:
    return FolderKeys(secret.folder, otherwise=otherwise, clock=FakeClock())


def test_keys_are_those_of_the_folder_as_it_is_now(secret: MountedSecret) -> None:
    keys = keys_of(secret)

    secret.turn_to({ACCESS: "a\n", SECRET: "s\n", TOKEN: "t"})
    first = keys.read()
    secret.turn_to({ACCESS: "b", SECRET: "s2"})

    assert first == Keys("a", "s", "t")
    assert keys.read() == Keys("b", "s2")


def test_plain_files_do_as_well(tmp_path: Path) -> None:
    (tmp_path / ACCESS).write_text("a")
    (tmp_path / SECRET).write_text("s")

    assert FolderKeys(tmp_path, otherwise=OTHERWISE, clock=FakeClock()).read() == Keys("a", "s")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="nothing"),
        pytest.param({ACCESS: "a"}, id="half a key"),
        pytest.param({ACCESS: "a", SECRET: " \n"}, id="an empty secret"),
    ],
)
def test_a_folder_without_whole_keys_leaves_the_others_or_says_what_it_lacks(
    secret: MountedSecret, files: dict[str, str]
) -> None:
    secret.turn_to(files)

    assert keys_of(secret).read() == OTHERWISE
    with pytest.raises(AccessDenied, match=rf"folder {secret.folder} holds no keys: it needs the files {ACCESS} and"):
        keys_of(secret, Keys()).read()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ACCESS).mkdir()

    with pytest.raises(AccessDenied, match=f"{ACCESS} cannot be read"):
        FolderKeys(tmp_path, otherwise=OTHERWISE, clock=FakeClock()).read()


def test_a_file_that_is_no_text_is_named_without_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / ACCESS).write_bytes(b"hunter\xff2")

    with pytest.raises(AccessDenied, match=f"{ACCESS} cannot be read: it is no text") as caught:
        FolderKeys(tmp_path, otherwise=OTHERWISE, clock=FakeClock()).read()

    assert "hunter" not in str(caught.value)


def test_the_client_is_told_to_ask_again_soon(secret: MountedSecret) -> None:
    secret.turn_to({ACCESS: "a", SECRET: "s"})
    clock = FakeClock()

    told = FolderKeys(secret.folder, otherwise=OTHERWISE, clock=clock)()

    assert told["expires_at"] is not None
    assert timedelta() < told["expires_at"] - clock.now() < timedelta(minutes=5)
    assert (told["access_key_id"], told["secret_access_key"], told["token"]) == ("a", "s", None)


def test_a_read_while_the_secret_turns_is_of_one_version(secret: MountedSecret) -> None:
    secret.turn_to({ACCESS: "k0", SECRET: "k0"})
    keys = keys_of(secret)

    def turn() -> None:
        for number in range(1, TURNS):
            secret.turn_to({ACCESS: f"k{number}", SECRET: f"k{number}"})

    turning = threading.Thread(target=turn)
    turning.start()
    seen = [keys.read()]
    while turning.is_alive():
        seen.append(keys.read())
    turning.join()

    assert all(each.access_key == each.secret_key for each in seen)
    assert OTHERWISE not in [Keys(each.access_key, each.secret_key) for each in seen]


def test_keys_are_not_shown() -> None:
    assert "hunter2" not in repr(Keys("a", "hunter2"))
