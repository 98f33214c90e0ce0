"""What is removed when the results of a deleted job go, and what is not."""

import json
from pathlib import Path

import pytest

from labelplane_aggregation import cleanup
from labelplane_aggregation.errors import PrefixTaken
from labelplane_aggregation.removing import remove_results
from labelplane_aggregation.requests import Ownership
from labelplane_core.errors import DamagedRecord, StoreUnavailable
from labelplane_core.storage import FolderStore, Layout

OWNER = Ownership("test", "team", "digits")
LAYOUT = Layout()
RESULTS = (
    "operations/digits/prepare/u1.json",
    "dataset/index-00000.parquet",
    "votes/people/00000001.parquet",
    "rounds/0000/aggregate/1/posteriors.parquet",
    "export/labels.csv",
    "report/index.html",
)


def claim(owner: Ownership = OWNER) -> bytes:
    fields = {"installation": owner.installation, "namespace": owner.namespace, "name": owner.name, "dataset": "d"}
    return json.dumps(fields).encode()


async def store_with(folder: Path, *keys: str, owner: Ownership | None = OWNER) -> FolderStore:
    store = FolderStore(folder)
    for key in keys:
        await store.put(key, b"x")
    if owner is not None:
        await store.put(LAYOUT.owner, claim(owner))
    return store


async def keys(store: FolderStore) -> set[str]:
    return {info.key async for info in store.list()}


class Journal(FolderStore):
    """A store that notes what is removed, and in which a writer may be at work."""

    def __init__(self, root: Path, *, comes_again: int = 0) -> None:
        super().__init__(root)
        self.removed: list[str] = []
        self.comes_again = comes_again

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self.removed.append(key)
        if self.comes_again:
            self.comes_again -= 1
            await self.put(f"late/{len(self.removed)}", b"x")


async def test_everything_goes_and_the_claim_goes_last(tmp_path: Path) -> None:
    await store_with(tmp_path, *RESULTS)
    store = Journal(tmp_path)

    assert await remove_results(store, LAYOUT, OWNER) == len(RESULTS) + 1

    assert await keys(store) == set()
    assert store.removed[-1] == "owner.json"


async def test_removing_again_removes_nothing(tmp_path: Path) -> None:
    store = await store_with(tmp_path, *RESULTS)
    await remove_results(store, LAYOUT, OWNER)

    assert await remove_results(store, LAYOUT, OWNER) == 0


async def test_a_removal_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    store = await store_with(tmp_path, *RESULTS)
    for key in RESULTS[:3]:
        await store.delete(key)

    assert await remove_results(store, LAYOUT, OWNER) == len(RESULTS) - 3 + 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Ownership("test", "team", "letters"), id="another job"),
        pytest.param(Ownership("test", "other", "digits"), id="a job of this name elsewhere"),
        pytest.param(Ownership("second", "team", "digits"), id="this job of another installation"),
    ],
)
async def test_results_of_another_job_are_never_removed(tmp_path: Path, other: Ownership) -> None:
    store = await store_with(tmp_path, *RESULTS, owner=other)

    with pytest.raises(PrefixTaken, match=f"{other.namespace}/{other.name} of installation {other.installation}"):
        await remove_results(store, LAYOUT, OWNER)

    assert await keys(store) == {*RESULTS, "owner.json"}


async def test_a_claim_that_cannot_be_read_removes_nothing(tmp_path: Path) -> None:
    store = await store_with(tmp_path, *RESULTS)
    await store.put(LAYOUT.owner, b"{}")

    with pytest.raises(DamagedRecord, match=r"owner\.json"):
        await remove_results(store, LAYOUT, OWNER)

    assert set(RESULTS) < await keys(store)


async def test_where_nobody_has_claimed_the_prefix_only_the_jobs_operations_go(tmp_path: Path) -> None:
    strangers = ("photos/1.png", "operations/letters/prepare/u1.json")
    store = await store_with(tmp_path, RESULTS[0], *strangers, owner=None)

    assert await remove_results(store, LAYOUT, OWNER) == 1

    assert await keys(store) == set(strangers)


async def test_a_job_below_the_prefix_and_the_data_set_stay(tmp_path: Path) -> None:
    others = ("pilot/owner.json", "pilot/export/labels.csv", "items/1.png")
    store = await store_with(tmp_path, *RESULTS, *others, "itemsets/1.json")

    assert await remove_results(store, LAYOUT, OWNER, kept=("items",)) == len(RESULTS) + 2

    assert await keys(store) == set(others)


async def test_what_comes_while_it_is_removed_goes_too(tmp_path: Path) -> None:
    await store_with(tmp_path, *RESULTS)
    store = Journal(tmp_path, comes_again=2)

    assert await remove_results(store, LAYOUT, OWNER) == len(RESULTS) + 3
    assert await keys(store) == set()


async def test_a_writer_that_does_not_end_is_named_and_the_claim_stays(tmp_path: Path) -> None:
    await store_with(tmp_path, *RESULTS)
    store = Journal(tmp_path, comes_again=1000)

    with pytest.raises(StoreUnavailable, match="late/"):
        await remove_results(store, LAYOUT, OWNER)

    assert "owner.json" in await keys(store)


# -- the process ------------------------------------------------------------------------------------------------------


def environment(folder: Path, **changes: str) -> dict[str, str]:
    settings = {"STORE_URI": folder.as_uri(), "INSTALLATION": "test", "JOB_NAMESPACE": "team", "JOB_NAME": "digits"}
    return {f"LABELPLANE_{name}": value for name, value in (settings | changes).items()}


def test_a_data_set_below_the_results_is_told_apart(tmp_path: Path) -> None:
    settings = cleanup.CleanupSettings.from_environment(
        environment(tmp_path, DATA_URI=f"{tmp_path.as_uri()}/my%20items/")
    )

    assert settings.kept() == ("my items",)
    assert settings.owner == OWNER


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"STORE_URI": ""}, "LABELPLANE_STORE_URI: String should have at least 1 character", id="no store"),
        pytest.param({"JOB_NAME": ""}, "LABELPLANE_JOB_NAME: String should have", id="no job"),
        pytest.param({"STORE_URI": "ftp://out"}, "address 'ftp://out' must be file:///folder", id="no such store"),
        pytest.param({"DATA_URI": "same"}, "the data set lies in the folder of the results", id="items among results"),
        pytest.param({"INSTALLATION": "other"}, "belongs to job team/digits of installation test", id="not its own"),
    ],
)
def test_wrong_settings_are_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], want: str
) -> None:
    (tmp_path / "owner.json").write_bytes(claim())
    if "DATA_URI" in changes:
        changes = {"DATA_URI": f"{tmp_path.as_uri()}/"}

    assert cleanup.main(environment(tmp_path, **changes)) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labelplane cleanup: ")
    assert want in line
    assert (tmp_path / "owner.json").exists()


def test_a_folder_is_emptied_by_the_process_and_again_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "labels.csv").write_text("item,label\n")
    (tmp_path / "owner.json").write_bytes(claim())

    assert [cleanup.main(environment(tmp_path)) for _ in range(2)] == [0, 0]

    assert capsys.readouterr().out.splitlines() == [
        f"labelplane cleanup: {count} objects below {tmp_path.as_uri()} are removed" for count in (2, 0)
    ]
