from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from faulty_proxy import Fault, FaultyProxy
from minio_server import MinioServer, running_minio
from s3_server import S3Server, options_for, running_s3_server
from store_conformance import StoreConformance

from labelplane_core.errors import (
    AlreadyExists,
    ObjectNotFound,
    PreconditionFailed,
    StoreRefused,
    StoreTimeout,
    StoreUnavailable,
)
from labelplane_core.storage import ObjectStore, RetryPolicy, StoredObject, open_store

_bucket_numbers = count()


Server = S3Server | MinioServer


@pytest.fixture(scope="module", params=[running_s3_server, running_minio], ids=["versitygw", "minio"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with request.param(tmp_path_factory.mktemp("s3") / "server") as running:
        yield running


@pytest.fixture
def bucket(server: Server) -> str:
    return server.make_bucket(f"bucket-{next(_bucket_numbers)}")


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(server.port).running() as running:
        yield running


@pytest.fixture
def faulty(proxy: FaultyProxy, bucket: str) -> ObjectStore:
    return open_store(bucket, options=options_for(proxy.endpoint))


def _impatient(proxy: FaultyProxy, bucket: str, *, seconds: float, attempts: int) -> ObjectStore:
    """Return a store that soon gives up waiting for an answer; on a slow machine that may be one that would come."""
    retry = RetryPolicy(attempts=attempts, first_seconds=0.01, max_seconds=0.05)
    return open_store(bucket, options=options_for(proxy.endpoint, timeout_seconds=seconds, retry=retry))


class TestS3Store(StoreConformance):
    @pytest.fixture
    def store(self, server: Server, bucket: str) -> ObjectStore:
        return open_store(bucket, options=server.options)


class TestS3StoreBelowAPrefix(StoreConformance):
    @pytest.fixture
    def store(self, server: Server, bucket: str) -> ObjectStore:
        return open_store(f"{bucket}/team a/job", options=server.options)


async def test_prefixes_keep_jobs_apart(server: Server, bucket: str) -> None:
    one = open_store(f"{bucket}/one", options=server.options)
    two = open_store(f"{bucket}/two", options=server.options)
    await one.put("a", b"1")

    assert not await two.exists("a")
    assert [info.key async for info in open_store(bucket, options=server.options).list()] == ["one/a"]


async def test_object_arrives_as_a_plain_file_of_a_server_that_keeps_files(tmp_path: Path) -> None:
    with running_s3_server(tmp_path) as server:
        await open_store(server.make_bucket("plain"), options=server.options).put("a/b", b"hello")

        assert (server.buckets / "plain/a/b").read_bytes() == b"hello"


@pytest.mark.parametrize(
    "fault", [Fault.RESET, Fault.BUSY, Fault.LOST_ANSWER, Fault.TRUNCATED, Fault.SILENT], ids=lambda f: f.value
)
async def test_two_faults_in_a_row_are_overcome_by_every_method(
    proxy: FaultyProxy, faulty: ObjectStore, bucket: str, fault: Fault
) -> None:
    if fault is Fault.SILENT:
        faulty = _impatient(proxy, bucket, seconds=0.3, attempts=12)
    proxy.faults.extend([fault, fault])
    etag = await faulty.create("a", b"one")
    proxy.faults.extend([fault, fault])
    etag = await faulty.replace("a", b"two", etag=etag)
    proxy.faults.extend([fault, fault])
    stored = await faulty.get("a")
    proxy.faults.extend([fault, fault])
    await faulty.put("a", b"three")
    proxy.faults.extend([fault] if fault is not Fault.TRUNCATED else [])
    assert await faulty.exists("a")
    proxy.faults.extend([fault, fault])
    await faulty.delete("a")

    assert (stored.data, stored.etag) == (b"two", etag)
    assert not await faulty.exists("a")


async def test_undecided_conflict_is_asked_again(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    proxy.faults.extend([Fault.CONFLICT, Fault.CONFLICT])
    etag = await faulty.create("a", b"one")
    proxy.faults.append(Fault.CONFLICT)
    await faulty.replace("a", b"two", etag=etag)
    proxy.faults.append(Fault.CONFLICT)
    with pytest.raises(PreconditionFailed):
        await faulty.replace("a", b"three", etag=etag)

    assert (await faulty.get("a")).data == b"two"


async def test_damaged_answer_is_read_again(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    await faulty.put("a", b"hello")
    proxy.faults.append(Fault.DAMAGED)

    assert (await faulty.get("a")).data == b"hello"


async def test_damaged_upload_is_sent_again(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    proxy.faults.extend([Fault.DAMAGED_UPLOAD, Fault.DAMAGED_UPLOAD])
    await faulty.create("a", b"hello")

    assert (await faulty.get("a")).data == b"hello"


async def test_server_whose_etags_are_no_checksums_is_believed_when_it_reads_back_the_same(
    proxy: FaultyProxy, faulty: ObjectStore
) -> None:
    proxy.faults.extend([Fault.OTHER_ETAG] * 3)
    etag = await faulty.put("a", b"hello")
    stored = await faulty.get("a")

    assert stored == StoredObject(b"hello", etag)
    assert len(proxy.requests) == 3


async def test_encrypted_object_is_read_twice_once(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    await faulty.put("a", b"hello")
    proxy.requests.clear()
    proxy.faults.extend([Fault.OTHER_ETAG] * 3)

    assert [(await faulty.get("a")).data for _ in range(2)] == [b"hello"] * 2
    assert len(proxy.requests) == 3


async def test_write_that_does_not_read_back_is_written_again(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    proxy.faults.extend([Fault.OTHER_ETAG, Fault.OTHER_ETAG_DAMAGED])
    await faulty.put("a", b"hello")

    assert [request.split()[0] for request in proxy.requests] == [b"PUT", b"GET", b"PUT"]


async def test_write_that_another_has_replaced_meanwhile_counts(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    proxy.faults.append(Fault.OTHER_ETAG)
    await faulty.put("a", b"hello")

    assert [request.split()[0] for request in proxy.requests] == [b"PUT", b"GET"]


async def test_lost_answer_of_a_create_that_another_won_is_a_refusal(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    await faulty.create("owner", b"other")
    proxy.faults.append(Fault.LOST_ANSWER)

    with pytest.raises(AlreadyExists):
        await faulty.create("owner", b"me")


async def test_lost_answer_of_a_replace_that_another_won_is_a_refusal(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    old = await faulty.create("owner", b"nobody")
    await faulty.put("owner", b"other")
    proxy.faults.append(Fault.RESET)

    with pytest.raises(PreconditionFailed):
        await faulty.replace("owner", b"me", etag=old)


@pytest.mark.parametrize(
    ("fault", "want"),
    [(Fault.RESET, StoreUnavailable), (Fault.BUSY, StoreUnavailable), (Fault.SILENT, StoreTimeout)],
    ids=["reset", "busy", "silent"],
)
async def test_fault_that_stays_is_raised_after_a_bounded_number_of_calls(
    proxy: FaultyProxy, faulty: ObjectStore, bucket: str, fault: Fault, want: type[Exception]
) -> None:
    attempts = 4
    if fault is Fault.SILENT:
        attempts = 2
        faulty = _impatient(proxy, bucket, seconds=1.0, attempts=attempts)
    proxy.faults.extend([fault] * 10)

    with pytest.raises(want, match="'a'"):
        await faulty.get("a")

    assert len(proxy.requests) == attempts


async def test_refusal_is_not_tried_again(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    with pytest.raises(ObjectNotFound):
        await faulty.get("absent")

    assert len(proxy.requests) == 1


async def test_listing_reports_a_fault(proxy: FaultyProxy, faulty: ObjectStore) -> None:
    proxy.faults.append(Fault.BUSY)

    with pytest.raises(StoreUnavailable):
        [info async for info in faulty.list()]


async def test_unreachable_server_is_unavailable(bucket: str) -> None:
    store = open_store(bucket, options=options_for("http://127.0.0.1:1"))

    with pytest.raises(StoreUnavailable):
        await store.get("a")


async def test_http_endpoint_is_refused_unless_allowed(server: Server, bucket: str) -> None:
    store = open_store(bucket, options=options_for(server.endpoint, allow_http=False))

    with pytest.raises((StoreUnavailable, StoreRefused)):
        await store.get("a")
