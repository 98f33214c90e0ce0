"""What every object store must do; a subclass gives a fixture `store`."""

import asyncio

import pytest

from labelplane_core.errors import AlreadyExists, BadKey, ObjectNotFound, PreconditionFailed
from labelplane_core.storage import ObjectStore, probe_conditional_put, put_once

COMPETITORS = 20


class StoreConformance:
    @pytest.mark.parametrize(
        ("key", "data"),
        [
            pytest.param("a.bin", b"", id="no bytes"),
            pytest.param("deep/er/folder/b.bin", b"\x00\xff" * 7, id="binary in folders"),
            pytest.param(
                "with space/ü#%20?&+=*[x].txt", b"x", id="characters that addresses and shells give a meaning"
            ),
            pytest.param("日本/\u202fnarrow space.png", b"x", id="other scripts"),
            pytest.param("large.bin", bytes(range(256)) * 30_000, id="more than one part of a multipart upload"),
        ],
    )
    async def test_what_was_put_is_read_back_and_listed(self, store: ObjectStore, key: str, data: bytes) -> None:
        etag = await store.put(key, data)

        stored = await store.get(key)

        assert stored.data == data
        assert stored.etag == etag
        assert await store.exists(key)
        assert [(info.key, info.size_bytes) async for info in store.list()] == [(key, len(data))]

    async def test_put_replaces_what_is_there_and_changes_the_etag(self, store: ObjectStore) -> None:
        first = await store.put("a/b", b"one")
        second = await store.put("a/b", b"two")

        assert (await store.get("a/b")).data == b"two"
        assert first != second

    async def test_missing_object_is_not_found_by_name(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFound, match=r"nowhere/x\.bin"):
            await store.get("nowhere/x.bin")
        assert not await store.exists("nowhere/x.bin")

    async def test_a_folder_is_no_object(self, store: ObjectStore) -> None:
        await store.put("folder/a", b"1")

        assert not await store.exists("folder")

    async def test_deleted_object_is_gone_and_may_be_deleted_again(self, store: ObjectStore) -> None:
        await store.put("a/b", b"1")

        await store.delete("a/b")
        await store.delete("a/b")

        assert not await store.exists("a/b")
        assert [info async for info in store.list()] == []

    async def test_create_refuses_what_exists_and_keeps_it(self, store: ObjectStore) -> None:
        await store.create("a", b"one")

        with pytest.raises(AlreadyExists, match="'a'"):
            await store.create("a", b"two")

        assert (await store.get("a")).data == b"one"

    async def test_create_after_delete_succeeds(self, store: ObjectStore) -> None:
        await store.create("a", b"one")
        await store.delete("a")

        await store.create("a", b"two")

        assert (await store.get("a")).data == b"two"

    async def test_replace_of_the_standing_version_succeeds_in_a_chain(self, store: ObjectStore) -> None:
        etag = await store.create("a", b"0")
        for text in (b"1", b"2", b"3"):
            etag = await store.replace("a", text, etag=etag)

        stored = await store.get("a")
        assert (stored.data, stored.etag) == (b"3", etag)

    async def test_replace_of_an_old_version_is_refused(self, store: ObjectStore) -> None:
        old = await store.create("a", b"one")
        await store.put("a", b"two")

        with pytest.raises(PreconditionFailed, match="'a'"):
            await store.replace("a", b"three", etag=old)

        assert (await store.get("a")).data == b"two"

    async def test_replace_of_what_is_gone_is_refused(self, store: ObjectStore) -> None:
        etag = await store.create("a", b"one")
        await store.delete("a")

        with pytest.raises(PreconditionFailed):
            await store.replace("a", b"two", etag=etag)

        assert not await store.exists("a")

    async def test_of_many_concurrent_creates_exactly_one_wins(self, store: ObjectStore) -> None:
        results = await asyncio.gather(
            *(store.create("owner", f"process {number}".encode()) for number in range(COMPETITORS)),
            return_exceptions=True,
        )

        winners = [number for number, result in enumerate(results) if isinstance(result, str)]
        assert len(winners) == 1
        assert all(isinstance(result, AlreadyExists) for result in results if not isinstance(result, str))
        assert (await store.get("owner")).data == f"process {winners[0]}".encode()

    async def test_of_many_concurrent_replaces_of_one_version_exactly_one_wins(self, store: ObjectStore) -> None:
        etag = await store.create("owner", b"nobody")

        results = await asyncio.gather(
            *(store.replace("owner", f"process {number}".encode(), etag=etag) for number in range(COMPETITORS)),
            return_exceptions=True,
        )

        winners = [number for number, result in enumerate(results) if isinstance(result, str)]
        assert len(winners) == 1
        assert all(isinstance(result, PreconditionFailed) for result in results if not isinstance(result, str))
        assert (await store.get("owner")).data == f"process {winners[0]}".encode()

    async def test_counter_by_compare_and_set_loses_no_step(self, store: ObjectStore) -> None:
        await store.create("counter", b"0 by nobody")

        async def add_one(name: int) -> None:
            while True:
                stored = await store.get("counter")
                value = int(stored.data.split()[0]) + 1
                try:
                    await store.replace("counter", f"{value} by {name}".encode(), etag=stored.etag)
                except PreconditionFailed:
                    continue
                return

        await asyncio.gather(*(add_one(name) for name in range(COMPETITORS)))

        assert int((await store.get("counter")).data.split()[0]) == COMPETITORS

    async def test_listing_is_by_folders_at_any_depth(self, store: ObjectStore) -> None:
        for key in ("a/1", "a/b/2", "ab/3", "4"):
            await store.put(key, b"x")

        listed = {
            prefix: sorted([info.key async for info in store.list(prefix)]) for prefix in ("", "a", "a/", "a/b", "zz")
        }

        assert listed == {
            "": ["4", "a/1", "a/b/2", "ab/3"],
            "a": ["a/1", "a/b/2"],
            "a/": ["a/1", "a/b/2"],
            "a/b": ["a/b/2"],
            "zz": [],
        }

    async def test_put_once_keeps_what_exists(self, store: ObjectStore) -> None:
        assert await put_once(store, "part", b"first")
        assert not await put_once(store, "part", b"second")
        assert (await store.get("part")).data == b"first"

    async def test_probe_finds_conditional_puts_and_leaves_nothing(self, store: ObjectStore) -> None:
        await probe_conditional_put(store, key="probe-1")

        assert [info async for info in store.list()] == []

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param("", id="empty"),
            pytest.param("/etc/passwd", id="absolute"),
            pytest.param("a/../../b", id="parent"),
            pytest.param("./a", id="dot"),
            pytest.param("a//b", id="empty segment"),
            pytest.param("a/", id="closing slash"),
            pytest.param("a\nb", id="line feed"),
            pytest.param("a\x00b", id="nul"),
            pytest.param("a\udcff", id="not UTF-8"),
            pytest.param(".labelplane/locks/00", id="the store's own folder"),
            pytest.param("x" * 1025, id="too long"),
        ],
    )
    async def test_malformed_key_is_refused_by_every_method(self, store: ObjectStore, key: str) -> None:
        calls = (
            lambda: store.get(key),
            lambda: store.put(key, b"x"),
            lambda: store.create(key, b"x"),
            lambda: store.replace(key, b"x", etag="e"),
            lambda: store.delete(key),
            lambda: store.exists(key),
        )
        for call in calls:
            with pytest.raises(BadKey):
                await call()
