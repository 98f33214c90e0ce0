"""`python -m labelplane_small`: the whole of profile Small in one process."""

import subprocess
import sys
from pathlib import Path

import pytest
from aggregation_world import prepare
from grpc_health.v1 import health_pb2, health_pb2_grpc
from service_process import service_process

from labelplane.aggregation.v1 import aggregation_pb2_grpc
from labelplane.operation.v1 import operation_pb2, operation_pb2_grpc
from labelplane_core.rpc import open_channel

TOKEN = "token-of-the-job"
MODULE = "labelplane_small"
SERVICES = (
    "labelplane.aggregation.v1.AggregationService",
    "labelplane.aggregation.v1.ReviewInboxService",
    "labelplane.distillation.v1.DistillationService",
    "labelplane.operation.v1.OperationService",
    "labelplane.scoring.v1.ScoringService",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings for a folder with a data set of six texts."""
    data = tmp_path / "data"
    data.mkdir()
    rows = [f"i{k},text {k},{'cat' if k % 2 else 'dog'}" for k in range(6)]
    (data / "items.csv").write_text("\n".join(["id,text,gold", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    return {
        "LABELPLANE_STORE_URI": (tmp_path / "out").as_uri(),
        "LABELPLANE_DATA_URI": data.as_uri(),
        "LABELPLANE_LISTEN": "127.0.0.1:0",
        "LABELPLANE_TOKEN_FILE": str(tmp_path / "token"),
        "LABELPLANE_DRAIN_GRACE_SECONDS": "10",
    }


async def test_prepare_runs_and_sigterm_drains(environment: dict[str, str], tmp_path: Path) -> None:
    async with service_process(MODULE, environment) as running:
        channel = open_channel(f"127.0.0.1:{await running.port()}", token=TOKEN)
        request = prepare(index="items.csv", item_field="text", id_field="id", gold_field="gold", format="Csv")
        await aggregation_pb2_grpc.AggregationServiceStub(channel).StartPrepare(request)
        watch = operation_pb2.WatchOperationRequest(request_id=request.invocation.request_id)
        stub = operation_pb2_grpc.OperationServiceStub(channel)
        seen = [response.operation async for response in stub.WatchOperation(watch, timeout=60)]
        await channel.close()

        assert await running.stop() == 0, "".join(running.lines)

    assert seen[-1].state == operation_pb2.OPERATION_STATE_SUCCEEDED, seen[-1]
    assert seen[-1].figures["items"] == 6
    assert (tmp_path / "out" / "dataset" / "manifest.json").is_file()
    assert running.lines[-1].endswith("small drains\n")


async def test_every_service_answers_on_the_one_port(environment: dict[str, str]) -> None:
    async with service_process(MODULE, environment) as running:
        channel = open_channel(f"127.0.0.1:{await running.port()}", token=TOKEN)
        health = health_pb2_grpc.HealthStub(channel)
        answers = [await health.Check(health_pb2.HealthCheckRequest(service=name)) for name in ("", *SERVICES)]
        await channel.close()

    assert {each.status for each in answers} == {health_pb2.HealthCheckResponse.SERVING}


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param({"LABELPLANE_STORE_URI": ""}, "LABELPLANE_STORE_URI: ", id="no store"),
        pytest.param({"LABELPLANE_STORE_URI": "out"}, "address 'out' must be ", id="a store without an address"),
        pytest.param({"LABELPLANE_DATA_URI": "file:///no/such"}, "folder /no/such does not exist", id="no data set"),
        pytest.param({"LABELPLANE_TOKEN_FILE": "/no/such"}, "LABELPLANE_TOKEN_FILE /no/such: ", id="no token"),
        pytest.param({"LABELPLANE_METRICS_PORT": "x"}, "LABELPLANE_METRICS_PORT: ", id="a port that is none"),
        pytest.param({"LABELPLANE_LISTEN": "unix:/no/such/s"}, "cannot listen on unix:/no/such/s", id="no socket"),
    ],
)
async def test_wrong_settings_end_it_with_code_2_and_one_line(
    environment: dict[str, str], change: dict[str, str], want: str
) -> None:
    async with service_process(MODULE, environment | change) as running:
        code = await running.ended()

    told = [line for line in running.lines if line.startswith("labelplane small: ")]
    assert (code, len(told)) == (2, 1), running.lines
    assert want in told[0]
    assert not any("Traceback" in line for line in running.lines)


def test_torch_is_not_loaded_before_a_training_needs_it() -> None:
    code = "import sys, labelplane_small.registration; print('torch' in sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert loaded.stdout == "False\n"
