"""What a training image and labelplane agree on: names of files, what stands in them, and who is held out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labelplane_core.features import InputSpec
from labelplane_core.models import WEIGHTS_FILE
from labelplane_core.seeds import generator
from labelplane_core.shards import Stage
from labelplane_core.storage import Layout
from labelplane_distillation.errors import BadTrainedModel
from labelplane_distillation.folds import Folds, assign_folds, draw_validation
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems

__all__ = [
    "CARD_FILE",
    "LARGEST_FILES",
    "MODEL_FILE",
    "OUT_OF_FOLD_FILE",
    "TABLE_FILE",
    "TASK_FILE",
    "WEIGHTS_FILE",
    "Listing",
    "TrainedCard",
    "listing_key",
    "split_items",
    "task_description",
    "trained_file_key",
]

TASK_FILE: Final = "task.json"
TABLE_FILE: Final = "train.parquet"

MODEL_FILE: Final = "model.onnx"
CARD_FILE: Final = "card.json"
OUT_OF_FOLD_FILE: Final = "out-of-fold.parquet"

_GIBIBYTE: Final = 1 << 30

LARGEST_FILES: Final = {
    MODEL_FILE: 2 * _GIBIBYTE - 1,  # the bound of protobuf
    CARD_FILE: 1 << 20,
    WEIGHTS_FILE: 2 * _GIBIBYTE,
    OUT_OF_FOLD_FILE: _GIBIBYTE,
}
"""What is taken of the folder that an image writes, and the most bytes of each; nothing else is read."""

_MOST_MEMBERS = 32


class TrainedCard(BaseModel):
    """The content of `card.json`: what nobody can tell from the graph."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1]
    input: dict[str, Any] = Field(description="How items become the graph's input: that of task.json, or another.")
    encoder: str = Field(default="Own", min_length=1, max_length=200, description="What to call the network.")
    members: int = Field(default=1, ge=1, le=_MOST_MEMBERS, description="Above 1 the graph also gives samples.")
    temperature: float = Field(default=1.0, gt=0, description="By which the logits are divided already.")
    versions: dict[str, str] = Field(default_factory=dict, max_length=32, description="Of packages, for the record.")
    cpu_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="What the training cost.")
    gpu_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="What the training cost.")

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return the card.

        Raises:
            BadTrainedModel: it is none; the message names the field.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise BadTrainedModel(f"{CARD_FILE}: {where}: {first['msg']}") from error


@dataclass(frozen=True, slots=True)
class Listing:
    """What an image handed over; written last and once, so that it is whole and the only thing that readers follow.

    Attributes:
        folder: digest of the files, which names their folder.
        files: sha256 of each file by its name.
        seconds: how long the image ran.
    """

    folder: str
    files: dict[str, str]
    seconds: float

    def to_json(self) -> bytes:
        """Return the listing as it lies in the store."""
        fields = {"folder": self.folder, "files": self.files, "seconds": self.seconds}
        return json.dumps(fields, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return the listing that `to_json` wrote."""
        return cls(**json.loads(data))


def split_items(request: TrainRequest, items: TrainingItems, item_ids: Sequence[str]) -> Folds:
    """Return the fold of each labelled item, -1 for validation items: the same for everybody who asks for one request.

    They are drawn as for a training of our own; there are at least two folds, and each member would miss one.
    """
    is_validation = draw_validation(item_ids, request.validation_share, seed=request.seed) & ~items.is_gold
    members = max(2, request.teacher.members)
    rng = generator(request.seed, Stage.TRAIN, request.round_number)
    return assign_folds(items.targets.argmax(axis=1), is_validation, members=members, held_out=1, generator=rng)


def task_description(request: TrainRequest, *, spec: InputSpec, items: int, folds: int) -> bytes:
    """Return `task.json`."""
    fields = {
        "format_version": 1,
        "task_type": request.kind.type_name,
        "classes": list(request.classes),
        "items": items,
        "folds": folds,
        "input": spec.to_json(),
        "features": {"shape": list(spec.shape), "dtype": spec.dtype.name},
        "seed": request.seed,
        "round": request.round_number,
        "attempt": request.attempt,
        "deterministic": request.is_deterministic,
    }
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def listing_key(layout: Layout, request: TrainRequest) -> str:
    """Return where the listing of a request lies: what was trained for other parameters is not found there."""
    return _key(layout, request, f"handed-over-{request.digest[:16]}.json")


def trained_file_key(layout: Layout, request: TrainRequest, *, folder: str, name: str) -> str:
    """Return where a file lies that an image wrote."""
    return _key(layout, request, f"handed-over/{folder}/{name}")


def _key(layout: Layout, request: TrainRequest, name: str) -> str:
    return layout.round_file(request.round_number, Stage.TRAIN, request.attempt, name)
