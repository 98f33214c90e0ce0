"""KEDA's contract over real gRPC: what each RPC answers, and with which code it refuses."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from played_depths import PlayedDepths

from labelplane.keda import externalscaler_pb2 as messages
from labelplane.keda import externalscaler_pb2_grpc as service
from labelplane_operator.external_scaler import ExternalScaler, ScalerServer
from labelplane_operator.policies.keda import WORKERS_METRIC, ScalerMetadata, queue_subject

SUBJECT = queue_subject("team", "a-uid", "score")
METADATA = ScalerMetadata(SUBJECT, target_drain_seconds=300, seconds_per_shard=10).texts()


def reference(**changes: str) -> messages.ScaledObjectRef:
    return messages.ScaledObjectRef(name="digits", namespace="team", scalerMetadata={**METADATA, **changes})


def _field(number: int, value: bytes) -> bytes:
    """Return a short field of bytes as protobuf has it on the wire."""
    return bytes([number << 3 | 2, len(value)]) + value


@pytest.fixture
def depths() -> PlayedDepths:
    return PlayedDepths()


@pytest.fixture
async def looks() -> asyncio.Semaphore:
    """Each release lets a stream look once more."""
    return asyncio.Semaphore(0)


@pytest.fixture
async def scaler(depths: PlayedDepths, looks: asyncio.Semaphore) -> AsyncIterator[Any]:
    async def sleep(_: float) -> None:
        await looks.acquire()

    server = ScalerServer(ExternalScaler(depths, sleep=sleep))
    port = await server.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service.ExternalScalerStub(channel)
    await server.stop()


async def test_the_service_has_the_name_that_keda_calls(depths: PlayedDepths) -> None:
    server = ScalerServer(ExternalScaler(depths))
    port = await server.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        asked = _field(1, b"digits") + _field(2, b"team")
        for name, text in METADATA.items():
            asked += _field(3, _field(1, name.encode()) + _field(2, text.encode()))
        answer = await channel.unary_unary("/externalscaler.ExternalScaler/GetMetricSpec")(asked)
    await server.stop()
    # targetSize and targetSizeFloat are both 1.
    assert answer == _field(1, _field(1, b"labelplane-workers") + b"\x10\x01" + b"\x19\0\0\0\0\0\0\xf0\x3f")


@pytest.mark.parametrize(
    ("ready", "leased", "want"),
    [
        pytest.param(0, 0, False, id="an empty queue"),
        pytest.param(1, 0, True, id="a shard that waits"),
        pytest.param(0, 1, True, id="a shard that is worked on"),
    ],
)
async def test_a_queue_is_active_while_any_shard_is_not_done(
    scaler: Any, depths: PlayedDepths, ready: int, leased: int, *, want: bool
) -> None:
    depths.put(SUBJECT, ready=ready, leased=leased)
    assert (await scaler.IsActive(reference())).result is want


@pytest.mark.parametrize(
    ("ready", "leased", "changes", "want"),
    [
        pytest.param(300, 0, {}, 10, id="by the time to drain"),
        pytest.param(300, 0, {"secondsPerShard": "20"}, 20, id="by the time of a shard"),
        pytest.param(300, 0, {"targetDrainSeconds": "30"}, 100, id="by another target"),
        pytest.param(100, 20, {}, 20, id="never fewer than are busy"),
        pytest.param(0, 0, {}, 0, id="none for an empty queue"),
    ],
)
async def test_the_metric_is_the_number_of_workers_wanted(
    scaler: Any, depths: PlayedDepths, ready: int, leased: int, changes: dict[str, str], want: int
) -> None:
    depths.put(SUBJECT, ready=ready, leased=leased)
    request = messages.GetMetricsRequest(scaledObjectRef=reference(**changes), metricName=WORKERS_METRIC)
    (value,) = (await scaler.GetMetrics(request)).metricValues
    assert (value.metricName, value.metricValue, value.metricValueFloat) == (WORKERS_METRIC, want, want)


async def test_one_worker_stands_for_one_of_the_metric(scaler: Any) -> None:
    (spec,) = (await scaler.GetMetricSpec(reference())).metricSpecs
    stream = scaler.StreamMetricSpec(reference())
    (streamed,) = (await stream.read()).metricSpecs
    stream.cancel()
    assert spec == streamed
    assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == (WORKERS_METRIC, 1, 1.0)


async def test_a_stream_tells_at_once_and_then_what_changes(
    scaler: Any, depths: PlayedDepths, looks: asyncio.Semaphore
) -> None:
    stream = scaler.StreamIsActive(reference())
    told = [(await stream.read()).result]
    looks.release()  # nothing has changed, so nothing is told
    depths.put(SUBJECT, ready=5)
    looks.release()
    told.append((await stream.read()).result)
    depths.put(SUBJECT, ready=0)
    looks.release()
    told.append((await stream.read()).result)
    stream.cancel()
    assert told == [False, True, False]


async def test_a_stream_outlives_a_queue_that_is_away(
    scaler: Any, depths: PlayedDepths, looks: asyncio.Semaphore
) -> None:
    depths.is_away = True
    stream = scaler.StreamIsActive(reference())
    looks.release()
    depths.put(SUBJECT, ready=5)
    depths.is_away = False
    looks.release()
    assert (await stream.read()).result is True
    stream.cancel()


@pytest.mark.parametrize("call", ["IsActive", "GetMetrics"])
async def test_a_queue_that_is_away_is_unavailable(scaler: Any, depths: PlayedDepths, call: str) -> None:
    depths.is_away = True
    request: Any = reference()
    if call == "GetMetrics":
        request = messages.GetMetricsRequest(scaledObjectRef=request, metricName=WORKERS_METRIC)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(scaler, call)(request)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "does not answer" in str(refused.value.details())


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"subject": "labelplane.other.a-uid.score"}, "no queue of namespace team", id="another's queue"),
        pytest.param({"subject": "labelplane.team.a-uid.*"}, "no queue of namespace team", id="many queues at once"),
        pytest.param({"subject": ""}, "no queue of namespace team", id="no queue"),
        pytest.param({"targetDrainSeconds": "soon"}, "no number of seconds", id="a target in words"),
        pytest.param({"targetDrainSeconds": "nan"}, "no number of seconds", id="a target that is no number"),
        pytest.param({"secondsPerShard": "0"}, "no number of seconds", id="a shard that takes no time"),
    ],
)
async def test_wrong_metadata_is_an_invalid_argument(scaler: Any, changes: dict[str, str], want: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await scaler.IsActive(reference(**changes))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert want in str(refused.value.details())


async def test_another_metric_is_not_found(scaler: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await scaler.GetMetrics(messages.GetMetricsRequest(scaledObjectRef=reference(), metricName="cpu"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_taken_port_is_an_error_of_the_system(depths: PlayedDepths) -> None:
    first, second = (ScalerServer(ExternalScaler(depths)) for _ in range(2))
    port = await first.start("127.0.0.1:0")
    with pytest.raises(OSError, match="cannot listen"):
        await second.start(f"127.0.0.1:{port}")
    await first.stop()
    await second.stop()
