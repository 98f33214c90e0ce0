"""The least certain of the answers that people gave."""

import pyarrow as pa

from labelplane_aggregation.inbox.doubtful import doubtful_items
from labelplane_core.tables import POSTERIORS


def posteriors(*rows: tuple[str, float, int]) -> pa.Table:
    return pa.table(
        {
            "item_id": [item for item, _, _ in rows],
            "answer": ["cat"] * len(rows),
            "confidence": [confidence for _, confidence, _ in rows],
            "probabilities": pa.array([[c, 1 - c] for _, c, _ in rows], POSTERIORS.arrow.field("probabilities").type),
            "n_votes": pa.array([votes for _, _, votes in rows], pa.int32()),
            "agreement": [0.5] * len(rows),
        },
        schema=POSTERIORS.arrow,
    )


def test_least_certain_come_first_ties_by_name_and_unanswered_never() -> None:
    table = posteriors(("b", 0.6, 2), ("a", 0.6, 2), ("c", 0.5, 0), ("d", 0.55, 1), ("e", 0.9, 3))
    assert [each.item_id for each in doubtful_items(table, limit=3)] == ["d", "a", "b"]
    assert doubtful_items(table, limit=1)[0].votes == 1


def test_without_answers_there_are_none() -> None:
    assert doubtful_items(posteriors(), limit=3) == []
