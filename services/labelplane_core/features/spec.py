"""The one preprocessing that training and scoring share."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from labelplane_core.errors import BadInputSpec
from labelplane_core.features.ngrams import hashed_ngrams, ngram_ids
from labelplane_core.features.pixels import image_batch, pixels
from labelplane_core.tasks.kind import DecodedItem

__all__ = ["InputKind", "InputSpec"]

_MAX_DIMS = 1 << 22
_MAX_SIDE = 4096
_MAX_N = 8


class InputKind(StrEnum):
    """What a model takes."""

    IMAGE = "image"
    PIXELS = "pixels"
    HASHED_NGRAMS = "hashed-ngrams"
    NGRAM_IDS = "ngram-ids"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How decoded items become a model's input; it stands in the model's `model.json`, so both ends do the same.

    | kind | batch of N items | uses |
    | --- | --- | --- |
    | `image` | float32 (N, channels, height, width) in [0, 1] | height, width, channels |
    | `pixels` | float32 (N, channels * height * width), rows of mean 0, deviation 1 | height, width, channels |
    | `hashed-ngrams` | float32 (N, dims), each row of length 1 | dims, word_ngrams, char_ngrams |
    | `ngram-ids` | int64 (N, length), buckets from 1 to dims - 1, then 0 | dims, length, word_ngrams, char_ngrams |

    Attributes:
        kind: Which of these.
        height: Rows that an image is resized to, 1 to 4,096.
        width: Columns that an image is resized to, 1 to 4,096.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.
        dims: Hash buckets, 2 to 4,194,304.
        length: Ids kept of a text, 1 or more; words come before characters.
        word_ngrams: Least and greatest number of words, or (0, 0) for none; at most 8.
        char_ngrams: Least and greatest number of characters, or (0, 0) for none; at most 8.

    A value that its kind does not use still has to be in its bounds (`BadInputSpec`).
    """

    kind: InputKind
    height: int = 32
    width: int = 32
    channels: int = 3
    dims: int = 4096
    length: int = 512
    word_ngrams: tuple[int, int] = (1, 2)
    char_ngrams: tuple[int, int] = (3, 5)

    def __post_init__(self) -> None:
        _check("height", self.height, 1, _MAX_SIDE)
        _check("width", self.width, 1, _MAX_SIDE)
        _check("dims", self.dims, 2, _MAX_DIMS)
        _check("length", self.length, 1, _MAX_DIMS)
        if self.channels not in {1, 3}:
            raise BadInputSpec(f"channels must be 1 or 3, got {self.channels}")
        for name, (low, high) in (("word_ngrams", self.word_ngrams), ("char_ngrams", self.char_ngrams)):
            if (low, high) != (0, 0) and not 1 <= low <= high <= _MAX_N:
                raise BadInputSpec(f"{name} must be (0, 0) or 1 <= low <= high <= {_MAX_N}, got ({low}, {high})")
        if self.word_ngrams == self.char_ngrams == (0, 0):
            raise BadInputSpec("word_ngrams and char_ngrams must not both be (0, 0)")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one item in a batch."""
        match self.kind:
            case InputKind.IMAGE:
                return (self.channels, self.height, self.width)
            case InputKind.PIXELS:
                return (self.channels * self.height * self.width,)
            case InputKind.HASHED_NGRAMS:
                return (self.dims,)
            case InputKind.NGRAM_IDS:
                return (self.length,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a batch's values."""
        return np.dtype(np.int64 if self.kind is InputKind.NGRAM_IDS else np.float32)

    def encode(self, items: Sequence[DecodedItem]) -> npt.NDArray[Any]:
        """Return the batch of `items`: (len(items), *shape) of `dtype`.

        Pure, and each row depends on its item alone, so a batch may be cut anywhere. `BadInputSpec` when an item is
        of the other modality.
        """
        if self.kind in {InputKind.IMAGE, InputKind.PIXELS}:
            return self._encode_images(items)
        texts = [item for item in items if isinstance(item, str)]
        if len(texts) != len(items):
            raise BadInputSpec(f"input kind {self.kind} takes texts, got an image")
        ranges = {"word_ngrams": self.word_ngrams, "char_ngrams": self.char_ngrams}
        if self.kind is InputKind.HASHED_NGRAMS:
            return hashed_ngrams(texts, self.dims, **ranges)
        return ngram_ids(texts, self.dims, length=self.length, **ranges)

    def to_json(self) -> dict[str, Any]:
        """Return the specification as a JSON object, which `from_json` reads."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, record: object) -> "InputSpec":
        """Return the specification in a JSON object; `BadInputSpec` when it is not one, or has unknown fields."""
        try:
            fields = dict(record)  # type: ignore[call-overload]
            for name in ("word_ngrams", "char_ngrams"):
                if name in fields:
                    low, high = fields[name]
                    fields[name] = (low, high)
            return cls(kind=InputKind(fields.pop("kind")), **fields)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputSpec(f"not an input specification: {error}") from error

    def _encode_images(self, items: Sequence[DecodedItem]) -> npt.NDArray[np.float32]:
        images = [item for item in items if not isinstance(item, str)]
        if len(images) != len(items):
            raise BadInputSpec(f"input kind {self.kind} takes images, got a text")
        size = {"height": self.height, "width": self.width, "channels": self.channels}
        return image_batch(images, **size) if self.kind is InputKind.IMAGE else pixels(images, **size)


def _check(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInputSpec(f"{name} must be a whole number from {low} to {high}, got {value!r}")
