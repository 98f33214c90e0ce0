"""Models on a server without one: steps of numpy, configurations, patience, and the order of answers."""

import asyncio
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_clock import FakeClock

from labelplane_core.features import InputKind, InputSpec
from labelplane_core.models import ModelCard, ModelOutput, OnnxModel, StoredModel, TrainedOn
from labelplane_distillation.export.graph import Graph, add_ensemble_head
from labelplane_scoring.served import python_backend
from labelplane_scoring.served.batch_sizes import BatchSizes
from labelplane_scoring.served.errors import BatchTooLarge, ModelDiffers, ModelNotServed, ServerAway
from labelplane_scoring.served.inference import ServedInference
from labelplane_scoring.served.numpy_steps import numpy_steps
from labelplane_scoring.served.repository import Backend, ServedFiles, served_files
from labelplane_scoring.served.serving_model import Patience, ServingModel
from labelplane_scoring.served.signatures import Signature, Tensor, check_signature, expected_signature

SPEC = InputSpec(kind=InputKind.HASHED_NGRAMS, dims=8)


def stored(*, members: int = 1, views: int = 1, operator: str = "Flatten") -> StoredModel:
    """A linear model of 8 features and 3 classes, as training exports it."""
    rng = np.random.default_rng(0)
    graph = Graph()
    features = graph.add(operator, "input", **({"axis": 1} if operator == "Flatten" else {}))
    rows = graph.add("Unsqueeze", features, graph.constant(np.array([0], np.int64)))
    add_ensemble_head(
        graph,
        rows,
        weight=rng.normal(size=(members, 8, 3)).astype(np.float32),
        bias=rng.normal(size=(members, 1, 3)).astype(np.float32),
        embedding=features,
        temperature=1.5,
        n_views=views,
    )
    card = ModelCard(
        role="student",
        task_type="TextClassification",
        classes=("a", "b", "c"),
        encoder="Linear",
        encoder_digest="e",
        input=SPEC.to_json(),
        members=members,
        embedding_size=8,
        temperature=1.5,
        trained_on=TrainedOn(labelled=3),
        round=0,
        seed=0,
        versions={},
        files={},
    )
    return StoredModel(ref="models/abc", card=card, onnx=graph.build(shape=(8,)))


@pytest.mark.parametrize("members", [1, 4])
def test_steps_of_numpy_give_what_onnxruntime_gives(members: int, tmp_path: Path) -> None:
    model = stored(members=members)
    for path, data in served_files(model, Backend.PYTHON).files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    batch = np.random.default_rng(1).normal(size=(17, 8)).astype(np.float32)

    found = python_backend.load(tmp_path / "1", "input", model.card.outputs)(batch)

    want = OnnxModel(model.card, model.onnx).run(batch)
    for name in model.card.outputs:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], getattr(want, name), atol=1e-5)


def test_steps_of_several_views_are_averaged_as_onnxruntime_does() -> None:
    model = stored(views=2)
    archive = numpy_steps(model.onnx)
    assert archive is not None
    with np.load(io.BytesIO(archive)) as values:
        arrays = {name: values[name] for name in values.files}
    steps = json.loads(str(arrays.pop("steps.json")))
    batch = np.random.default_rng(1).normal(size=(6, 8)).astype(np.float32)
    found = python_backend.run_steps(steps, {**arrays, "input": batch})
    want = OnnxModel(model.card, model.onnx).run(batch)
    np.testing.assert_allclose(found["logits"], want.logits, atol=1e-5)


def test_a_graph_that_numpy_cannot_run_is_served_as_it_is() -> None:
    model = stored(operator="Relu")
    assert numpy_steps(model.onnx) is None
    files = served_files(model, Backend.PYTHON).files
    assert set(files) == {"1/model.py", "1/model.onnx"}


def test_a_configuration_says_the_same_as_text_and_as_json() -> None:
    served = served_files(stored(members=2), Backend.ONNX_RUNTIME)
    assert set(served.files) == {"1/model.onnx"}
    assert json.loads(served.to_json())["output"][2] == {"name": "samples", "data_type": "TYPE_FP32", "dims": [2, 3]}
    text = served.to_text().decode()
    assert 'backend: "onnxruntime"' in text
    assert '{ name: "samples" data_type: TYPE_FP32 dims: [2, 3] }' in text


class FakeServer:
    """A server that fails as often as told."""

    address = "triton:8001"

    def __init__(
        self, signature: Signature, *, failures: Sequence[Exception] = (), takes: tuple[str, ...] = ()
    ) -> None:
        self._signature = signature
        self._failures = list(failures)
        self._takes = takes
        self.models: set[str] = set()
        self.loads: list[str] = []

    async def signature(self, model: str, version: str = "") -> Signature:
        self._fail()
        if model not in self.models:
            raise ModelNotServed(f"{model} is not served")
        return self._signature

    async def largest_batch(self, model: str) -> int:
        return 32

    async def load(self, model: str, served: ServedFiles | None = None) -> None:
        kind = "repository" if served is None else str(served.configuration["backend"])
        self.loads.append(kind)
        if kind not in self._takes:
            raise ModelNotServed(f"no {kind}")
        self.models.add(model)

    async def unload(self, model: str) -> None:
        self.models.remove(model)

    async def infer(
        self, model: str, batch: np.ndarray, *, version: str, input_name: str, outputs: Sequence[str]
    ) -> Mapping[str, np.ndarray]:
        self._fail()
        if model not in self.models:
            raise ModelNotServed(f"{model} is not served")
        return {"logits": batch[:, :3], "embedding": batch}

    def _fail(self) -> None:
        if self._failures:
            raise self._failures.pop(0)


