import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from store_conformance import COMPETITORS, StoreConformance

from labelplane_core.errors import AlreadyExists, PreconditionFailed
from labelplane_core.storage import FolderStore, ObjectStore, OverlayStore, open_store


class TestOverlayStore(StoreConformance):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return OverlayStore(open_store("memory://"), open_store("memory://"))


@pytest.fixture
def below(tmp_path: Path) -> ObjectStore:
    return FolderStore(tmp_path)


@pytest.fixture
def above() -> ObjectStore:
    return open_store("memory://")


@pytest.fixture
def store(below: ObjectStore, above: ObjectStore) -> OverlayStore:
    return OverlayStore(below, above)


async def test_object_below_shows_with_its_version(store: OverlayStore, below: ObjectStore) -> None:
    etag = await below.put("a", b"lower")

    stored = await store.get("a")

    assert (stored.data, stored.etag) == (b"lower", etag)
    assert await store.exists("a")


async def test_write_goes_above_and_what_is_below_stays(
    store: OverlayStore, below: ObjectStore, above: ObjectStore
) -> None:
    await below.put("a", b"lower")

    await store.put("a", b"upper")

    assert (await store.get("a")).data == b"upper"
    assert (await above.get("a")).data == b"upper"
    assert (await below.get("a")).data == b"lower"


async def test_version_below_is_replaced_by_one_above(store: OverlayStore, below: ObjectStore) -> None:
    etag = await below.put("a", b"lower")

    new = await store.replace("a", b"upper", etag=etag)

    stored = await store.get("a")
    assert (stored.data, stored.etag) == (b"upper", new)
    assert (await below.get("a")).data == b"lower"


async def test_version_below_that_was_covered_is_replaced_no_more(store: OverlayStore, below: ObjectStore) -> None:
    etag = await below.put("a", b"lower")
    await store.put("a", b"upper")

    with pytest.raises(PreconditionFailed, match="'a'"):
        await store.replace("a", b"late", etag=etag)

    assert (await store.get("a")).data == b"upper"


async def test_replace_of_another_version_than_that_below_is_refused(store: OverlayStore, below: ObjectStore) -> None:
    old = await below.put("a", b"old")
    await below.put("a", b"lower")

    with pytest.raises(PreconditionFailed, match="'a'"):
        await store.replace("a", b"upper", etag=old)

    assert (await store.get("a")).data == b"lower"


async def test_of_many_concurrent_replaces_of_a_version_below_one_wins_and_the_others_are_told_of_a_change(
    store: OverlayStore, below: ObjectStore
) -> None:
    etag = await below.put("a", b"lower")

    results = await asyncio.gather(
        *(store.replace("a", f"{number}".encode(), etag=etag) for number in range(COMPETITORS)),
        return_exceptions=True,
    )

    winners = [number for number, result in enumerate(results) if isinstance(result, str)]
    assert len(winners) == 1
    assert {type(result) for result in results} == {str, PreconditionFailed}
    assert (await store.get("a")).data == f"{winners[0]}".encode()


async def test_create_is_refused_where_something_lies_below(
    store: OverlayStore, below: ObjectStore, above: ObjectStore
) -> None:
    await below.put("a", b"lower")

    with pytest.raises(AlreadyExists, match="'a'"):
        await store.create("a", b"upper")

    assert not await above.exists("a")


async def test_delete_shows_what_is_below_again(store: OverlayStore, below: ObjectStore) -> None:
    await below.put("a", b"lower")
    await store.put("a", b"upper")

    await store.delete("a")
    await store.delete("a")

    assert (await store.get("a")).data == b"lower"


async def test_listing_merges_both_and_shows_what_covers_once(store: OverlayStore, below: ObjectStore) -> None:
    for key, data in (("f/covered", b"lower"), ("f/low", b"1"), ("other/low", b"1")):
        await below.put(key, data)
    for key, data in (("f/covered", b"longer above"), ("f/up", b"22"), ("other/up", b"22")):
        await store.put(key, data)

    listed = sorted([(info.key, info.size_bytes) async for info in store.list("f")])

    assert listed == [("f/covered", len(b"longer above")), ("f/low", 1), ("f/up", 2)]


WRITES: list[Callable[[ObjectStore], Awaitable[object]]] = [
    lambda store: store.put("new", b"1"),
    lambda store: store.create("new", b"1"),
    lambda store: store.delete("a"),
]


@pytest.mark.parametrize("write", WRITES, ids=["put", "create", "delete"])
async def test_nothing_below_is_changed_by(
    store: OverlayStore, below: ObjectStore, write: Callable[[ObjectStore], Awaitable[object]]
) -> None:
    etag = await below.put("a", b"lower")

    await write(store)

    assert [(info.key, (await below.get(info.key)).etag) async for info in below.list()] == [("a", etag)]
