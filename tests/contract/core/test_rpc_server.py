"""What every server of ours does around a call: token, errors, deadline, health, reflection, metrics, TLS refusal."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane.operation.v1 import operation_pb2_grpc as pb_grpc
from labelplane_core.clock import SystemClock
from labelplane_core.errors import EmptyDataset, InvalidInput, StoreUnavailable
from labelplane_core.rpc import Registration, RpcServer, open_channel

TOKEN = "right"


class Misbehaving(pb_grpc.OperationServiceServicer):
    """Raises, or waits, by what it is asked for."""

    async def GetOperation(self, request: pb.GetOperationRequest, context: object) -> pb.GetOperationResponse:  # noqa: N802
        match request.request_id:
            case "ours":
                raise EmptyDataset("the folder holds no image: put images there")
            case "away":
                raise StoreUnavailable("bucket b does not answer")
            case "defect":
                raise KeyError("a secret in an error")
            case "slow":
                await asyncio.sleep(30)
        return pb.GetOperationResponse(operation=pb.Operation(request_id=request.request_id))

    async def WatchOperation(  # noqa: N802
        self, request: pb.WatchOperationRequest, context: object
    ) -> AsyncIterator[pb.WatchOperationResponse]:
        yield pb.WatchOperationResponse()
        raise EmptyDataset("in the middle of a stream")


@pytest.fixture
async def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def address(registry: CollectorRegistry) -> AsyncIterator[str]:
    def add(server: object) -> None:
        pb_grpc.add_OperationServiceServicer_to_server(Misbehaving(), server)  # type: ignore[arg-type]

    registration = Registration(name="labelplane.operation.v1.OperationService", add=add)
    server = RpcServer([registration], token=TOKEN, clock=SystemClock(), registry=registry, longest_call_seconds=0.5)
    port = await server.start("127.0.0.1:0")
    yield f"127.0.0.1:{port}"
    await server.stop(grace_seconds=0)


async def get(address: str, request_id: str, *, token: str = TOKEN) -> pb.Operation:
    channel = open_channel(address, token=token)
    try:
        stub = pb_grpc.OperationServiceStub(channel)
        response = await stub.GetOperation(pb.GetOperationRequest(request_id=request_id))
        return response.operation
    finally:
        await channel.close()


REFUSALS = [
    pytest.param("ours", grpc.StatusCode.INVALID_ARGUMENT, "EmptyDataset", "holds no image", id="error of ours"),
    pytest.param("away", grpc.StatusCode.UNAVAILABLE, "StoreUnavailable", "bucket b", id="error that may pass"),
    pytest.param("defect", grpc.StatusCode.INTERNAL, "Unexpected", "the service's log", id="defect"),
]


@pytest.mark.parametrize(("request_id", "want_code", "want_reason", "want_text"), REFUSALS)
async def test_error_reaches_the_caller_as(
    address: str, request_id: str, want_code: grpc.StatusCode, want_reason: str, want_text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get(address, request_id)
    assert caught.value.code() is want_code
    assert dict(caught.value.trailing_metadata() or ())["labelplane-reason"] == want_reason
    assert want_text in (caught.value.details() or "")
    assert "secret" not in (caught.value.details() or "")


async def test_good_call_is_answered(address: str) -> None:
    assert (await get(address, "good")).request_id == "good"


@pytest.mark.parametrize("token", ["", "wrong", "right "])
async def test_call_without_the_token_is_unauthenticated(address: str, token: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get(address, "good", token=token)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_call_without_a_deadline_is_ended_by_ours(address: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(get(address, "slow"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_stream_ends_with_the_error_of_its_middle(address: str) -> None:
    channel = open_channel(address, token=TOKEN)
    seen = 0
    with pytest.raises(grpc.aio.AioRpcError, match="in the middle of a stream"):  # noqa: PT012 - a loop is one statement
        async for _ in pb_grpc.OperationServiceStub(channel).WatchOperation(pb.WatchOperationRequest()):
            seen += 1
    await channel.close()
    assert seen == 1


async def test_health_needs_no_token_and_serves_each_service(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "labelplane.operation.v1.OperationService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_services(address: str) -> None:
    channel = open_channel(address, token=TOKEN)
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    metadata = (("authorization", f"Bearer {TOKEN}"),)
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    names = []
    async for answer in stub.ServerReflectionInfo(requests, metadata=metadata):
        names = [each.name for each in answer.list_services_response.service]
    await channel.close()
    assert "labelplane.operation.v1.OperationService" in names


async def test_calls_are_counted_by_method_and_code(address: str, registry: CollectorRegistry) -> None:
    await get(address, "good")
    with pytest.raises(grpc.aio.AioRpcError):
        await get(address, "ours")
    method = "/labelplane.operation.v1.OperationService/GetOperation"
    await asyncio.sleep(0.05)
    assert registry.get_sample_value("labelplane_rpc_calls_total", {"method": method, "code": "OK"}) == 1
    count = registry.get_sample_value("labelplane_rpc_calls_total", {"method": method, "code": "INVALID_ARGUMENT"})
    assert count == 1


async def test_taken_address_is_said_so(address: str) -> None:
    server = RpcServer([], token=TOKEN, clock=SystemClock(), registry=CollectorRegistry())
    with pytest.raises(InvalidInput, match="cannot listen on"):
        await server.start(address)


async def test_socket_file_works_too(tmp_path: Path) -> None:
    def add(server: object) -> None:
        pb_grpc.add_OperationServiceServicer_to_server(Misbehaving(), server)  # type: ignore[arg-type]

    registration = Registration(name="labelplane.operation.v1.OperationService", add=add)
    server = RpcServer([registration], token=TOKEN, clock=SystemClock(), registry=CollectorRegistry())
    await server.start(f"unix:{tmp_path}/s.sock")
    assert (await get(f"unix:{tmp_path}/s.sock", "good")).request_id == "good"
    await server.stop(grace_seconds=0)
