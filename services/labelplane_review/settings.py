"""Settings of a connector that runs alone, from environment variables named LABELPLANE_*."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labelplane_core.errors import InvalidInput
from labelplane_core.settings import PREFIX, ProcessSettings
from labelplane_review.simulated import AnnotatorGroup

__all__ = ["ConnectorKind", "ConnectorSettings"]


class ConnectorKind(StrEnum):
    """Which connector to run."""

    SIMULATED = "Simulated"
    FILES = "Files"
    LABEL_STUDIO = "LabelStudio"


class _Group(BaseModel):
    """A group of simulated annotators, as a job writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    count: int = Field(default=1, ge=1)
    accuracy: float | None = Field(default=None, ge=0, le=1)
    random: bool = False
    confusion: list[list[float]] | None = None
    response_seconds: float = Field(default=0.0, ge=0, alias="responseSeconds")


class ConnectorSettings(ProcessSettings):
    """Where the inbox is, and what a connector needs."""

    connector: ConnectorKind = Field(description="Simulated, Files or LabelStudio.")
    inbox_address: str = Field(min_length=1, description="host:port or unix:/path of the aggregation service.")
    files_uri: str = Field(default="", description="Files: the folder of tasks and votes.")
    poll_seconds: float = Field(default=30.0, gt=0, le=3600, description="Files, LabelStudio: time between two looks.")
    classes: str = Field(default="", description="Simulated, LabelStudio: the task's classes as a JSON list.")
    seed: int = Field(default=0, ge=0, description="Simulated: fixes every answer.")
    votes_per_item: int = Field(
        default=3, ge=1, le=25, description="Simulated, LabelStudio: annotators asked about an item."
    )
    max_votes_per_item: int | None = Field(
        default=None, ge=1, le=25, description="Simulated: annotators asked about an item at most, when it is worth it."
    )
    annotators: str = Field(default="", description="Simulated: groups as a JSON list, as in the job.")
    truth_uri: str = Field(default="", description="Simulated: the folder of the table with the truth.")
    truth_table: str = Field(default="", description="Simulated: the CSV, JSONL or Parquet file in it.")
    truth_id_field: str = Field(default="id", description="Simulated: its column of item ids.")
    truth_field: str = Field(default="truth", description="Simulated: its column of classes.")
    store_uri: str = Field(default="", description="LabelStudio: address of the job's output, where it remembers.")
    data_uri: str = Field(default="", description="LabelStudio: address of the data set, whose images it signs.")
    items_endpoint: str = Field(
        default="", description="LabelStudio: the data set's bucket as browsers reach it; empty for the job's own way."
    )
    label_studio_url: str = Field(default="", description="LabelStudio: the server's address.")
    label_studio_token: str = Field(default="", description="LabelStudio: an access token of it.", repr=False)
    label_studio_ca_bundle: Path | None = Field(default=None, description="LabelStudio: PEM file to trust it by.")
    label_studio_title: str = Field(default="labelplane", description="LabelStudio: the title of the job's project.")
    label_studio_project: int = Field(default=0, ge=0, description="LabelStudio: a project that is there; 0 makes one.")
    label_studio_images: str = Field(
        default="", pattern="^(|Presigned|Inline)$", description="LabelStudio: how images are shown; empty for texts."
    )

    def class_names(self) -> tuple[str, ...]:
        """Return the classes; `InvalidInput` when they are no JSON list of two or more."""
        names = tuple(str(name) for name in _json_list(self.classes, "CLASSES"))
        if len(set(names)) != len(names) or len(names) < 2:
            raise InvalidInput(f"{PREFIX}CLASSES: must be at least two different names")
        return names

    def label_studio_certificates(self) -> str:
        """Return the certificates to trust Label Studio by, empty for the system's; `InvalidInput` without the file."""
        path = self.label_studio_ca_bundle
        try:
            return "" if path is None else path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{PREFIX}LABEL_STUDIO_CA_BUNDLE {path}: cannot be read: {error}") from error

    def groups(self) -> list[AnnotatorGroup]:
        """Return the groups of the crowd; `InvalidInput` says which of them does not fit."""
        n_classes = len(self.class_names())
        return [_group(fields, n_classes) for fields in _json_list(self.annotators, "ANNOTATORS")]


def _json_list(text: str, name: str) -> list[Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{PREFIX}{name}: not JSON: {error}") from error
    if not isinstance(values, list) or not values:
        raise InvalidInput(f"{PREFIX}{name}: must be a JSON list with at least one entry")
    return values


def _group(fields: Any, n_classes: int) -> AnnotatorGroup:
    try:
        group = _Group.model_validate(fields)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InvalidInput(f"{PREFIX}ANNOTATORS: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
    if (group.accuracy is not None) + group.random + (group.confusion is not None) != 1:
        raise InvalidInput(f"{PREFIX}ANNOTATORS: {group.name}: set exactly one of accuracy, random and confusion")
    if group.accuracy is not None:
        confusion = AnnotatorGroup.symmetric(group.accuracy, n_classes)
    else:
        even = [[1 / n_classes] * n_classes] * n_classes
        confusion = np.array(group.confusion or even, dtype=np.float64)
    if confusion.shape != (n_classes, n_classes) or not np.allclose(confusion.sum(axis=1), 1):
        raise InvalidInput(
            f"{PREFIX}ANNOTATORS: {group.name}: confusion must be {n_classes} x {n_classes} with rows that sum to 1"
        )
    return AnnotatorGroup(group.name, group.count, confusion, group.response_seconds)
