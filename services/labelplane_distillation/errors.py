"""Errors of training, distillation and export.

LabelplaneError
├── InvalidInput
│   ├── UnknownEncoder        no encoder of that name
│   ├── EncoderMismatch       the encoder cannot read the task's items
│   └── BadTraining           a value of the request is out of bounds
├── MissingExtra              a package of an extra is not installed
├── MissingWeights            pretrained weights are not where the request says, or are not safe to load
├── TooFewItems               the posteriors hold too few items to train on
├── TrainingDiverged          a loss is no longer finite
├── BadTrainedModel           what a training image of the user's wrote is no model that can be used
├── NothingHandedOver         such an image has handed nothing over for this request          retryable
├── BadCheckpoint             a checkpoint is not what this version writes
└── ExportMismatch            the exported model does not compute what the trained one does

All but `BadCheckpoint` and `ExportMismatch` are for people to act on. Only `NothingHandedOver` goes away by trying
again.
"""

from labelplane_core.errors import ErrorCode, InvalidInput, LabelplaneError

__all__ = [
    "BadCheckpoint",
    "BadTrainedModel",
    "BadTraining",
    "EncoderMismatch",
    "ExportMismatch",
    "MissingExtra",
    "MissingWeights",
    "NothingHandedOver",
    "TooFewItems",
    "TrainingDiverged",
    "UnknownEncoder",
]


class UnknownEncoder(InvalidInput):
    """No encoder has that name."""

    reason = "UnknownEncoder"


class EncoderMismatch(InvalidInput):
    """An encoder cannot read the items of the task, such as a convolution over texts."""

    reason = "EncoderMismatch"


class BadTraining(InvalidInput):
    """A value that shapes training is out of its bounds."""

    reason = "BadTraining"


class MissingExtra(LabelplaneError):
    """An encoder needs packages that are not installed; the message names the extra to install."""

    reason = "MissingExtra"
    code = ErrorCode.FAILED_PRECONDITION


class MissingWeights(LabelplaneError):
    """Pretrained weights are missing, or only in a form that may run code when it is read."""

    reason = "MissingWeights"
    code = ErrorCode.FAILED_PRECONDITION


class TooFewItems(LabelplaneError):
    """There are too few labelled items outside gold to train and to hold some out."""

    reason = "TooFewItems"
    code = ErrorCode.FAILED_PRECONDITION


class TrainingDiverged(LabelplaneError):
    """The loss became infinite or no number; a smaller learning rate is the usual cure."""

    reason = "TrainingDiverged"
    code = ErrorCode.FAILED_PRECONDITION


class BadTrainedModel(LabelplaneError):
    """A file that a training image wrote is missing, or is not what docs/training-image.md asks for."""

    reason = "BadTrainedModel"
    code = ErrorCode.FAILED_PRECONDITION


class NothingHandedOver(LabelplaneError):
    """The store has nothing of a training image for this request: another attempt trains again."""

    reason = "NothingHandedOver"
    code = ErrorCode.FAILED_PRECONDITION
    retryable = True


class BadCheckpoint(LabelplaneError):
    """A checkpoint cannot be read, or belongs to another training."""

    reason = "BadCheckpoint"
    code = ErrorCode.DATA_LOSS


class ExportMismatch(LabelplaneError):
    """The exported graph's outputs differ from the trained network's by more than rounding."""

    reason = "ExportMismatch"
    code = ErrorCode.INTERNAL
