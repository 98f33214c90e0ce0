"""Diagnostics of a job's rules, measured on gate gold."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.sources import Diagnosed, diagnose

__all__ = ["diagnose_rules"]


def diagnose_rules(
    votes: pa.Table,
    annotators: Mapping[str, str],
    *,
    classes: Sequence[str],
    posteriors: pa.Table,
    gate: Gold,
) -> Diagnosed:
    """Return how each rule and knowledge base does.

    Gate gold measures them, never audit gold: whoever mends a rule by its measured accuracy has used those items up.
    """
    gold = (gate.item_ids, gate.classes) if len(gate) else None
    return diagnose(votes, annotators, classes=classes, posteriors=posteriors, gold=gold)
