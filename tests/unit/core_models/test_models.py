import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from labelplane_core.errors import ObjectNotFound
from labelplane_core.models import (
    CARD_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    BadModel,
    BatchMismatch,
    ModelCard,
    OnnxModel,
    StoredModel,
    TrainedOn,
    digest_files,
    hash_file,
    read_model,
    write_model,
)
from labelplane_core.storage import FolderStore, Layout

WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], dtype=np.float32)


def make_onnx(*, outputs: tuple[str, ...] = ("logits", "embedding")) -> bytes:
    """A graph over 3 features: logits are a product, the embedding is the input."""
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["logits"]),
        helper.make_node("Identity", ["input"], ["embedding"]),
    ]
    shapes = {"logits": 2, "embedding": 3}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", shapes[name]]) for name in outputs],
        initializer=[numpy_helper.from_array(WEIGHTS, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def make_card(**changes: object) -> ModelCard:
    values = {
        "role": "student",
        "task_type": "TextClassification",
        "classes": ("no", "yes"),
        "encoder": "Linear",
        "encoder_digest": "e",
        "input": {"kind": "hashed-ngrams", "dims": 3},
        "members": 1,
        "embedding_size": 3,
        "temperature": 1.5,
        "trained_on": TrainedOn(labelled=10),
        "round": 0,
        "seed": 1,
        "versions": {},
        "files": {},
    }
    return ModelCard.model_validate({**values, **changes})


async def write(folder: Path) -> tuple[FolderStore, StoredModel]:
    store = FolderStore(folder)
    files = {ONNX_FILE: make_onnx(), WEIGHTS_FILE: b"weights"}
    return store, await write_model(store, Layout("jobs/a"), card=make_card(), files=files)


async def test_a_model_is_read_back_under_the_digest_of_its_files(tmp_path: Path) -> None:
    store, written = await write(tmp_path)
    read = await read_model(store, written.ref + "/")
    assert read == written
    assert written.ref == f"jobs/a/models/{written.digest}"
    on_disk = tmp_path / written.ref
    hashes = {name: hash_file((on_disk / name).read_bytes()) for name in (CARD_FILE, ONNX_FILE, WEIGHTS_FILE)}
    assert digest_files(hashes) == written.digest
    again = (await write(tmp_path))[1]
    assert again.ref == written.ref


@pytest.mark.parametrize(
    ("name", "change", "want"),
    [
        pytest.param(ONNX_FILE, lambda data: data + b"x", "model.onnx does not match its hash", id="graph changed"),
        pytest.param(ONNX_FILE, lambda data: data[:20], "model.onnx does not match its hash", id="graph cut off"),
        pytest.param(
            CARD_FILE, lambda data: data.replace(b'"yes"', b'"nay"'), "does not match the digest", id="card changed"
        ),
        pytest.param(CARD_FILE, lambda _: b"{", "the file: Invalid JSON", id="card is no JSON"),
        pytest.param(
            CARD_FILE,
            lambda data: json.dumps({**json.loads(data), "format_version": 2}).encode(),
            "format_version",
            id="card of a later version",
        ),
    ],
)
async def test_a_model_that_was_changed_is_refused(tmp_path: Path, name: str, change: object, want: str) -> None:
    store, written = await write(tmp_path)
    key = f"{written.ref}/{name}"
    await store.put(key, change((await store.get(key)).data))  # type: ignore[operator]
    with pytest.raises(BadModel, match=want):
        await read_model(store, written.ref)


async def test_a_model_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        await read_model(FolderStore(tmp_path), "models/none")


def test_a_session_computes_the_graph_the_same_from_many_threads() -> None:
    model = OnnxModel(make_card(), make_onnx())
    batch = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda _: model.run(batch), range(40)))
    np.testing.assert_allclose(outputs[0].logits, batch @ WEIGHTS, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(outputs[0].embedding, batch)
    assert outputs[0].samples is None
    assert all(each.logits.tobytes() == outputs[0].logits.tobytes() for each in outputs)
    assert model.run(batch[:0]).logits.shape == (0, 2)


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(np.zeros((2, 4), dtype=np.float32), id="other features"),
        pytest.param(np.zeros((2, 3), dtype=np.float64), id="other type"),
        pytest.param(np.zeros(3, dtype=np.float32), id="one item, no batch"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_before_it_is_run(batch: np.ndarray) -> None:
    with pytest.raises(BatchMismatch, match=r"takes batches of float32 items of shape \(3,\)"):
        OnnxModel(make_card(), make_onnx()).run(batch)


def test_a_graph_that_is_not_what_its_card_says_is_refused() -> None:
    with pytest.raises(BadModel, match=r"gives \('logits', 'embedding'\), but its card says .*'samples'"):
        OnnxModel(make_card(members=2), make_onnx())
    with pytest.raises(BadModel, match="cannot be loaded"):
        OnnxModel(make_card(), b"not a graph")
