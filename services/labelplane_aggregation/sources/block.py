"""The items of a block as sources of votes see them, each view of them made once and only when it is asked for."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.sources.word_forms import flat_form, padded_forms

__all__ = ["IMAGE_FEATURES", "TEXT_FEATURES", "BoolArray", "FloatArray", "ItemBlock", "image_features"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

TEXT_FEATURES = ("characters", "words")
"""What is measured of a text: its length in both."""

IMAGE_FEATURES = ("width", "height", "aspect", "brightness", "contrast", "saturation", "red", "green", "blue")
"""What is measured of an image: pixels, width / height, and shares from 0 to 1."""

_LUMA = np.array([0.2126, 0.7152, 0.0722])
"""How bright red, green and blue are to the eye (ITU-R BT.709)."""


class ItemBlock:
    """Some items, in order.

    Args:
        item_ids: of each item.
        texts: of each item; None where items are images.
        meta: of each item, a JSON object; empty means that no item has any.
        features: (items,) arrays by name, for images; texts are measured here.
    """

    def __init__(
        self,
        item_ids: Sequence[str],
        *,
        texts: Sequence[str] | None = None,
        meta: Sequence[str] = (),
        features: Mapping[str, FloatArray] | None = None,
    ) -> None:
        self.item_ids = item_ids
        self.texts = texts
        self._meta = meta
        self._given = features or {}

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.item_ids)

    @cached_property
    def text_array(self) -> pa.StringArray:
        """The texts as one Arrow array."""
        return pa.array(self.texts or [""] * len(self), pa.string())

    @cached_property
    def metadata(self) -> list[dict[str, Any]]:
        """The metadata of each item."""
        return [json.loads(each) for each in self._meta] if len(self._meta) else [{} for _ in range(len(self))]

    @cached_property
    def features(self) -> Mapping[str, FloatArray]:
        """The measured features."""
        if self.texts is None:
            return self._given
        characters = pc.utf8_length(self.text_array).to_numpy().astype(np.float64)
        words = pc.count_substring_regex(self.text_array, pattern=r"[\pL\pM\pN_]+").to_numpy().astype(np.float64)
        return {"characters": characters, "words": words}

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """Each item as an expression or function reads it: id, text, meta and the features by name."""
        columns = {name: values.tolist() for name, values in self.features.items()}
        texts = self.texts if self.texts is not None else [""] * len(self)
        return [
            {"id": item_id, "text": text, "meta": meta} | {name: values[row] for name, values in columns.items()}
            for row, (item_id, text, meta) in enumerate(zip(self.item_ids, texts, self.metadata, strict=True))
        ]

    def search_form(self, *, whole_words: bool, match_case: bool) -> pa.StringArray:
        """Return the texts as terms are searched in them; see `word_forms`."""
        match whole_words, match_case:
            case True, False:
                return self._padded
            case True, True:
                return self._padded_cased
            case False, False:
                return self._flat
        return self._flat_cased

    @cached_property
    def _padded(self) -> pa.StringArray:
        return pa.array(padded_forms(self.texts or ()), pa.string())

    @cached_property
    def _padded_cased(self) -> pa.StringArray:
        return pa.array(padded_forms(self.texts or (), match_case=True), pa.string())

    @cached_property
    def _flat(self) -> pa.StringArray:
        return pa.array([flat_form(text) for text in self.texts or ()], pa.string())

    @cached_property
    def _flat_cased(self) -> pa.StringArray:
        return pa.array([flat_form(text, match_case=True) for text in self.texts or ()], pa.string())


def image_features(images: Sequence[npt.NDArray[np.uint8]]) -> dict[str, FloatArray]:
    """Measure images of shape (height, width, 3).

    Returns:
        By name, (images,): width and height in pixels, aspect (width / height), and from 0 to 1 brightness (mean luma),
        contrast (standard deviation of luma), saturation (mean of (max - min) / max over the channels) and the means of
        red, green and blue.
    """
    rows = np.array([_measured(image) for image in images], dtype=np.float64).reshape(-1, len(IMAGE_FEATURES))
    return {name: rows[:, place] for place, name in enumerate(IMAGE_FEATURES)}


def _measured(image: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    height, width = image.shape[:2]
    pixels = image.reshape(-1, 3).astype(np.float32) / 255
    luma = pixels @ _LUMA.astype(np.float32)
    largest = pixels.max(axis=1)
    saturation = np.divide(largest - pixels.min(axis=1), largest, out=np.zeros_like(largest), where=largest > 0)
    red, green, blue = pixels.mean(axis=0, dtype=np.float64)
    means = (luma.mean(dtype=np.float64), luma.std(dtype=np.float64), saturation.mean(dtype=np.float64))
    return (width, height, width / height, *map(float, means), float(red), float(green), float(blue))
