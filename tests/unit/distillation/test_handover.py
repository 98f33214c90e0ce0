"""What a training image wrote is looked at before anything runs it, and refused with what is wrong."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_images import Graph

from labelplane_core.errors import InvalidInput, StoreUnavailable
from labelplane_core.features import InputKind, InputSpec
from labelplane_core.models import TrainedOn
from labelplane_core.tasks import task_kind
from labelplane_distillation.errors import BadTrainedModel
from labelplane_distillation.handover.checking import TrainedFiles, package_trained, read_out_of_fold
from labelplane_distillation.handover.collect import read_written
from labelplane_distillation.handover.settings import HandoverSettings, run_step
from labelplane_distillation.learning import Mixing, NetworkSettings
from labelplane_distillation.requests import TrainRequest

Files = dict[str, bytes]

SPEC = InputSpec(InputKind.PIXELS, height=8, width=8, channels=1)
CARD = {"format_version": 1, "input": SPEC.to_json()}
LINEAR = NetworkSettings("Linear")
REQUEST = TrainRequest(
    round_number=2,
    attempt=1,
    kind=task_kind("ImageClassification"),
    classes=tuple("0123456789"),
    index_ref="index",
    posteriors_ref="posteriors",
    standing_model_ref="",
    teacher=LINEAR,
    student=LINEAR,
    mixing=Mixing(2.0, 0.5),
    uses_unlabelled=False,
    validation_share=0.1,
    seed=3,
    is_deterministic=True,
    trains_on_gold=False,
    image="me/train:1",
)
SAMPLE = np.random.default_rng(1).normal(size=(16, 64)).astype(np.float32)


def written(**changes: bytes) -> Files:
    """Return the files of a good model, some of them changed; a name's last underscore is its dot."""
    named = {".".join(name.rsplit("_", 1)): data for name, data in changes.items()}
    return {"model.onnx": Graph().build(), "card.json": json.dumps(CARD).encode(), **named}


def package(files: Files) -> Any:
    return package_trained(TrainedFiles.read(files), REQUEST, trained_on=TrainedOn(labelled=100), sample=SAMPLE)


def graph(**fields: Any) -> Files:
    return written(model_onnx=Graph(**fields).build())


def card(**fields: Any) -> Files:
    return written(card_json=json.dumps({**CARD, **fields}).encode())


def test_good_model_becomes_a_student_that_says_where_it_is_from() -> None:
    made, files = package(card(encoder="Mine", temperature=1.5, versions={"mine": "7"}))

    assert (made.role, made.encoder, made.temperature, made.embedding_size) == ("student", "Mine", 1.5, 4)
    assert made.versions.items() >= {"mine": "7", "image": "me/train:1"}.items()
    assert sorted(files) == ["1/model.onnx", "config.pbtxt"]


def test_graph_that_may_take_items_of_any_size_is_taken() -> None:
    made, _ = package(graph(batch="n"))

    assert made.classes == REQUEST.classes


def test_other_preprocessing_or_another_graph_has_embeddings_of_its_own() -> None:
    first, _ = package(written())
    second, _ = package(graph(values={"head": 2.0}))

    assert first.encoder_digest != second.encoder_digest


BAD = [
    pytest.param(written(model_onnx=b"\x80\x04pickle"), "model.onnx is no ONNX graph", id="bytes"),
    pytest.param(graph(classes=11), r"output logits has the shape \[16, 11\]", id="one class too many"),
    pytest.param(graph(shape=(8, 8)), "must take one input 'input' of float32", id="items of another shape"),
    pytest.param(graph(input_name="pixels"), "takes 'pixels'", id="an input of another name"),
    pytest.param(graph(input_type=7), "takes 'input' of int64", id="an input of another type"),
    pytest.param(graph(batch=1), "the batch of any size", id="one item at a time"),
    pytest.param(graph(outputs=("logits",)), r"gives \('logits',\)", id="no embedding"),
    pytest.param(graph(external="../../token"), "'body' lies in another file", id="weights in a file elsewhere"),
    pytest.param(graph(operator="NoSuchOperator"), "NoSuchOperator", id="an operator that there is not"),
    pytest.param(graph(values={"head": float("nan")}), "finite numbers", id="weights that are no numbers"),
    pytest.param(graph(mixes_items=True), "depends on the items beside it", id="items that look at each other"),
    pytest.param(written(card_json=b"{}"), "card.json: format_version", id="an empty card"),
    pytest.param(written(card_json=b"\x80\x04pickle"), "card.json: the file", id="a card that is no JSON"),
    pytest.param(card(classes=["a"]), "card.json: classes", id="a card with a field that there is not"),
    pytest.param(card(input={"kind": "pixels", "heigth": 8}), "card.json: input:", id="a misspelt input"),
    pytest.param(card(members=3), "samples", id="members without samples"),
    pytest.param(
        {**written(), "model.safetensors": b"\x80pickle"},
        "model.safetensors: cannot be read",
        id="weights that are no safetensors",
    ),
]


@pytest.mark.parametrize(("files", "want"), BAD)
def test_what_is_no_model_is_refused_with_what_is_wrong(files: Files, want: str) -> None:
    with pytest.raises(BadTrainedModel, match=want) as caught:
        package(files)
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)


