"""`spec.model`: the teacher that is trained, the student that is distilled from it, and the distillation."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from labelplane_api.rules import Rule, only
from labelplane_api.schema import Address, ApiModel, Bool, Float, Int, Text, group, option


class Encoder(StrEnum):
    """What turns an item into the features that the last layer reads."""

    AUTO = "Auto"
    LINEAR = "Linear"
    MLP = "Mlp"
    SMALL_CNN = "SmallCnn"
    HASHED_NGRAMS = "HashedNgrams"
    TORCHVISION = "Torchvision"
    HUGGING_FACE = "HuggingFace"


PRETRAINED_ENCODERS = frozenset({Encoder.TORCHVISION, Encoder.HUGGING_FACE})
"""Encoders of other libraries, known by an architecture's name or by their weights."""


class TrainingMode(StrEnum):
    """Which weights of the teacher are trained."""

    FEATURE_EXTRACTION = "FeatureExtraction"
    FINE_TUNING = "FineTuning"


def _is_pretrained(network: Any) -> bool:
    return network.encoder in PRETRAINED_ENCODERS


def _unnamed_architecture(network: Any) -> str | None:
    if network.encoder is Encoder.TORCHVISION and network.architecture is None:
        return ": is needed for encoder Torchvision: name one of its models, as in resnet18"
    if network.encoder is Encoder.HUGGING_FACE and network.architecture is None and network.weights is None:
        return ": or weights is needed for encoder HuggingFace: name a model, or give its folder"
    return None


class Network(ApiModel):
    """What a teacher and a student have in common."""

    encoder: Encoder = option(
        "encoder is the network: Linear (no torch), Mlp, SmallCnn (images), HashedNgrams (texts), Torchvision, "
        "HuggingFace, or Auto (by the task and what is installed).",
        Encoder.AUTO,
    )
    architecture: Text | None = option(
        "architecture is the model's name inside Torchvision or HuggingFace, as in resnet18.",
        None,
        otherwise="the encoder has one",
    )
    weights: Address | None = option(
        "weights is the address of pretrained weights: safetensors or a model folder in the store, or a local path.",
        None,
        otherwise="random weights, or those that the architecture's name stands for",
    )
    hidden_size: Int = option("hiddenSize is the width of the last hidden layer.", 256, ge=1, le=65_536)
    epochs: Int = option("epochs is the most passes over the training items.", 100, ge=1, le=100_000)
    learning_rate: Float = option("learningRate is the optimiser's step.", 1e-3, gt=0, le=10)
    weight_decay: Float = option("weightDecay is the optimiser's decoupled decay.", 1e-4, ge=0, le=10)
    batch_size: Int = option("batchSize is how many items one step sees.", 64, ge=1, le=65_536)
    dropout: Float = option("dropout is the share of the hidden layer dropped in training.", 0.1, ge=0, le=0.95)
    augmentation: Bool = option(
        "augmentation changes the training items a little (small shifts and turns of images, dropped words of texts).",
        default=True,
    )
    patience: Int = option(
        "patience is how many epochs without a better validation loss end the training.", 10, ge=1, le=100_000
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        only(
            "architecture",
            when="self.encoder in ['Torchvision', 'HuggingFace']",
            reason="for encoder Torchvision or HuggingFace",
            holds=_is_pretrained,
        ),
        Rule(
            field="architecture",
            message="encoder Torchvision needs architecture, HuggingFace needs architecture or weights",
            check=_unnamed_architecture,
            cel="(self.encoder != 'Torchvision' || has(self.architecture)) && (self.encoder != 'HuggingFace' || "
            "has(self.architecture) || has(self.weights))",
        ),
    )


class Teacher(Network):
    """The larger model, trained on posteriors."""

    mode: TrainingMode = option(
        "mode is FeatureExtraction (only the last layers are trained) or FineTuning (all are); it matters with "
        "pretrained weights.",
        TrainingMode.FINE_TUNING,
    )
    members: Int = option(
        "members is how many models the teacher has, each trained without one fold; their out-of-fold answers vote.",
        5,
        ge=1,
        le=20,
    )


class Student(Network):
    """The smaller model that is exported and scores."""

    members: Int = option(
        "members is how many networks the student has; their disagreement is what strategy Bald needs.", 1, ge=1, le=20
    )


class Distillation(ApiModel):
    """How the student learns: (1 - lambda) task loss + lambda T^2 KL(teacher at T || student at T)."""

    temperature: Float = option("temperature is T, which softens both distributions.", 2.0, gt=0, le=100)
    lambda_: Float = option("lambda is the weight of the teacher against the task.", 0.5, ge=0, le=1, alias="lambda")
    unlabelled: Bool = option(
        "unlabelled lets the student also learn the teacher's answers on items without a label.", default=True
    )


class Training(ApiModel):
    """Teacher, student and distillation."""

    teacher: Teacher = group(Teacher, "teacher is the larger model, trained on posteriors.")
    student: Student = group(Student, "student is the smaller model that is exported and scores.")
    distillation: Distillation = group(Distillation, "distillation is how the student learns from the teacher.")
    validation_share: Float = option(
        "validationShare is the share of the training items held out to stop the training early.", 0.15, gt=0, le=0.5
    )
    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = option(
        "image is a training image of your own, which a Job runs on a cluster: it reads Parquet and writes a model "
        "folder (docs/training-image.md). Of teacher and student it is student.encoder that counts, for the features, "
        "and teacher.members, for the folds; storage.credentialsSecret is needed.",
        None,
        otherwise="labelplane's own",
    )
