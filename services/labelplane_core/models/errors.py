"""Errors of reading models.

LabelplaneError
├── BadModel             a model's folder is not one that this version wrote, or was changed since
└── InvalidInput
    └── BatchMismatch    a batch does not fit the model's input
"""

from labelplane_core.errors import ErrorCode, InvalidInput, LabelplaneError

__all__ = ["BadModel", "BatchMismatch"]


class BadModel(LabelplaneError):
    """A model's files do not match its digest, or its card or graph is not one that this version reads."""

    reason = "BadModel"
    code = ErrorCode.DATA_LOSS


class BatchMismatch(InvalidInput):
    """A batch's shape or type is not that of the model's input."""

    reason = "BatchMismatch"
