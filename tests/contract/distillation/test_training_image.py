"""Training by an image of the user's: staged, trained by the docs' example, collected, and taken over gRPC."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from training_images import EXAMPLE, Graph, run_image
from training_job import DIGITS, Job, TrainMessage, serving, write_digits, write_job

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane_core.features import InputSpec
from labelplane_core.models import CONFIG_FILE, read_model
from labelplane_core.table_store import TableStore
from labelplane_core.tables import POSTERIORS, PREDICTIONS, to_matrix
from labelplane_distillation.converters import train_request
from labelplane_distillation.handover.collect import collect, read_written
from labelplane_distillation.handover.contract import listing_key
from labelplane_distillation.handover.stage import Staging

IMAGE = "me/train:1"
SUCCEEDED, FAILED = pb.OPERATION_STATE_SUCCEEDED, pb.OPERATION_STATE_FAILED

Files = dict[str, bytes]


def message(job: Job, **fields: Any) -> TrainMessage:
    return TrainMessage(job).encoders("Linear", "Linear").with_(image=IMAGE, **fields)


async def stage(job: Job, asked: TrainMessage, folder: Path) -> tuple[pa.Table, dict[str, Any]]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - nothing else runs
    await Staging(job.store, job.data).write(train_request(asked.build()), folder)
    return pq.read_table(folder / "train.parquet"), json.loads((folder / "task.json").read_text())


async def hand_over(job: Job, asked: TrainMessage, files: Files, *, seconds: float = 7.0) -> bool:
    return await collect(job.store, job.layout, train_request(asked.build()), files, seconds=seconds)


async def trained(job: Job, asked: TrainMessage, folder: Path) -> Files:
    """Run the example on what is staged."""
    given, out = folder / "given", folder / "out"
    out.mkdir()
    await stage(job, asked, given)
    ended = run_image(EXAMPLE, given, out)
    assert ended.returncode == 0, ended.stderr
    return read_written(out)


async def plain(job: Job, asked: TrainMessage, folder: Path) -> Files:
    """Return a model that fits what is staged and has learned nothing."""
    _, task = await stage(job, asked, folder / "given")
    card = json.dumps({"format_version": 1, "input": task["input"]}).encode()
    return {"model.onnx": Graph().build(), "card.json": card}


async def test_image_is_given_every_labelled_item_and_no_gold(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)

    table, task = await stage(job, message(job), tmp_path / "given")

    rows = [job.item_ids.index(item) for item in table.column("item_id").to_pylist()]
    assert len(rows) == task["items"] == 250  # of 300 with votes, 50 are audit gold
    assert (task["classes"], task["seed"], task["folds"]) == (list(DIGITS), 3, 3)
    targets = to_matrix(table.column("probabilities"))
    assert np.mean(targets.argmax(axis=1) == job.truth[rows]) > 0.7
    assert table.column("text").null_count == len(rows)
    content = [(await job.data.get(f"{job.item_ids[row]}.png")).data for row in rows[:3]]
    assert table.column("content").to_pylist()[:3] == content
    fold, split = table.column("fold").to_numpy(), table.column("split").to_pylist()
    assert set(fold) == {-1, 0, 1, 2}
    assert [each == "validation" for each in split] == (fold < 0).tolist()
    spec = InputSpec.from_json(task["input"])
    features = to_matrix(table.column("features")).reshape(-1, *task["features"]["shape"])
    assert features.dtype == task["features"]["dtype"] == spec.dtype
    assert features.shape[1:] == spec.shape


async def test_texts_are_given_as_they_are_and_as_features(tmp_path: Path) -> None:
    texts, truth = [f"goal {k}" if k % 2 else f"bank {k}" for k in range(40)], np.arange(40) % 2
    rows = np.arange(40)
    places = {"labelled": rows[10:], "gate": rows[:5], "audit": rows[5:10]}
    job = await write_job(tmp_path, texts=texts, truth=truth, classes=("money", "sport"), **places)

    asked = replace(message(job), task_type="TextClassification")
    table, task = await stage(job, asked, tmp_path / "given")

    assert table.column("text").to_pylist() == texts[10:]
    assert table.column("content").null_count == 30
    assert task["input"]["kind"] == "hashed-ngrams"
    np.testing.assert_allclose(np.linalg.norm(to_matrix(table.column("features")), axis=1), 1.0, rtol=1e-5)


async def test_example_of_the_docs_trains_a_student_that_is_measured_and_stored(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    asked = message(job)
    files = await trained(job, asked, tmp_path)
    assert await hand_over(job, asked, files)

    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(asked.build())

    assert operation.state == SUCCEEDED, operation.error
    figures = operation.figures
    assert figures["student_accuracy"] > 0.8
    assert (figures["items"], figures["gate_items"], figures["image_seconds"]) == (250, 100, 7.0)
    assert figures["cpu_seconds"] > json.loads(files["card.json"])["cpu_seconds"] > 0
    assert "teacher" not in operation.results
    model = await read_model(job.store, operation.results["model"])
    assert (model.card.role, model.card.classes, model.card.encoder) == ("student", DIGITS, "SoftmaxRegression")
    assert model.card.versions["image"] == IMAGE
    assert model.card.embedding_size == int(np.prod(InputSpec.from_json(model.card.input).shape))
    assert model.card.trained_on.labelled + model.card.trained_on.validation == 250
    assert b'name: "input"' in (await job.store.get(f"{model.ref}/{CONFIG_FILE}")).data


async def test_model_is_taken_once_and_measured_beside_the_standing_one(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    asked = message(job)
    files = await trained(job, asked, tmp_path)
    weak = {**files, "model.onnx": Graph(shape=(64,)).build()}
    weak.pop("out-of-fold.parquet")
    first, second = asked, message(job).named("job/1/train/1", round_number=1)
    async with serving(job, tmp_path) as caller:
        await hand_over(job, first, weak)
        standing = await caller.finish(first.build())
        again = await caller.finish(first.build())
        following = second.with_(standing_model_ref=standing.results["model"])
        await hand_over(job, following, files)
        better = await caller.finish(following.build())

    assert again.results == standing.results
    assert better.figures["standing_accuracy"] == standing.figures["student_accuracy"]
    assert better.figures["only_student_right"] > better.figures["only_standing_right"]


async def test_what_the_model_says_of_items_it_has_learned_counts_only_out_of_fold(tmp_path: Path) -> None:
    job = await write_digits(tmp_path)
    with_folds, without = message(job), message(job).named("job/1/train/1", round_number=1)
    files = await trained(job, with_folds, tmp_path)
    await hand_over(job, with_folds, files)
    await hand_over(job, without, {name: data for name, data in files.items() if name != "out-of-fold.parquet"})

    async with serving(job, tmp_path) as caller:
        tables = [
            await TableStore(job.store).read((await caller.finish(each.build())).results["out_of_fold"], PREDICTIONS)
            for each in (with_folds, without)
        ]

    posteriors = await TableStore(job.store).read(job.posteriors_ref, POSTERIORS)
    given, _ = await stage(job, without, tmp_path / "again")
    is_validation = np.array(given.column("split").to_pylist()) == "validation"
    honest, silent = (to_matrix(each.column("probabilities")) for each in tables)
    assert len(honest) == len(silent) == 250 < len(posteriors)
    rows = [job.item_ids.index(item) for item in tables[0].column("item_id").to_pylist()]
    assert np.mean(honest.argmax(axis=1) == job.truth[rows]) > 0.7
    np.testing.assert_allclose(silent.sum(axis=1), 1.0)
    mean = silent[is_validation].mean(axis=0)
    np.testing.assert_allclose(silent[~is_validation], np.tile(mean, ((~is_validation).sum(), 1)))
    assert len(np.unique(silent[is_validation], axis=0)) == is_validation.sum()


async def test_first_pod_of_an_attempt_that_hands_over_is_the_one_that_counts(tmp_path: Path) -> None:
    job = await write_digits(tmp_path, n_items=300, n_labelled=120)
    asked = message(job)
    files = await plain(job, asked, tmp_path)
    assert await hand_over(job, asked, files)

    zombie = {**files, "model.onnx": Graph(embedding=5).build()}
    assert not await hand_over(job, asked, zombie)

    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(asked.build())
    model = await read_model(job.store, operation.results["model"])
    assert model.onnx == files["model.onnx"]


async def test_what_was_trained_for_other_parameters_is_not_taken(tmp_path: Path) -> None:
    job = await write_digits(tmp_path, n_items=300, n_labelled=120)
    await hand_over(job, message(job), await plain(job, message(job), tmp_path))
    changed = message(job, seed=99).named("job/0/train/2")

    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(changed.build())

    assert operation.state == FAILED
    assert (operation.error.reason, operation.error.retryable) == ("NothingHandedOver", True)


async def test_file_that_was_changed_after_it_was_handed_over_is_not_taken(tmp_path: Path) -> None:
    job = await write_digits(tmp_path, n_items=300, n_labelled=120)
    asked = message(job)
    files = await plain(job, asked, tmp_path)
    await hand_over(job, asked, files)
    folder = listing_key(job.layout, train_request(asked.build())).rpartition("/")[0]
    keys = [each.key async for each in job.store.list(folder) if each.key.endswith("model.onnx")]
    await job.store.put(keys[0], Graph(embedding=5).build())

    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(asked.build())

    assert operation.error.reason == "NothingHandedOver"


async def test_what_is_no_model_fails_the_operation_for_good(tmp_path: Path) -> None:
    job = await write_digits(tmp_path, n_items=300, n_labelled=120)
    asked = message(job)
    files = await plain(job, asked, tmp_path)
    await hand_over(job, asked, {**files, "model.onnx": Graph(classes=11).build()})

    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(asked.build())

    assert operation.state == FAILED
    assert (operation.error.reason, operation.error.retryable) == ("BadTrainedModel", False)
    assert "output logits has the shape [64, 11]" in operation.error.message