def serving(server: FakeServer, *, name: str = "", seconds: float = 1000.0) -> ServingModel:
    patience = Patience(seconds=seconds, first_pause=0.0001, longest_pause=0.0001)
    return ServingModel(server, stored(), name=name, clock=FakeClock(), patience=patience, check=lambda: None)


SIGNATURE = expected_signature(stored().card)


@pytest.mark.parametrize(
    ("takes", "want"),
    [
        pytest.param(("repository",), ["repository"], id="its repository has the model"),
        pytest.param(("onnxruntime",), ["repository", "onnxruntime"], id="it has ONNX Runtime"),
        pytest.param(("python",), ["repository", "onnxruntime", "python"], id="it has the Python backend alone"),
    ],
)
async def test_a_server_is_given_a_model_that_it_lacks(takes: tuple[str, ...], want: list[str]) -> None:
    server = FakeServer(SIGNATURE, takes=takes)
    model = serving(server)
    assert await model.prepare() == 32
    assert server.loads == want
    await model.leave()
    assert server.models == ({"abc"} if takes == ("repository",) else set())


async def test_a_model_with_a_name_of_the_users_is_never_loaded() -> None:
    server = FakeServer(SIGNATURE, takes=("repository",))
    with pytest.raises(ModelNotServed):
        await serving(server, name="mine", seconds=0).prepare()
    assert server.loads == []


async def test_a_server_that_takes_no_model_is_told_apart_with_what_to_do() -> None:
    with pytest.raises(ModelNotServed, match="--model-control-mode=explicit, or put the model into its repository"):
        await serving(FakeServer(SIGNATURE), seconds=0).prepare()


async def test_what_passes_is_asked_again_and_a_lost_model_is_given_again() -> None:
    server = FakeServer(SIGNATURE, failures=[ServerAway("away")] * 3, takes=("python",))
    model = serving(server)
    await model.prepare()
    server.models.clear()
    output = await model.run(np.ones((2, 8), np.float32))
    assert output.logits.shape == (2, 3)
    assert output.samples is None


async def test_patience_ends() -> None:
    with pytest.raises(ServerAway):
        await serving(FakeServer(SIGNATURE, failures=[ServerAway("away")]), seconds=0).prepare()


async def test_a_model_of_other_classes_is_refused_at_once() -> None:
    other = Signature(SIGNATURE.inputs, expected_signature(stored(members=2).card).outputs[1:])
    server = FakeServer(other, takes=("repository",))
    with pytest.raises(ModelDiffers, match="and no logits"):
        await serving(server).prepare()


class LateModel:
    """Answers later requests first, and none of more items than it takes."""

    def __init__(self, *, largest: int) -> None:
        self.largest = largest
        self.sizes: list[int] = []

    async def run(self, batch: np.ndarray) -> ModelOutput:
        self.sizes.append(len(batch))
        for _ in range(10 - min(len(self.sizes), 10)):
            await asyncio.sleep(0)
        if len(batch) > self.largest:
            raise BatchTooLarge("too large")
        return ModelOutput(batch[:, :2], batch, None)

    async def leave(self) -> None:
        pass


@pytest.mark.parametrize(("largest", "count"), [(64, 1), (64, 200), (20, 200), (1, 70)])
async def test_answers_keep_the_order_of_the_items_however_they_are_cut(largest: int, count: int) -> None:
    texts = [f"word{number} and more" for number in range(count)]
    model = LateModel(largest=largest)
    output = await ServedInference(model, SPEC, BatchSizes.up_to(256)).infer(texts)
    np.testing.assert_array_equal(output.embedding, SPEC.encode(texts))
    assert len(output.logits) == count


async def test_an_item_that_is_too_large_alone_is_an_error() -> None:
    with pytest.raises(BatchTooLarge):
        await ServedInference(LateModel(largest=0), SPEC, BatchSizes.up_to(256)).infer(["one", "two"])


WHERE = "triton:8001: model m"
INPUT, (LOGITS, EMBEDDING) = SIGNATURE.inputs[0], SIGNATURE.outputs


@pytest.mark.parametrize(
    ("served", "want"),
    [
        pytest.param(
            Signature((Tensor("input", "FP32", (-1, 9)),), (LOGITS, EMBEDDING)),
            r"its input input is FP32 \[-1, 9\], the job's model has FP32 \[-1, 8\]: serve the job's own model",
            id="more features",
        ),
        pytest.param(
            Signature((Tensor("input", "INT64", (-1, 8)),), (LOGITS, EMBEDDING)), "its input input is INT64", id="ids"
        ),
        pytest.param(Signature((Tensor("input", "FP32", (8,)),), (LOGITS, EMBEDDING)), r"is FP32 \[8\]", id="no batch"),
        pytest.param(Signature((INPUT, INPUT), (LOGITS, EMBEDDING)), "takes 2 inputs", id="two inputs"),
        pytest.param(Signature((INPUT,), (LOGITS,)), r"gives \['logits'\] and no embedding", id="an output is missing"),
        pytest.param(
            Signature((INPUT,), (Tensor("logits", "FP16", (-1, 3)), EMBEDDING)),
            "its output logits is FP16",
            id="halves",
        ),
    ],
)
def test_a_model_that_differs_is_refused_with_both_shapes(served: Signature, want: str) -> None:
    with pytest.raises(ModelDiffers, match=f"{WHERE}:? ?.*{want}"):
        check_signature(served, SIGNATURE, where=WHERE)


def test_open_sizes_and_another_name_of_the_input_agree() -> None:
    served = Signature((Tensor("x", "FP32", (-1, -1)),), (EMBEDDING, Tensor("logits", "FP32", (-1, -1))))
    assert check_signature(served, SIGNATURE, where=WHERE) == "x"
