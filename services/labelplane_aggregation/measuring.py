"""What quality gates are judged by: agreement of people, the error that posteriors imply, accuracy on gate gold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.agreement import gwet_ac1, krippendorff_alpha
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import vote_frame
from labelplane_aggregation.models import VoteMatrix
from labelplane_aggregation.requests import Task
from labelplane_core.tables import current_votes, is_asked

__all__ = ["agreement_figures", "estimated_error", "gate_figures"]


def agreement_figures(votes: pa.Table, task: Task) -> dict[str, float]:
    """Return alpha and ac1 of the votes of people that count, decisions aside; one that is not defined is absent.

    Args:
        votes: `VOTES` as they came; of two votes of one annotator for one item the later counts.
        task: kind and classes.
    """
    counting = current_votes(votes)
    people = counting.filter(is_asked(counting))
    if not len(people):
        return {}
    in_order = people.sort_by([("time", "ascending"), ("vote_id", "ascending")])
    matrix = VoteMatrix.from_table(vote_frame(task.kind.vote_units(in_order, task.classes)), classes=task.classes)
    values = {
        "alpha": krippendorff_alpha(matrix, n_resamples=0).value,
        "ac1": gwet_ac1(matrix, n_resamples=0).value,
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}


def estimated_error(posteriors: pa.Table, *, leave_out: Any) -> float | None:
    """Return the share of wrong labels that the posteriors imply, items in `leave_out` aside; None without items.

    Items on which rules alone have voted count: their posteriors are what the job says of them.
    """
    chosen = posteriors.filter(pc.invert(pc.is_in(posteriors.column("item_id"), value_set=leave_out)))
    if not len(chosen):
        return None
    return float(np.mean(1.0 - chosen.column("confidence").to_numpy()))


def gate_figures(
    posteriors: pa.Table, gate: Gold, *, classes: Sequence[str], minimums: Mapping[str, float]
) -> dict[str, float]:
    """Return how often posteriors are right on gate gold: on all of it, and on the class nearest to missing.

    Args:
        posteriors: inferred with gate gold taken for items like all others.
        gate: gate gold; items without a posterior do not count.
        classes: the task's classes.
        minimums: the accuracy that is wanted of single classes.

    Returns:
        gate_accuracy, absent when no gold item has a posterior. With minimums also gate_classes, how many of them could
        be measured, and of the class with the least accuracy - minimum gate_class, its place in `classes` (the first of
        equals), and gate_class_accuracy. That class misses its minimum exactly when any class does.
    """
    truth, is_right = gate.answered(posteriors.column("item_id"), posteriors.column("answer"))
    figures = {"gate_accuracy": float(is_right.mean())} if len(is_right) else {}
    if not minimums:
        return figures
    places = pc.index_in(truth, value_set=pa.array(classes, pa.string())).to_numpy()
    counts = np.bincount(places, minlength=len(classes))
    shares = np.bincount(places, weights=is_right, minlength=len(classes)) / np.maximum(counts, 1)
    measured = [place for place, name in enumerate(classes) if name in minimums and counts[place]]
    figures["gate_classes"] = float(len(measured))
    if not measured:
        return figures
    nearest = min(measured, key=lambda place: shares[place] - minimums[classes[place]])
    return figures | {"gate_class": float(nearest), "gate_class_accuracy": float(shares[nearest])}
