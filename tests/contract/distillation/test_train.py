"""StartTrain through the real server, over folders."""

from pathlib import Path

import numpy as np
import pytest
from training_job import DIGITS, TrainMessage, serving, write_digits

from labelplane.operation.v1 import operation_pb2 as operation_pb
from labelplane_core.features import InputSpec
from labelplane_core.models import OnnxModel, read_model
from labelplane_core.tasks import task_kind

SUCCEEDED = operation_pb.OPERATION_STATE_SUCCEEDED
NEURAL = {"members": 5, "epochs": 12, "learning_rate": 6e-3, "augment": True}


@pytest.mark.parametrize(
    ("encoders", "want_accuracy"),
    [
        pytest.param(("Linear", "Linear", {"epochs": 100}), 0.88, id="linear heads, without torch"),
        pytest.param(("SmallCnn", "SmallCnn", NEURAL), 0.90, id="small CNNs", marks=pytest.mark.torch),
        pytest.param(("SmallCnn", "Linear", NEURAL), 0.85, id="CNN taught linear head", marks=pytest.mark.torch),
    ],
)
async def test_a_student_trained_over_grpc_labels_digits_it_has_never_seen(
    tmp_path: Path, encoders: tuple[str, str, dict[str, object]], want_accuracy: float
) -> None:
    teacher, student, settings = encoders
    job = await write_digits(tmp_path)
    async with serving(job, tmp_path) as caller:
        operation = await caller.finish(TrainMessage(job).encoders(teacher, student, **settings).build())

    assert operation.state == SUCCEEDED, operation.error
    model = await read_model(job.store, operation.results["model"])
    session = OnnxModel(model.card, model.onnx)
    unseen = np.arange(900, 1000)
    kind, spec = task_kind(model.card.task_type), InputSpec.from_json(model.card.input)
    items = [kind.decode((await job.data.get(f"{job.item_ids[row]}.png")).data) for row in unseen]
    output = session.run(spec.encode(items))
    assert np.mean(output.logits.argmax(axis=1) == job.truth[unseen]) >= want_accuracy
    assert output.embedding.shape == (100, model.card.embedding_size)
    assert output.samples is not None
    assert output.samples.shape == (100, model.card.members, 10)
    assert model.card.classes == DIGITS