# -- out-of-fold predictions ------------------------------------------------------------------------------------------


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_out_of_fold_predictions_are_read_whatever_their_precision() -> None:
    rows = pa.array([[0.25, 0.75], [1.0, 0.0]], pa.list_(pa.float32()))

    ids, read = read_out_of_fold(parquet(item_id=["b", "a"], probabilities=rows), ["a", "b", "c"], n_classes=2)

    assert ids == ["b", "a"]
    np.testing.assert_allclose(read, [[0.25, 0.75], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("data", "want"),
    [
        pytest.param(b"\x80pickle", "needs the columns", id="no Parquet"),
        pytest.param(parquet(item=["a"]), "needs the columns", id="other columns"),
        pytest.param(
            parquet(item_id=["z"], probabilities=[[0.5, 0.5]]), "'z' is not one of the split", id="a stranger"
        ),
        pytest.param(parquet(item_id=["a", "a"], probabilities=[[0.5, 0.5]] * 2), "stands twice", id="an item twice"),
        pytest.param(parquet(item_id=["a"], probabilities=[[0.5, 0.6]]), "sum to 1", id="no distribution"),
        pytest.param(parquet(item_id=["a"], probabilities=[[-0.5, 1.5]]), "sum to 1", id="a negative share"),
        pytest.param(parquet(item_id=["a"], probabilities=[[0.2, 0.3, 0.5]]), "2 probabilities", id="another class"),
        pytest.param(parquet(item_id=["a", "b"], probabilities=[[1.0], [0.5, 0.5]]), "needs the", id="ragged rows"),
    ],
)
def test_out_of_fold_predictions_that_are_none_are_refused(data: bytes, want: str) -> None:
    with pytest.raises(BadTrainedModel, match=want):
        read_out_of_fold(data, ["a", "b"], n_classes=2)


# -- the folder -------------------------------------------------------------------------------------------------------


def test_files_of_a_model_are_taken_and_the_rest_is_left(tmp_path: Path) -> None:
    for name in ("model.onnx", "card.json", "model.pkl", "events.log"):
        (tmp_path / name).write_bytes(name.encode())

    assert read_written(tmp_path) == {"model.onnx": b"model.onnx", "card.json": b"card.json"}


@pytest.mark.parametrize(
    ("names", "want"),
    [
        pytest.param((), "wrote no model.onnx and no card.json .* there is nothing", id="nothing"),
        pytest.param(("model.pkl",), "there is model.pkl: a model is taken as ONNX .* never pickled", id="a pickle"),
        pytest.param(("model.onnx",), "wrote no card.json", id="no card"),
        pytest.param(tuple(f"{k}.bin" for k in range(9)), r"4.bin, \.\.\.", id="many others"),
    ],
)
def test_folder_without_a_model_is_told_with_what_there_is(tmp_path: Path, names: tuple[str, ...], want: str) -> None:
    for name in names:
        (tmp_path / name).touch()

    with pytest.raises(BadTrainedModel, match=want):
        read_written(tmp_path)


def test_link_to_what_is_ours_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    out = tmp_path / "out"
    out.mkdir()
    (out / "card.json").write_text("{}")
    (out / "model.onnx").symlink_to(tmp_path / "secret")

    with pytest.raises(BadTrainedModel, match=r"model.onnx cannot be read: .*plain file"):
        read_written(out)


def test_pipe_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text("{}")
    os.mkfifo(tmp_path / "model.onnx")

    with pytest.raises(BadTrainedModel, match=r"model.onnx is no plain file"):
        read_written(tmp_path)


def test_file_beyond_its_bound_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with (tmp_path / "card.json").open("wb") as file:
        file.truncate((1 << 20) + 1)

    with pytest.raises(BadTrainedModel, match=re.escape("card.json has 1,048,577 bytes, of which at most 1,048,576")):
        read_written(tmp_path)


# -- the steps around the image ---------------------------------------------------------------------------------------

SETTINGS = {"STORE_URI": "s3://b/out", "DATA_URI": "s3://b/data", "REQUEST": "{}", "INPUT": "/in", "OUTPUT": "/out"}


@pytest.mark.parametrize(
    ("error", "want_code", "want_said"),
    [
        pytest.param(StoreUnavailable("bucket b is away"), 1, "labelplane stage: bucket b is away\n", id="try again"),
        pytest.param(BadTrainedModel("no model"), 2, "labelplane stage: no model\n", id="people must mend it"),
        pytest.param(
            OSError(28, "No space left on device", "/in/x"), 1, "labelplane stage: /in/x: No space", id="full"
        ),
    ],
)
def test_step_that_fails_says_so_in_a_line_and_by_its_code(
    capsys: pytest.CaptureFixture[str], error: Exception, want_code: int, want_said: str
) -> None:
    async def fail(_: HandoverSettings) -> str:
        raise error

    environment = {f"LABELPLANE_{name}": value for name, value in SETTINGS.items()}
    assert run_step("stage", fail, environment) == want_code
    assert capsys.readouterr().err.startswith(want_said)


def test_step_without_its_settings_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    async def never(_: HandoverSettings) -> str:
        raise AssertionError

    assert run_step("collect", never, {}) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(f"LABELPLANE_{name}" in said for name in SETTINGS)


@pytest.mark.parametrize("request_text", ["pickle", '{"image": 7}', "{}"], ids=["no JSON", "a wrong type", "empty"])
def test_step_that_is_told_no_request_is_a_mistake(request_text: str) -> None:
    environment = {f"LABELPLANE_{name}": value for name, value in SETTINGS.items()}
    settings = HandoverSettings.from_environment({**environment, "LABELPLANE_REQUEST": request_text})

    with pytest.raises(InvalidInput):
        settings.train_request()
