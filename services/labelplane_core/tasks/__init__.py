"""Kinds of task behind one interface."""

from labelplane_core.tasks.classification import ClassificationKind
from labelplane_core.tasks.images import ImageClassification
from labelplane_core.tasks.kind import DecodedItem, Modality, Presentation, TaskKind
from labelplane_core.tasks.registry import TASK_KINDS, task_kind
from labelplane_core.tasks.texts import TextClassification

__all__ = [
    "TASK_KINDS",
    "ClassificationKind",
    "DecodedItem",
    "ImageClassification",
    "Modality",
    "Presentation",
    "TaskKind",
    "TextClassification",
    "task_kind",
]
