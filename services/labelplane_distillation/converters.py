"""From the messages of the distillation service to its requests."""

import math

from labelplane.distillation.v1 import distillation_pb2 as pb
from labelplane_core.operations import request_digest
from labelplane_core.task_messages import classes_from_proto, kind_from_proto, share_from_proto
from labelplane_core.tasks import TaskKind
from labelplane_distillation.encoders import find_encoder, resolve_encoder
from labelplane_distillation.errors import BadTraining
from labelplane_distillation.learning import Mixing, NetworkSettings
from labelplane_distillation.requests import TrainRequest

__all__ = ["network_from_proto", "train_request"]

MAX_VALIDATION_SHARE = 0.5


def train_request(message: pb.StartTrainRequest) -> TrainRequest:
    """Return the request, or raise an `InvalidInput` naming the field that is wrong."""
    if not message.index_ref or not message.posteriors_ref:
        raise BadTraining("index_ref and posteriors_ref must both be set")
    kind = kind_from_proto(message.task)
    return TrainRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        kind=kind,
        classes=classes_from_proto(message.task),
        index_ref=message.index_ref,
        posteriors_ref=message.posteriors_ref,
        standing_model_ref=message.standing_model_ref,
        teacher=network_from_proto("teacher", message.teacher, kind),
        student=network_from_proto("student", message.student, kind),
        mixing=_mixing(message.distillation),
        uses_unlabelled=message.distillation.unlabelled,
        validation_share=_bounded("validation_share", message.validation_share, 0.0, MAX_VALIDATION_SHARE),
        seed=message.seed,
        is_deterministic=message.deterministic,
        trains_on_gold=message.train_on_gold,
        image=message.image,
        digest=request_digest(message),
    )


def network_from_proto(name: str, message: pb.Network, kind: TaskKind) -> NetworkSettings:
    """Return the settings of a network; `name` stands before the fields in errors."""
    encoder = resolve_encoder(message.encoder, kind.modality, is_student=name == "student")
    find_encoder(encoder, kind.modality)
    return NetworkSettings(
        encoder=encoder,
        weights=message.weights,
        fine_tune=message.fine_tune,
        members=int(_bounded(f"{name}.members", message.members, 1, 32)),
        hidden_size=int(_bounded(f"{name}.hidden_size", message.hidden_size, 1, 65_536)),
        epochs=int(_bounded(f"{name}.epochs", message.epochs, 1, 100_000)),
        learning_rate=_positive(f"{name}.learning_rate", message.learning_rate),
        weight_decay=_bounded(f"{name}.weight_decay", message.weight_decay, 0.0, math.inf),
        batch_size=int(_bounded(f"{name}.batch_size", message.batch_size, 1, 65_536)),
        dropout=_below_one(f"{name}.dropout", message.dropout),
        augment=message.augment,
        patience=message.patience,
    )


def _mixing(message: pb.Distillation) -> Mixing:
    temperature = _positive("distillation.temperature", message.temperature)
    # `lambda` is a keyword of the language, so the field has no attribute.
    share = share_from_proto("distillation.lambda", getattr(message, "lambda"))
    return Mixing(temperature=temperature, share=share)


def _bounded(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise BadTraining(f"{name} must be from {low} to {high}, got {value}")
    return value


def _positive(name: str, value: float) -> float:
    if not 0.0 < value < math.inf:
        raise BadTraining(f"{name} must be above 0, got {value}")
    return value


def _below_one(name: str, value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise BadTraining(f"{name} must be at least 0 and below 1, got {value}")
    return value
