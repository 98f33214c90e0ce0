import asyncio
import errno
import os
from pathlib import Path

import pytest
from obstore.store import MemoryStore
from store_conformance import StoreConformance

from labelplane_core.errors import (
    AccessDenied,
    BadKey,
    LinkLeavesRoot,
    NoConditionalPut,
    ObjectNotFound,
    StoreFull,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
)
from labelplane_core.storage import (
    FolderStore,
    ObjectStore,
    ObstoreStore,
    StoredObject,
    StoreOptions,
    open_store,
    probe_conditional_put,
)
from labelplane_core.storage.folder import _from_os_error, _raise_unless_absent


class TestFolderStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return FolderStore(tmp_path / "made" / "by the first write")


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return open_store("memory://")


class TestFolderStoreOpenedByAddress(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return open_store(f"file://{tmp_path}/with%20space")


def test_folder_store_keeps_objects_as_plain_files_that_others_may_read(tmp_path: Path) -> None:
    asyncio.run(FolderStore(tmp_path).put("a/b.txt", b"hello"))

    assert (tmp_path / "a/b.txt").read_bytes() == b"hello"
    assert (tmp_path / "a/b.txt").stat().st_mode & 0o777 == 0o644


async def test_folder_store_reads_files_that_people_put_there_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/1.png").write_bytes(b"png")
    store = FolderStore(tmp_path)

    assert (await store.get("cat/1.png")).data == b"png"
    assert [info.key async for info in store.list()] == ["cat/1.png"]
    assert [entry.name for entry in os.scandir(tmp_path)] == ["cat"]


async def test_folder_store_leaves_no_unfinished_file_after_success_or_refusal(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.create("a", b"1")
    with pytest.raises(Exception, match="exists already"):
        await store.create("a", b"2")

    assert list((tmp_path / ".labelplane/unfinished").iterdir()) == []


async def test_folder_store_sweeps_old_unfinished_files_and_spares_fresh_ones(tmp_path: Path) -> None:
    unfinished = tmp_path / ".labelplane/unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "killed").write_bytes(b"half")
    (unfinished / "in use").write_bytes(b"half")
    os.utime(unfinished / "killed", (0, 0))

    await FolderStore(tmp_path).put("a", b"1")

    assert [path.name for path in unfinished.iterdir()] == ["in use"]


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_link_that_leaves_the_folder_is_refused(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside / "secret" if kind == "file" else outside)
    key = "link" if kind == "file" else "link/secret"
    store = FolderStore(root)

    with pytest.raises(LinkLeavesRoot):
        await store.get(key)
    with pytest.raises(LinkLeavesRoot):
        await store.put(key, b"overwritten")
    with pytest.raises(LinkLeavesRoot):
        [info async for info in store.list()]
    assert (outside / "secret").read_bytes() == b"secret"


async def test_link_inside_the_folder_and_a_linked_root_are_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "a").mkdir(parents=True)
    (real / "a/1").write_bytes(b"one")
    (real / "alias").symlink_to(real / "a/1")
    (tmp_path / "root").symlink_to(real)
    store = FolderStore(tmp_path / "root")

    assert (await store.get("alias")).data == b"one"
    assert sorted([info.key async for info in store.list()]) == ["a/1", "alias"]


async def test_key_below_a_file_or_at_a_folder_is_refused(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.put("a/b", b"1")

    with pytest.raises(BadKey):
        await store.put("a/b/c", b"1")
    with pytest.raises(BadKey):
        await store.get("a")


async def test_listing_of_a_file_or_an_absent_folder_is_empty(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "absent")

    assert [info async for info in store.list()] == []
    await store.put("a", b"1")
    assert [info async for info in store.list("a")] == []


@pytest.mark.parametrize(
    ("number", "want"),
    [
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.ENAMETOOLONG, BadKey),
        (errno.ENOENT, ObjectNotFound),
        (errno.EIO, StoreUnavailable),
    ],
)
def test_error_of_the_file_system_becomes_ours_and_names_the_object(number: int, want: type[Exception]) -> None:
    error = _from_os_error("a/b", OSError(number, os.strerror(number)))

    assert type(error) is want
    assert "'a/b'" in str(error)


def test_unreadable_folder_in_a_listing_is_an_error_and_an_absent_one_is_not() -> None:
    with pytest.raises(PermissionError):
        _raise_unless_absent(PermissionError(errno.EACCES, "denied"))

    _raise_unless_absent(FileNotFoundError(errno.ENOENT, "absent"))


@pytest.mark.parametrize(
    ("uri", "want"),
    [
        pytest.param("file:///absent-folder-of-no-one", StoreNotFound, id="folder that does not exist"),
        pytest.param("file://host/folder", BadKey, id="folder on a host"),
        pytest.param("file:relative", BadKey, id="relative folder"),
        pytest.param("s3:///prefix", BadKey, id="no bucket"),
        pytest.param("s3://bucket/../x", BadKey, id="prefix that climbs"),
        pytest.param("s3://bucket/x?region=y", BadKey, id="query"),
        pytest.param("ftp://host/x", BadKey, id="unknown scheme"),
        pytest.param("/plain/path", BadKey, id="no scheme"),
    ],
)
def test_malformed_address_is_refused(uri: str, want: type[Exception]) -> None:
    with pytest.raises(want):
        open_store(uri, readonly=True)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(BadKey) as caught:
        open_store("s3://key:hunter2@bucket/x")

    assert "hunter2" not in str(caught.value)


def test_options_do_not_show_secrets() -> None:
    assert "hunter2" not in repr(StoreOptions(secret_key="hunter2", session_token="hunter2"))


def test_missing_certificate_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match=r"absent\.pem"):
        open_store("s3://bucket", options=StoreOptions(ca_bundle=tmp_path / "absent.pem"))


