"""`spec.output`: where results lie, in which formats, and what becomes of them."""

from enum import StrEnum
from typing import ClassVar

from labelplane_api.rules import Rule, TransitionRule, immutable, unique_items
from labelplane_api.schema import ApiModel, Bool, Change, Key, option


class DeletionPolicy(StrEnum):
    """What becomes of the results when the job is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class ExportFormat(StrEnum):
    """A format in which the labels are written."""

    CSV = "Csv"
    JSONL = "Jsonl"
    PARQUET = "Parquet"
    LABEL_STUDIO_JSON = "LabelStudioJson"
    COCO = "Coco"
    YOLO = "Yolo"
    CONLL = "Conll"


class Output(ApiModel):
    """Where results lie, in which formats, and what becomes of them."""

    prefix: Key | None = option(
        "prefix is the folder below storage.uri that belongs to this job.",
        None,
        otherwise="namespace/name of the job",
        change=Change.NEVER,
    )
    formats: tuple[ExportFormat, ...] = option(
        "formats are the files of labels that the job writes: Csv, Jsonl, Parquet, LabelStudioJson, Coco, Yolo, Conll.",
        (ExportFormat.CSV, ExportFormat.PARQUET),
        min_length=1,
        max_length=7,
        change=Change.AT_ONCE,
    )
    deletion_policy: DeletionPolicy = option(
        "deletionPolicy is what becomes of the results when the job is deleted: Retain or Delete.",
        DeletionPolicy.RETAIN,
        change=Change.AT_ONCE,
    )
    adopt: Bool = option(
        "adopt takes over a prefix that another job or installation has claimed.", default=False, change=Change.AT_ONCE
    )

    checks: ClassVar[tuple[Rule, ...]] = (unique_items("formats"),)
    transitions: ClassVar[tuple[TransitionRule, ...]] = (immutable("prefix"),)
