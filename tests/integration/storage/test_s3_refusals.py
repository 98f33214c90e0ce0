"""What a server refuses is told in one line: which object or bucket, what is the case, and what to do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Certificate, make_authority
from faulty_proxy import Fault, FaultyProxy
from minio_server import MinioServer, running_minio
from mounted_secret import ACCESS, SECRET, MountedSecret
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server, options_for, running_s3_server

from labelplane_core.errors import (
    AccessDenied,
    NoConditionalPut,
    StoreError,
    StoreNotFound,
    StoreNotTrusted,
    StoreRefused,
)
from labelplane_core.storage import open_store, probe_conditional_put

Server = S3Server | MinioServer
_bucket_numbers = count()


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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        pytest.param(
            {"secret_key": "hunter2"},
            AccessDenied,
            "access denied: the secret key does not belong to the access key: check the credentials",
            id="another secret",
        ),
        pytest.param(
            {"access_key": "nobody"},
            AccessDenied,
            "access denied: the server does not know the access key: check the credentials",
            id="an unknown key",
        ),
        pytest.param(
            {"region": "eu-west-9"},
            StoreRefused,
            "the region is not the bucket's: set the region; it says that it is us-east-1",
            id="another region",
        ),
    ],
)
async def test_wrong_access_names_the_object_and_what_to_check_by_every_method(
    server: Server, bucket: str, changes: dict[str, Any], kind: type[StoreError], said: str
) -> None:
    store = open_store(f"{bucket}/job", options=options_for(server.endpoint, **changes))

    for call in (store.put("a", b"1"), store.create("a", b"1"), store.get("a")):
        with pytest.raises(kind) as caught:
            await call
        line = str(caught.value)
        assert line.startswith(f"object 'a' in {bucket}/job: {said}")
        assert "\n" not in line
        assert "hunter2" not in line


async def test_folder_without_keys_is_named_and_its_keys_count_once_they_are_there(
    server: Server, bucket: str, tmp_path: Path
) -> None:
    secret = MountedSecret(tmp_path / "keys")
    options = options_for(server.endpoint, access_key="", secret_key="", credentials=secret.folder)
    store = open_store(bucket, options=options)

    with pytest.raises(AccessDenied, match=f"object 'a' in {bucket}: access denied: folder {secret.folder} holds no"):
        await store.put("a", b"1")
    secret.turn_to({ACCESS: ACCESS_KEY, SECRET: SECRET_KEY})
    await store.put("a", b"1")

    assert (await store.get("a")).data == b"1"


async def test_absent_bucket_is_named(server: Server) -> None:
    store = open_store("s3://no-such-bucket", options=server.options)

    for call in (store.get("a"), store.put("a", b"1")):
        with pytest.raises(StoreNotFound) as caught:
            await call
        assert str(caught.value) == ("s3://no-such-bucket: the bucket does not exist: make it, or correct the address")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(Fault.ACCEPTED, "ignores If-None-Match", id="it ignores the condition"),
        pytest.param(Fault.UNKNOWN, "does not know this kind of request, as conditional puts", id="it says so"),
    ],
)
async def test_server_without_conditional_puts_is_refused_by_the_probe(
    proxy: FaultyProxy, bucket: str, fault: Fault, said: str
) -> None:
    store = open_store(bucket, options=options_for(proxy.endpoint))
    proxy.faults.extend([fault] * 2)

    with pytest.raises(NoConditionalPut, match=said) as caught:
        await probe_conditional_put(store, key="probe")

    assert "use a server with" in str(caught.value)
    assert not await store.exists("probe")


# -- certificates -----------------------------------------------------------------------------------------------------


async def test_server_is_trusted_by_the_authority_that_is_given_and_by_no_other(
    authority: Authority, tmp_path: Path
) -> None:
    issued = authority.issue("server")
    with running_minio(tmp_path / "minio", certificate=issued, authority=authority.own.certificate) as server:
        address = server.make_bucket("labels")
        trusting = open_store(address, options=server.options)
        await trusting.create("a", b"1")

        assert (await trusting.get("a")).data == b"1"
        with pytest.raises(
            StoreNotTrusted, match=r"object 'a' in s3://labels: .*give the authority's as the CA bundle"
        ):
            await open_store(address, options=options_for(server.endpoint)).get("a")


@pytest.mark.parametrize(
    ("issuing", "said"),
    [
        pytest.param({"expired": True}, "the server's certificate has expired: renew it there", id="expired"),
        pytest.param({"address": "127.0.0.9"}, "the server's certificate is for another name", id="another name"),
    ],
)
async def test_certificate_that_does_not_hold_is_told_and_not_tried_again(
    authority: Authority, issuing: dict[str, Any], said: str
) -> None:
    async with _tls_listener(authority.issue("old", **issuing)) as (port, connections):
        options = options_for(f"https://127.0.0.1:{port}", ca_bundle=authority.own.certificate, allow_http=False)

        with pytest.raises(StoreNotTrusted) as caught:
            await open_store("s3://labels", options=options).put("a", b"1")

        assert str(caught.value).startswith(f"object 'a' in s3://labels: {said}")
        assert len(connections) == 1


@asynccontextmanager
async def _tls_listener(certificate: Certificate) -> AsyncIterator[tuple[int, list[str]]]:
    """Yield a port that shows the certificate, and the handshakes that it took part in."""
    handshakes: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.sni_callback = lambda *_: handshakes.append("hello")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], handshakes
    finally:
        server.close()
        await server.wait_closed()