@pytest.mark.parametrize("uri", ["s3://bucket/prefix", "gs://bucket", "az://container/prefix"])
def test_cloud_addresses_open_without_contacting_anything(uri: str) -> None:
    options = StoreOptions(access_key="account", secret_key="a2V5")

    assert isinstance(open_store(uri, options=options), ObstoreStore)


async def test_store_opened_for_reading_reads_and_refuses_every_write(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    store = open_store(f"file://{tmp_path}", readonly=True)

    assert (await store.get("a")).data == b"1"
    assert await store.exists("a")
    assert [info.key async for info in store.list()] == ["a"]
    for write in (store.put("a", b""), store.create("b", b""), store.replace("a", b"", etag="x"), store.delete("a")):
        with pytest.raises(StoreReadOnly):
            await write
    assert [entry.name for entry in os.scandir(tmp_path)] == ["a"]


async def test_probe_refuses_a_store_whose_conditions_never_hold(tmp_path: Path) -> None:
    class Forgetful(FolderStore):
        async def create(self, key: str, data: bytes) -> str:
            return f"{await super().create(key, data)} forgotten"

    with pytest.raises(NoConditionalPut, match="the version it has just written"):
        await probe_conditional_put(Forgetful(tmp_path), key="probe")


async def test_write_whose_etag_is_no_checksum_is_read_back() -> None:
    store = ObstoreStore(MemoryStore(), where="memory://", verify=True)

    etag = await store.put("a", b"1")

    assert await store.get("a") == StoredObject(b"1", etag)


class _Careless(FolderStore):
    """A store that takes every write, as servers do that ignore conditions."""

    def __init__(self, root: Path, *, ignores_create: bool, ignores_replace: bool) -> None:
        super().__init__(root)
        self._ignores_create = ignores_create
        self._ignores_replace = ignores_replace

    async def create(self, key: str, data: bytes) -> str:
        return await (self.put(key, data) if self._ignores_create else super().create(key, data))

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        return await (self.put(key, data) if self._ignores_replace else super().replace(key, data, etag=etag))


@pytest.mark.parametrize(
    ("ignores_create", "ignores_replace", "want"), [(True, False, "If-None-Match"), (False, True, "If-Match")]
)
async def test_probe_refuses_a_store_that_ignores_a_condition(
    tmp_path: Path, ignores_create: bool, ignores_replace: bool, want: str
) -> None:
    store = _Careless(tmp_path, ignores_create=ignores_create, ignores_replace=ignores_replace)

    with pytest.raises(NoConditionalPut, match=want):
        await probe_conditional_put(store, key="probe")

    assert not await store.exists("probe")
