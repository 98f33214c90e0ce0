"""StartTrain through the real server, over folders."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from training_job import DIGITS, Caller, Job, TrainMessage, serving, write_digits, write_job

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane_core.features import InputSpec
from labelplane_core.models import OnnxModel, read_model
from labelplane_core.table_store import TableStore
from labelplane_core.tables import POSTERIORS, PREDICTIONS, to_matrix
from labelplane_core.tasks import task_kind

NEURAL = {"members": 5, "epochs": 20, "learning_rate": 6e-3, "augment": True}
SUCCEEDED, FAILED, CANCELLED = pb.OPERATION_STATE_SUCCEEDED, pb.OPERATION_STATE_FAILED, pb.OPERATION_STATE_CANCELLED


def code_number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


async def rows_without_votes(job: Job) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    posteriors = await TableStore(job.store).read(job.posteriors_ref, POSTERIORS)
    voted = set(posteriors.column("item_id").to_pylist())
    return np.array([row for row, item in enumerate(job.item_ids) if item not in voted])


async def current(caller: Caller, request_id: str) -> pb.Operation:
    response = await caller.operations.GetOperation(pb.GetOperationRequest(request_id=request_id))
    operation: pb.Operation = response.operation
    return operation


async def reach_epoch(caller: Caller, request_id: str, epoch: int) -> None:
    """Wait by asking: another process could not do better."""
    while (await current(caller, request_id)).progress.done < epoch:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("teacher", "student", "settings", "want_accuracy"),
    [
        pytest.param("Linear", "Linear", {"epochs": 100}, 0.87, id="linear heads, without torch"),
        pytest.param("SmallCnn", "SmallCnn", NEURAL, 0.91, id="small CNNs", marks=pytest.mark.torch),
        pytest.param("SmallCnn", "Linear", NEURAL, 0.87, id="a CNN taught a linear head", marks=pytest.mark.torch),
    ],
)
async def test_a_student_trained_over_grpc_labels_digits_it_has_never_seen(
    tmp_path: Path, teacher: str, student: str, settings: dict[str, object], want_accuracy: float
) -> None:
    job = await write_digits(tmp_path)
    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(TrainMessage(job).encoders(teacher, student, **settings).build())

    assert operation.state == SUCCEEDED, operation.error
    assert operation.figures["student_accuracy"] > 0.8
    assert operation.figures["items"] == 250  # 50 of the 300 items with votes are audit gold
    assert operation.figures["gate_items"] == 100
    assert operation.figures["gpu_seconds"] == 0.0
    assert operation.progress.unit == "epochs"
    model = await read_model(job.store, operation.results["model"])
    session, rows = OnnxModel(model.card, model.onnx), await rows_without_votes(job)
    kind, spec = task_kind(model.card.task_type), InputSpec.from_json(model.card.input)
    items = [kind.decode((await job.data.get(f"{job.item_ids[row]}.png")).data) for row in rows]
    output = session.run(spec.encode(items))
    assert np.mean(output.logits.argmax(axis=1) == job.truth[rows]) >= want_accuracy
    assert output.embedding.shape == (len(rows), model.card.embedding_size)
    assert output.samples is not None
    assert output.samples.shape == (len(rows), model.card.members, 10)
    assert (model.card.classes, model.card.role) == (DIGITS, "student")
    assert (await read_model(job.store, operation.results["teacher"])).card.role == "teacher"


async def test_out_of_fold_predictions_cover_the_items_trained_on_and_no_gold(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(TrainMessage(job).encoders("Linear", "Linear", epochs=100).build())
    table = await TableStore(job.store).read(operation.results["out_of_fold"], PREDICTIONS)
    assert len(table) == operation.figures["items"] == 250
    probabilities = to_matrix(table.column("probabilities"))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)
    rows = [job.item_ids.index(item) for item in table.column("item_id").to_pylist()]
    # Members that had seen an item would say its noisy label; those that have not say what is true more often.
    assert np.mean(probabilities.argmax(axis=1) == job.truth[rows]) > 0.75


async def test_the_standing_model_is_measured_beside_the_new_one_on_the_same_gate_gold(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    weak = TrainMessage(job).encoders("Linear", "Linear", epochs=2)
    better = TrainMessage(job).encoders("Linear", "Linear", epochs=100).named("job/1/train/1", round_number=1)
    async with serving(job, tmp_path) as caller:
        first = await caller.finish(weak.build())
        second = await caller.finish(better.with_(standing_model_ref=first.results["model"]).build())
    figures = second.figures
    assert "standing_accuracy" not in first.figures
    assert figures["standing_accuracy"] == pytest.approx(first.figures["student_accuracy"])
    gain = figures["only_student_right"] - figures["only_standing_right"]
    assert gain == pytest.approx(100 * (figures["student_accuracy"] - figures["standing_accuracy"]))
    assert gain > 0


@pytest.mark.parametrize(
    ("fields", "want_gate", "want_items"),
    [
        pytest.param({}, 100, 250, id="gold is only measured on"),
        pytest.param({"train_on_gold": True}, 0, 350, id="gate gold is trained on, so held-out items measure"),
    ],
)
async def test_gold_is_trained_on_only_when_the_job_says_so(
    tmp_path: Path, fields: dict[str, object], want_gate: int, want_items: int
) -> None:
    job = await write_digits(tmp_path)
    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(TrainMessage(job).with_(**fields).build())
    assert operation.figures["gate_items"] == want_gate
    assert operation.figures["items"] == want_items
    assert operation.figures["validation_items"] > 10
    assert operation.figures["student_accuracy"] > 0.5
    card = (await read_model(job.store, operation.results["model"])).card
    assert card.trained_on.gold == want_items - 250


@pytest.mark.parametrize(
    "encoder",
    [
        pytest.param("Linear"),
        pytest.param("HashedNgrams", marks=pytest.mark.torch),
        pytest.param("Mlp", marks=pytest.mark.torch),
    ],
)
async def test_texts_are_learned_by_every_encoder_that_reads_them(tmp_path: Path, encoder: str) -> None:
    rng = np.random.default_rng(0)
    words = [
        ["goal", "match", "team", "league"],
        ["bank", "market", "shares", "profit"],
        ["virus", "doctor", "nurse", "cure"],
    ]
    truth = rng.integers(0, 3, 240)
    texts = [" ".join([*rng.choice(words[klass], 3), *rng.choice(["the", "of", "said", "new"], 4)]) for klass in truth]
    rows = np.arange(240)
    job = await write_job(
        tmp_path,
        texts=texts,
        truth=truth,
        classes=("sport", "money", "health"),
        labelled=rows[60:160],
        gate=rows[:40],
        audit=rows[40:60],
    )
    message = replace(TrainMessage(job), task_type="TextClassification").encoders(encoder, encoder, epochs=30)
    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(message.build())
    assert operation.state == SUCCEEDED, operation.error
    assert operation.figures["student_accuracy"] > 0.9


@pytest.mark.torch
async def test_a_training_that_another_process_takes_over_ends_with_the_model_of_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    job = await write_digits(tmp_path)
    message = TrainMessage(job).encoders("SmallCnn", "SmallCnn", members=3, epochs=25, augment=True, patience=8)
    async with serving(job, tmp_path) as caller:
        whole = await caller.finish(message.build())
    again = message.named("again/0/train/2").with_(round={"number": 0, "attempt": 2})
    for owner, stop_at in (("first", 12), ("second", 30)):  # once in the teacher, once in the student
        async with serving(job, tmp_path, owner=owner) as caller:
            await caller.train(again.build())
            await reach_epoch(caller, again.request_id, stop_at)
    async with serving(job, tmp_path, owner="third") as caller:
        resumed = await caller.finish(again.build())
    assert resumed.state == SUCCEEDED, resumed.error
    assert resumed.takeovers == 2
    assert resumed.results["model"] == whole.results["model"]
    assert resumed.results["teacher"] == whole.results["teacher"]
    read = TableStore(job.store).read
    before, after = whole.results["out_of_fold"], resumed.results["out_of_fold"]
    assert before != after
    assert (await read(before, PREDICTIONS)).equals(await read(after, PREDICTIONS))


async def test_starts_of_one_id_are_one_operation_even_at_once(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    request = TrainMessage(job).build()
    async with serving(job, tmp_path) as caller:
        started = await asyncio.gather(*(caller.train(request) for _ in range(5)))
        finished = await caller.finish(request)
        later = (await caller.train(request)).operation
    assert {each.operation.started.ToDatetime() for each in started} == {finished.started.ToDatetime()}
    assert later == finished
    assert finished.state == SUCCEEDED


@pytest.mark.torch
async def test_a_cancelled_training_stops_within_an_epoch_and_leaves_no_result(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    message = TrainMessage(job).encoders("SmallCnn", "SmallCnn", members=3, epochs=5000)
    async with serving(job, tmp_path) as caller:
        await caller.train(message.build())
        await reach_epoch(caller, message.request_id, 2)
        await caller.operations.CancelOperation(pb.CancelOperationRequest(invocation=message.build().invocation))
        async with asyncio.timeout(10):
            operation = await caller.finish(message.build())
    assert operation.state == CANCELLED
    assert not operation.results


@pytest.mark.parametrize(
    ("change", "want_code", "want_reason", "want_message"),
    [
        pytest.param(
            {"index_ref": "dataset/none.json"}, "NOT_FOUND", "ObjectNotFound", "dataset/none.json", id="no index"
        ),
        pytest.param(
            {"standing_model_ref": "models/none"}, "NOT_FOUND", "ObjectNotFound", "models/none", id="no standing model"
        ),
        pytest.param(
            {"task": {"type": "ImageClassification", "classes": ["0", "1"]}},
            "INVALID_ARGUMENT",
            "BadTable",
            "10 probabilities a row for 2 classes",
            id="posteriors of other classes",
        ),
        pytest.param(
            {
                "teacher": {
                    "encoder": "Torchvision",
                    "members": 1,
                    "hidden_size": 8,
                    "epochs": 1,
                    "learning_rate": 0.1,
                    "batch_size": 8,
                }
            },
            "FAILED_PRECONDITION",
            None,
            "install labelplane[encoders]|needs pretrained weights",
            id="an encoder without its extra or weights",
        ),
    ],
)
async def test_an_operation_that_cannot_succeed_fails_with_its_code_and_reason(
    tmp_path: Path, change: dict[str, object], want_code: str, want_reason: str | None, want_message: str
) -> None:
    job = await write_digits(tmp_path, n_items=420, n_labelled=120)
    request = TrainMessage(job).build()
    if "teacher" in change:
        request.ClearField("teacher")
    elif "task" in change:
        request.ClearField("task")
    request.MergeFrom(type(request)(**change))
    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(request)
    assert operation.state == FAILED
    assert operation.error.code == code_number(grpc.StatusCode[want_code])
    assert operation.error.reason == want_reason or (
        want_reason is None and operation.error.reason.startswith("Missing")
    )
    assert any(part in operation.error.message for part in want_message.split("|"))
    assert not operation.error.retryable


@pytest.mark.parametrize(
    ("message", "want"),
    [
        pytest.param({"validation_share": 0.9}, "validation_share", id="a share too large"),
        pytest.param({"posteriors_ref": ""}, "posteriors_ref", id="no posteriors"),
        pytest.param({"invocation": {"request_id": "../x"}}, "request_id", id="an id that leaves its folder"),
    ],
)
async def test_a_wrong_request_is_refused_at_once(tmp_path: Path, message: dict[str, object], want: str) -> None:
    job = await write_digits(tmp_path, n_items=300, n_labelled=50)
    async with serving(job, tmp_path) as caller:
        with pytest.raises(grpc.aio.AioRpcError, match=want) as caught:
            await caller.train(TrainMessage(job).with_(**message).build())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_id_is_never_used_for_other_parameters_nor_by_an_older_leader(tmp_path: Path) -> None:
    job = await write_digits(tmp_path, n_items=420, n_labelled=120)
    message = replace(TrainMessage(job), epoch=5)
    async with serving(job, tmp_path) as caller:
        await caller.finish(message.build())
        with pytest.raises(grpc.aio.AioRpcError, match="other parameters") as mismatch:
            await caller.train(message.with_(seed=99).build())
        with pytest.raises(grpc.aio.AioRpcError) as stale:
            await caller.train(replace(message, epoch=4).build())
    assert mismatch.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert stale.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_caller_without_the_token_is_refused_and_one_without_time_gives_up(tmp_path: Path) -> None:
    job = await write_digits(tmp_path, n_items=300, n_labelled=50)
    async with serving(job, tmp_path, token="somebody else's") as caller:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await caller.train(TrainMessage(job).build())
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    async with serving(job, tmp_path, owner="hasty") as caller:
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await caller.train(TrainMessage(job).build(), timeout=1e-6)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_service_alone_says_in_one_line_which_settings_it_misses() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "labelplane_distillation"], env={}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert "LABELPLANE_STORE_URI" in found.stderr
    assert "Traceback" not in found.stderr
