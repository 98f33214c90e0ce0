"""A service process on a real S3 server: what it says of a store that will not do, and keys that change under it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aggregation_world import prepare
from faulty_proxy import Fault, FaultyProxy
from minio_server import MinioServer, running_minio
from mounted_secret import ACCESS, SECRET, MountedSecret
from s3_server import ACCESS_KEY, SECRET_KEY, options_for
from service_process import ServiceProcess, service_process

from labelplane.aggregation.v1 import aggregation_pb2_grpc
from labelplane.operation.v1 import operation_pb2, operation_pb2_grpc
from labelplane_core.errors import AccessDenied
from labelplane_core.rpc import open_channel
from labelplane_core.storage import open_store

TOKEN = "token-of-the-job"
MODULE = "labelplane_aggregation"
TRIES = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("s3") / "server") as running:
        yield running


@pytest.fixture
async def proxy(server: MinioServer) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(server.port).running() as running:
        yield running


def environment(endpoint: str, bucket: str, **more: str) -> dict[str, str]:
    settings = {
        "STORE_URI": f"{bucket}/job",
        "DATA_URI": f"{bucket}/data",
        "LISTEN": "127.0.0.1:0",
        "TOKEN": TOKEN,
        "S3_ENDPOINT": endpoint,
        "S3_ALLOW_HTTP": "true",
    }
    return {f"LABELPLANE_{name}": value for name, value in (settings | more).items()}


async def test_service_on_a_store_without_conditional_puts_ends_with_one_line(
    server: MinioServer, proxy: FaultyProxy
) -> None:
    bucket = server.make_bucket("unconditional")
    proxy.faults.extend([Fault.ACCEPTED] * 2)
    keys = {"S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY}
    async with service_process(MODULE, environment(proxy.endpoint, bucket, **keys)) as running:
        code = await running.ended()

    told = [line for line in running.lines if line.startswith("labelplane aggregation: ")]
    assert (code, len(told)) == (2, 1), running.lines
    assert "it ignores If-None-Match: use a server with conditional puts" in told[0]
    assert not any("Traceback" in line for line in running.lines)


async def test_keys_change_under_a_running_service(server: MinioServer, tmp_path: Path) -> None:
    bucket = server.make_bucket("labels")
    await open_store(bucket, options=server.options).put("data/items.csv", b"id,text\ni1,one\ni2,two\n")
    secret = MountedSecret(tmp_path / "keys")
    server.add_user("first", "first-secret")
    secret.turn_to({ACCESS: "first", SECRET: "first-secret"})
    settings = environment(server.endpoint, bucket, S3_CREDENTIALS=str(secret.folder))
    async with service_process(MODULE, settings) as running:
        assert await _prepared(running, "before") == operation_pb2.OPERATION_STATE_SUCCEEDED

        server.add_user("second", "second-secret")
        secret.turn_to({ACCESS: "second", SECRET: "second-secret"})
        server.remove_user("first")

        frozen = options_for(server.endpoint, access_key="first", secret_key="first-secret")
        with pytest.raises(AccessDenied):
            await open_store(bucket, options=frozen).get("job/owner.json")
        assert await _prepared_at_last(running) == operation_pb2.OPERATION_STATE_SUCCEEDED
        assert await running.stop() == 0, "".join(running.lines)


async def _prepared_at_last(running: ServiceProcess) -> int:
    """Return how the first Prepare ends that does not fail: a call may still use a key of 100 ms ago."""
    for number in range(TRIES):
        if (state := await _prepared(running, f"after-{number}")) == operation_pb2.OPERATION_STATE_SUCCEEDED:
            break
    return state


async def _prepared(running: ServiceProcess, uid: str) -> int:
    """Prepare the data set, and return the state in which that ends."""
    channel = open_channel(f"127.0.0.1:{await running.port()}", token=TOKEN)
    request = prepare(uid, index="items.csv", item_field="text", id_field="id", format="Csv")
    try:
        await aggregation_pb2_grpc.AggregationServiceStub(channel).StartPrepare(request)
        watch = operation_pb2.WatchOperationRequest(request_id=request.invocation.request_id)
        stub = operation_pb2_grpc.OperationServiceStub(channel)
        return [each.operation.state async for each in stub.WatchOperation(watch, timeout=60)][-1]
    finally:
        await channel.close()
