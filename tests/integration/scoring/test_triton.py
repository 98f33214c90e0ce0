"""Score by a real Triton: the same labels as in process, models that come and go, and what a bad server is called."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from point_job import start_run, write_point_job
from scoring_job import CLASSES, SPEC, write_colour_model, write_scoring_job
from served import Served, served
from triton_server import TritonServer

from labelplane.operation.v1 import operation_pb2 as operation
from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane.scoring.v1 import scoring_pb2_grpc as pb_grpc
from labelplane.task.v1 import task_pb2 as task
from labelplane_core.clock import SystemClock
from labelplane_core.models import OnnxModel, StoredModel, read_model
from labelplane_core.operations import OperationContext
from labelplane_core.table_store import TableStore
from labelplane_core.tables import SCORES, to_matrix
from labelplane_scoring.requests import Serving
from labelplane_scoring.served.connection import Connection
from labelplane_scoring.served.connections import Connections
from labelplane_scoring.served.errors import ModelDiffers, ModelNotReady, ModelNotServed, ServerAway
from labelplane_scoring.served.inference import ServedInference
from labelplane_scoring.served.repository import main as write_into_repository
from labelplane_scoring.served.serving_model import Patience
from labelplane_scoring.servicer import register

AT_ONCE = Patience(seconds=0)
LONG = Patience(seconds=600, first_pause=0.05, longest_pause=0.2)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(register, tmp_path) as running:
        yield running


async def colour_model(service: Served, **changes: object) -> StoredModel:
    return await read_model(service.parts.store, await write_colour_model(service.parts, **changes))  # type: ignore[arg-type]


@asynccontextmanager
async def opened(
    server: TritonServer, model: StoredModel, *, name: str = "", patience: Patience = AT_ONCE
) -> AsyncIterator[ServedInference]:
    connections = Connections(SystemClock(), patience)
    try:
        yield await connections.open(Serving(server.address, name), model, OperationContext("job/1/score/1", 0))
    finally:
        await connections.close()


def batch_of(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, *SPEC.shape), dtype=np.float32)


async def score(
    service: Served, index_ref: str, model_ref: str, *, attempt: int, serving: pb.Serving | None
) -> pa.Table:
    request = pb.StartScoreRequest(
        invocation=operation.Invocation(request_id=f"job/1/score/{attempt}", leader_epoch=1),
        round=task.Round(number=1, attempt=attempt),
        task=task.Task(type="ImageClassification", classes=CLASSES),
        index_ref=index_ref,
        model_ref=model_ref,
        serving=serving,
    )
    await pb_grpc.ScoringServiceStub(service.channel).StartScore(request)
    done = await service.finished(request.invocation.request_id, seconds=300)
    assert done.state == operation.OPERATION_STATE_SUCCEEDED, done.error
    return await TableStore(service.parts.store).read(done.results["scores"], SCORES)


async def test_a_server_gives_the_labels_and_logits_of_the_process(
    service: Served, triton: TritonServer, tmp_path: Path
) -> None:
    index_ref = await write_scoring_job(service.parts)
    model_ref = await write_colour_model(service.parts, members=3)

    here = await score(service, index_ref, model_ref, attempt=1, serving=None)
    there = await score(service, index_ref, model_ref, attempt=2, serving=pb.Serving(endpoint=triton.address))

    assert there.column("item_id") == here.column("item_id")
    assert there.column("prediction") == here.column("prediction")
    for column in ("logits", "embedding", "samples"):
        np.testing.assert_allclose(to_matrix(there.column(column)), to_matrix(here.column(column)), atol=1e-4)


async def test_a_model_that_was_given_to_the_server_leaves_it_after_the_score(
    service: Served, triton: TritonServer, tmp_path: Path
) -> None:
    model = await colour_model(service, sharpness=3.0)
    async with opened(triton, model) as inference, Connection(triton.address) as connection:
        assert len((await connection.signature(model.digest)).outputs) == 2
        await inference.close()
        with pytest.raises((ModelNotServed, ModelNotReady)):
            await connection.signature(model.digest)


async def test_a_model_of_the_servers_own_repository_is_loaded_and_stays(
    service: Served, triton: TritonServer, tmp_path: Path
) -> None:
    model = await colour_model(service, sharpness=4.0)
    await write_to_repository(triton, model, tmp_path)

    async with opened(triton, model) as inference, Connection(triton.address) as connection:
        output = await inference.model.run(batch_of(7))
        np.testing.assert_allclose(output.logits, OnnxModel(model.card, model.onnx).run(batch_of(7)).logits, atol=1e-4)
        await inference.close()
        await connection.signature(model.digest)


async def test_a_model_may_have_a_name_of_the_users_and_a_bound_of_the_servers(
    service: Served, triton: TritonServer, tmp_path: Path
) -> None:
    model = await colour_model(service, sharpness=5.0)
    await serve_as(triton, "colours", model, tmp_path, was="max_batch_size: 256", becomes="max_batch_size: 16")
    async with Connection(triton.address) as connection:
        await connection.load("colours")
    async with opened(triton, model, name="colours") as inference:
        assert inference.sizes.largest == 16
        images = [np.full((4, 4, 3), shade, np.uint8) for shade in range(100)]
        output = await inference.infer(images)
        assert (np.diff(output.logits[:, 0]) > 0).all(), "the rows are not in the order of the items"
        assert len(output.logits) == 100


async def test_a_batch_above_the_servers_bound_is_cut(service: Served, triton: TritonServer, tmp_path: Path) -> None:
    model = await colour_model(service, sharpness=6.0)
    await serve_as(triton, "narrow", model, tmp_path, was="max_batch_size: 256", becomes="max_batch_size: 8")
    async with Connection(triton.address) as connection:
        await connection.load("narrow")
    async with opened(triton, model, name="narrow") as inference:
        inference.sizes = type(inference.sizes).up_to(64)
        images = [np.full((4, 4, 3), shade, np.uint8) for shade in range(64)]
        assert len((await inference.infer(images)).logits) == 64
        assert inference.sizes.largest <= 8


async def test_a_server_that_comes_back_is_given_the_model_again(service: Served, triton: TritonServer) -> None:
    model = await colour_model(service, sharpness=7.0)
    waits = asyncio.Event()

    def tell(record: logging.LogRecord) -> bool:
        waits.set()
        return True

    log = logging.getLogger("labelplane_scoring.served.serving_model")
    log.addFilter(tell)
    try:
        async with opened(triton, model, patience=LONG) as inference:
            triton.kill()
            answer = asyncio.create_task(inference.model.run(batch_of(5)))
            try:
                await waits.wait()
            finally:
                await asyncio.to_thread(triton.start)
            assert (await answer).logits.shape == (5, 3)
    finally:
        log.removeFilter(tell)


async def test_what_a_server_lacks_is_said_in_one_line(service: Served, triton: TritonServer, tmp_path: Path) -> None:
    model = await colour_model(service)
    with pytest.raises(ModelNotServed, match=rf"{triton.address}: model nothing is not served there .*serving\.model"):
        async with opened(triton, model, name="nothing"):
            pass

    await serve_as(triton, "two-classes", model, tmp_path, was="dims: [3] },", becomes="dims: [2] },")
    async with Connection(triton.address) as connection:
        await connection.load("two-classes")
    with pytest.raises(
        ModelDiffers, match=r"two-classes: its output logits is FP32 \[-1, 2\], the job's model has FP32 "
    ):
        async with opened(triton, model, name="two-classes"):
            pass

    await serve_as(triton, "broken", model, tmp_path)
    (triton.repository / "broken/1/model.npz").write_bytes(b"no archive")
    async with Connection(triton.address) as connection:
        with pytest.raises(ModelNotServed, match="model broken cannot be loaded there"):
            await connection.load("broken")
    with pytest.raises(ModelNotReady, match="model broken is not ready"):
        async with opened(triton, model, name="broken"):
            pass


async def test_a_server_that_is_away_is_unavailable(service: Served, triton: TritonServer, tmp_path: Path) -> None:
    model = await colour_model(service)
    with pytest.raises(ServerAway, match=r"no answer from the inference server .*is it up\?") as caught:
        async with opened(TritonServer(1, 1, triton.folder), model):
            pass
    assert caught.value.retryable


def test_a_run_on_one_machine_scores_by_the_server_its_job_names(tmp_path: Path, triton: TritonServer) -> None:
    def by_server(job: dict) -> None:  # type: ignore[type-arg]
        job["spec"]["run"] = {"seed": 3}
        job["spec"]["budget"]["votes"] = 72
        job["spec"]["serving"] = {"mode": "External", "endpoint": triton.address}

    before = triton.log.read_text().count("successfully loaded")
    process = start_run(write_point_job(tmp_path, by_server, items=60))
    text, _ = process.communicate(timeout=280)

    assert process.returncode == 0, text
    assert triton.log.read_text().count("successfully loaded") > before, text
    assert (tmp_path / "out/export/labels.csv").read_text().count("\n") == 61


async def write_to_repository(server: TritonServer, model: StoredModel, folder: Path) -> None:
    """Put a model into the server's repository under its digest."""
    words = [f"file://{folder / 'store'}", model.ref, str(server.repository), "python"]
    assert await asyncio.to_thread(write_into_repository, words) == 0


async def serve_as(
    server: TritonServer, name: str, model: StoredModel, folder: Path, *, was: str = "", becomes: str = ""
) -> None:
    """Put a model into the server's repository under a name of its own."""
    await write_to_repository(server, model, folder)
    target = (server.repository / model.digest).rename(server.repository / name)
    configuration = target / "config.pbtxt"
    configuration.write_text(configuration.read_text().replace(was, becomes, 1))
