"""`spec.task`: what is asked about each item."""

from enum import StrEnum
from typing import ClassVar

from labelplane_api.rules import Rule, TransitionRule, grows, immutable, unique_items
from labelplane_api.schema import ApiModel, Change, ClassName, option


class TaskType(StrEnum):
    """What an item is and what an answer to it looks like."""

    IMAGE_CLASSIFICATION = "ImageClassification"
    TEXT_CLASSIFICATION = "TextClassification"
    TOKEN_CLASSIFICATION = "TokenClassification"  # noqa: S105 - a token of a text
    OBJECT_DETECTION = "ObjectDetection"
    VIDEO_CLASSIFICATION = "VideoClassification"


IMAGE_TASKS = frozenset({TaskType.IMAGE_CLASSIFICATION, TaskType.OBJECT_DETECTION, TaskType.VIDEO_CLASSIFICATION})
"""Tasks whose items are pixels."""

TEXT_TASKS = frozenset({TaskType.TEXT_CLASSIFICATION, TaskType.TOKEN_CLASSIFICATION})
"""Tasks whose items are text."""


class Task(ApiModel):
    """The question and its possible answers."""

    type: TaskType = option(
        "type is what is labelled: ImageClassification, TextClassification, TokenClassification, ObjectDetection or "
        "VideoClassification.",
        change=Change.NEVER,
    )
    classes: tuple[ClassName, ...] = option(
        "classes are the answers, each once; write numbers in quotes.",
        min_length=2,
        max_length=1000,
        change=Change.GROWS,
    )

    checks: ClassVar[tuple[Rule, ...]] = (unique_items("classes"),)
    transitions: ClassVar[tuple[TransitionRule, ...]] = (immutable("type"), grows("classes"))
