"""A label for every item of the index, from what is known of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.acceptance import Threshold, choose_threshold
from labelplane_aggregation.inferred import Inferred
from labelplane_aggregation.predicting import PredictionTable
from labelplane_aggregation.preparing.gold import AUDIT, GATE
from labelplane_aggregation.requests import Acceptance
from labelplane_core.tables import LABELS, from_matrix, to_matrix
from labelplane_report.data import LabelState

__all__ = ["AllLabels", "label_everything"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AllLabels:
    """`LABELS` twice over.

    Attributes:
        published: what the job hands over: gold has its known class, with confidence 1 and state "human".
        measured: the same with audit gold labelled as any other item, so that it can say how good the labels are.
        threshold: the confidence from which the machine's labels are accepted; None when none are.
    """

    published: pa.Table
    measured: pa.Table
    threshold: Threshold | None


def label_everything(
    index: pa.Table,
    inferred: Inferred,
    *,
    classes: tuple[str, ...],
    predictions: PredictionTable | None,
    acceptance: Acceptance,
) -> AllLabels:
    """Return a label for every item.

    - An item with votes of people has the class of its posterior, to which rules add, and the state "human".
    - Any other has the model's most probable class and the state "accepted" where that is inside the bound on risk: the
      bound was measured on the model alone, so rules do not meddle with it.
    - Else it is "predicted": by the posterior of rules and model where rules have voted, by the model, or without a
      model the most frequent class so far, with that class's share as its confidence.
    - Gold has its known class, with confidence 1: people have decided it.

    Args:
        index: `INDEX`.
        inferred: of all votes, gate gold held at its class.
        classes: the task's classes.
        predictions: of the standing model.
        acceptance: whether and how far the machine may decide alone.
    """
    builder = _Builder(index, inferred, classes, predictions)
    threshold = _threshold(builder, acceptance)
    measured = builder.table(threshold, known_roles=(GATE,))
    return AllLabels(builder.table(threshold, known_roles=(GATE, AUDIT)), measured, threshold)


class _Builder:
    """The items' probabilities, row by row of the index."""

    def __init__(
        self, index: pa.Table, inferred: Inferred, classes: tuple[str, ...], predictions: PredictionTable | None
    ) -> None:
        self.index = index
        self._classes = pa.array(classes, pa.string())
        ids = index.column("item_id").combine_chunks()
        voted = _rows(ids, inferred.posteriors.column("item_id").combine_chunks())
        self._is_voted = voted >= 0
        self._is_asked = pc.is_in(ids, value_set=inferred.asked).to_numpy(zero_copy_only=False)
        self._n_votes = np.where(self._is_voted, _taken(inferred.posteriors.column("n_votes").to_numpy(), voted), 0)
        self.predicted = np.tile(inferred.class_prior, (len(index), 1))
        self.has_prediction = np.zeros(len(index), dtype=bool)
        if predictions is not None:
            rows = predictions.rows(ids)
            self.has_prediction = rows >= 0
            self.predicted[self.has_prediction] = predictions.probabilities[rows[self.has_prediction]]
        self._probabilities = self.predicted.copy()
        if len(inferred.posteriors):
            posterior = to_matrix(inferred.posteriors.column("probabilities"))
            self._probabilities[self._is_voted] = posterior[voted[self._is_voted]]
        self._answers = self._probabilities.argmax(axis=1)
        decided = pc.index_in(inferred.posteriors.column("answer"), value_set=self._classes).to_numpy()
        self._answers[self._is_voted] = decided[voted[self._is_voted]]

    def is_of(self, *roles: str) -> npt.NDArray[np.bool_]:
        """Return which rows are gold of these roles."""
        chosen: npt.NDArray[np.bool_] = pc.is_in(
            self.index.column("gold_role"), value_set=pa.array(roles, pa.string())
        ).to_numpy()
        return chosen

    def known(self) -> npt.NDArray[np.int64]:
        """Return the known class of each row, -1 where it is not gold."""
        codes: npt.NDArray[np.int64] = (
            pc.index_in(self.index.column("gold"), value_set=self._classes).fill_null(-1).to_numpy().astype(np.int64)
        )
        return codes

    def table(self, threshold: Threshold | None, *, known_roles: tuple[str, ...]) -> pa.Table:
        """Return `LABELS`, gold of these roles at its known class."""
        probabilities, answers = self._probabilities.copy(), self._answers.copy()
        is_sure = self._is_sure(threshold)
        probabilities[is_sure] = self.predicted[is_sure]
        answers[is_sure] = self.predicted[is_sure].argmax(axis=1)
        is_known = self.is_of(*known_roles)
        answers[is_known] = self.known()[is_known]
        probabilities[is_known] = np.eye(len(self._classes))[answers[is_known]]
        confidence = probabilities[np.arange(len(answers)), answers]
        states = self._states(is_sure, is_known=is_known)
        return pa.table(
            {
                "item_id": self.index.column("item_id"),
                "label": self._classes.take(pa.array(answers, pa.int64())),
                "confidence": pa.array(confidence),
                "state": pa.array(states, pa.string()),
                "n_votes": pa.array(self._n_votes, pa.int32()),
                "probabilities": from_matrix(probabilities),
            },
            schema=LABELS.arrow,
        )

    def _is_sure(self, threshold: Threshold | None) -> npt.NDArray[np.bool_]:
        """Return which items the machine may decide alone: no person has, and the model's own confidence is enough."""
        if threshold is None:
            return np.zeros(len(self.index), dtype=bool)
        enough: npt.NDArray[np.bool_] = self.predicted.max(axis=1) >= threshold.confidence
        sure: npt.NDArray[np.bool_] = self.has_prediction & ~self._is_asked & enough
        return sure

    def _states(self, is_sure: npt.NDArray[np.bool_], *, is_known: npt.NDArray[np.bool_]) -> Any:
        machine = np.where(is_sure, LabelState.ACCEPTED.value, LabelState.PREDICTED.value)
        return np.where(self._is_asked | is_known, LabelState.HUMAN.value, machine)


def _threshold(builder: _Builder, acceptance: Acceptance) -> Threshold | None:
    """Return the threshold that gate gold allows, by the labels that the model alone would give it."""
    chosen = builder.is_of(GATE) & builder.has_prediction
    if not (acceptance.is_enabled and chosen.any()):
        return None
    predicted = builder.predicted[chosen]
    return choose_threshold(
        predicted.max(axis=1),
        predicted.argmax(axis=1) == builder.known()[chosen],
        maximum_risk=acceptance.maximum_risk,
        confidence=acceptance.confidence,
    )


def _rows(ids: Any, within: Any) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = pc.index_in(ids, value_set=within).fill_null(-1).to_numpy().astype(np.int64)
    return found


def _taken(values: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    return values[rows] if len(values) else np.zeros(len(rows), dtype=values.dtype)
