"""From the files that a training image wrote to a student as labelplane keeps it, or why they are none."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load

from labelplane_core.errors import BadInputSpec, BadTable
from labelplane_core.features import InputSpec
from labelplane_core.models import (
    CONFIG_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    BadModel,
    ModelCard,
    ModelOutput,
    OnnxModel,
    TrainedOn,
)
from labelplane_core.tables import to_matrix
from labelplane_distillation.errors import BadTrainedModel
from labelplane_distillation.export import package_versions, triton_config
from labelplane_distillation.handover.contract import (
    CARD_FILE,
    MODEL_FILE,
    OUT_OF_FOLD_FILE,
    TrainedCard,
)
from labelplane_distillation.handover.graph_checks import check_graph
from labelplane_distillation.learning import Inputs
from labelplane_distillation.losses import Floats
from labelplane_distillation.requests import TrainRequest

__all__ = ["TrainedFiles", "package_trained", "read_out_of_fold"]

_TOLERANCE = 1e-3
"""Largest difference of a row computed alone or in a batch, relative to the largest value: rounding, and no more."""
_SUM_TOLERANCE = 1e-3
_ANY_SIZE = 1


@dataclass(frozen=True, slots=True)
class TrainedFiles:
    """What an image wrote, its card and graph looked at.

    Attributes:
        card: what the image says.
        spec: how items become the graph's input.
        files: by their names in the image's folder.
    """

    card: TrainedCard
    spec: InputSpec
    files: Mapping[str, bytes]

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> "TrainedFiles":
        """Return the files.

        Raises:
            BadTrainedModel: one is not what it must be.
        """
        card = TrainedCard.from_json(files[CARD_FILE])
        try:
            spec = InputSpec.from_json(card.input)
        except BadInputSpec as error:
            raise BadTrainedModel(f"{CARD_FILE}: input: {error}") from error
        check_graph(files[MODEL_FILE], spec)
        return cls(card, spec, files)


def package_trained(
    trained: TrainedFiles, request: TrainRequest, *, trained_on: TrainedOn, sample: Inputs
) -> tuple[ModelCard, dict[str, bytes]]:
    """Return the card and the other files of the student, after it has answered a sample of items.

    Raises:
        BadTrainedModel: it gives other outputs than a student's, or a file beside it cannot be read.
    """
    card = _card(trained, request, trained_on)
    output = _answers(card, trained.files[MODEL_FILE], sample)
    card = card.model_copy(update={"embedding_size": int(output.embedding.shape[1])})
    files = {ONNX_FILE: trained.files[MODEL_FILE], CONFIG_FILE: triton_config(card, trained.spec)}
    if WEIGHTS_FILE in trained.files:
        files[WEIGHTS_FILE] = _weights(trained.files[WEIGHTS_FILE])
    return card, files


def _card(trained: TrainedFiles, request: TrainRequest, trained_on: TrainedOn) -> ModelCard:
    own = trained.card
    return ModelCard(
        role="student",
        task_type=request.kind.type_name,
        classes=request.classes,
        encoder=own.encoder,
        encoder_digest=_digest(trained),
        input=trained.spec.to_json(),
        members=own.members,
        embedding_size=_ANY_SIZE,
        temperature=own.temperature,
        trained_on=trained_on,
        round=request.round_number,
        seed=request.seed,
        versions={**own.versions, **package_versions(), "image": request.image},
        files={},
    )


def _digest(trained: TrainedFiles) -> str:
    """Return what the embeddings are known by: nobody knows which part of a graph makes them, so all of it counts."""
    spec = json.dumps(trained.spec.to_json(), sort_keys=True).encode()
    return hashlib.sha256(spec + trained.files[MODEL_FILE]).hexdigest()


def _answers(card: ModelCard, graph: bytes, sample: Inputs) -> ModelOutput:
    """Return what the model says of a sample, which must be what a student says."""
    try:
        model = OnnxModel(card, graph)
        output, alone = model.run(sample), model.run(sample[:1])
    except BadModel as error:
        raise BadTrainedModel(f"{MODEL_FILE}: {error}") from error
    except Exception as error:  # onnxruntime's own exceptions have no common base
        raise BadTrainedModel(f"{MODEL_FILE}: does not answer a batch of {len(sample)} items: {error}") from error
    _check_shapes(output, n_items=len(sample), n_classes=len(card.classes), members=card.members)
    for name in card.outputs:
        in_batch, by_itself = getattr(output, name)[:1], getattr(alone, name)
        scale = max(1.0, float(np.abs(in_batch).max()))
        if not float(np.abs(in_batch - by_itself).max()) <= _TOLERANCE * scale:
            raise BadTrainedModel(
                f"{MODEL_FILE}: output {name} of an item depends on the items beside it or on chance: export the "
                "network as it answers, without dropout and with fixed normalisation"
            )
    return output


def _check_shapes(output: ModelOutput, *, n_items: int, n_classes: int, members: int) -> None:
    wanted = {"logits": (n_items, n_classes), "samples": (n_items, members, n_classes)}
    for name in ("logits", "embedding", "samples"):
        values: npt.NDArray[np.float32] | None = getattr(output, name)
        if values is None:
            continue
        if name in wanted and values.shape != wanted[name]:
            raise BadTrainedModel(
                f"{MODEL_FILE}: output {name} has the shape {list(values.shape)} for {n_items} items, it must be "
                f"{list(wanted[name])}: a logit for each class of task.json, in their order"
            )
        if name == "embedding" and (values.ndim != 2 or values.shape[0] != n_items):
            raise BadTrainedModel(f"{MODEL_FILE}: output embedding has the shape {list(values.shape)}, not two axes")
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise BadTrainedModel(f"{MODEL_FILE}: output {name} must hold finite numbers of float32")


def _weights(data: bytes) -> bytes:
    try:
        load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BadTrainedModel(f"{WEIGHTS_FILE}: cannot be read: {error}: leave it out, or save it anew") from error
    return data


def read_out_of_fold(data: bytes, training_ids: Sequence[str], *, n_classes: int) -> tuple[list[str], Floats]:
    """Return the items and probabilities of `out-of-fold.parquet`.

    Args:
        data: the file.
        training_ids: the items that it may speak of: those of the split "train".
        n_classes: of the task.

    Raises:
        BadTrainedModel: a column is missing, an item is none of these or stands twice, a row is no distribution.
    """
    try:
        table = pq.read_table(io.BytesIO(data), columns=["item_id", "probabilities"])
        ids = table.column("item_id").cast(pa.string()).to_pylist()
        lists = table.column("probabilities").cast(pa.list_(pa.float64()))
        rows = to_matrix(lists, key=OUT_OF_FOLD_FILE)
    except (pa.ArrowException, OSError, KeyError, BadTable) as error:
        told = str(error).splitlines()[0][:300]
        raise BadTrainedModel(
            f"{OUT_OF_FOLD_FILE}: needs the columns item_id (string) and probabilities (list of numbers): {told}"
        ) from error
    known = set(training_ids)
    wrong = [each for each in ids if each not in known]
    if wrong or len(set(ids)) != len(ids):
        what = f"item {wrong[0]!r} is not one of the split train" if wrong else "an item stands twice"
        raise BadTrainedModel(f"{OUT_OF_FOLD_FILE}: {what}")
    rows = np.asarray(rows, dtype=np.float64).reshape(len(ids), -1) if ids else np.zeros((0, n_classes))
    is_one = np.isfinite(rows).all(axis=1) & (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) < _SUM_TOLERANCE)
    if rows.shape[1] != n_classes or not is_one.all():
        raise BadTrainedModel(f"{OUT_OF_FOLD_FILE}: a row must hold {n_classes} probabilities that sum to 1")
    return ids, rows / rows.sum(axis=1, keepdims=True)
