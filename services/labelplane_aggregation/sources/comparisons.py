"""A condition on a metadata field or a measured feature."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labelplane_aggregation.sources.block import IMAGE_FEATURES, TEXT_FEATURES, BoolArray, ItemBlock
from labelplane_aggregation.sources.specs import Comparison, ComparisonSpec, Setting
from labelplane_core.tasks import Modality

__all__ = ["FieldComparison", "measured_features"]

_OPERATORS: Mapping[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}
_BY_TEXT = (Comparison.EQUAL, Comparison.NOT_EQUAL)


def measured_features(modality: Modality) -> tuple[str, ...]:
    """Return what is measured of items."""
    return TEXT_FEATURES if modality is Modality.TEXT else IMAGE_FEATURES


class FieldComparison:
    """Compares as numbers where both sides are, else as texts; an item without the field is none for which it holds.

    A metadata field hides a feature of its name.

    Raises:
        ValueError: the field is neither metadata nor measured, or it is ordered against what is no number.
    """

    def __init__(self, spec: ComparisonSpec, setting: Setting) -> None:
        self._spec = spec
        self._number = _number(spec.value)
        self._is_metadata = spec.field in setting.metadata_fields
        features = measured_features(setting.modality)
        if not self._is_metadata and spec.field not in features:
            known = ", ".join((*setting.metadata_fields, *features))
            raise ValueError(
                f"field {spec.field!r} is none of dataset.metadataFields and no measured feature: take one of {known}"
            )
        if self._number is None and spec.comparison not in _BY_TEXT:
            raise ValueError(f"value {spec.value!r} is no number: {spec.comparison.value} compares numbers")

    @property
    def reads_pixels(self) -> bool:
        """Whether images have to be decoded."""
        return self._spec.field in IMAGE_FEATURES and not self._is_metadata

    def holds(self, block: ItemBlock) -> BoolArray:
        """Return for which items the comparison holds, (items,)."""
        compare = _OPERATORS[self._spec.comparison]
        if not self._is_metadata:
            values = block.features[self._spec.field]
            found: BoolArray = compare(values, self._number if self._number is not None else np.nan)
            return found
        return self._metadata_holds([each.get(self._spec.field) for each in block.metadata], compare)

    def _metadata_holds(self, values: Sequence[Any], compare: Callable[[Any, Any], Any]) -> BoolArray:
        holds = np.zeros(len(values), dtype=bool)
        for row, value in enumerate(values):
            if value is None:
                continue
            number = _number(value)
            if number is not None and self._number is not None:
                holds[row] = compare(number, self._number)
            elif self._spec.comparison in _BY_TEXT:
                holds[row] = compare(_text(value), self._spec.value)
        return holds


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
