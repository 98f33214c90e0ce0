"""The table of a model's predictions for items that it was not trained on."""

import pyarrow as pa

from labelplane_core.tables import TableSchema

__all__ = ["PREDICTIONS"]

PREDICTIONS = TableSchema(
    "predictions",
    1,
    pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field(
                "probabilities", pa.list_(pa.field("item", pa.float64(), nullable=False)), nullable=False
            ),  # in the order of the task's classes
        ]
    ),
)
"""P(class) of every item, by members of the ensemble that have not seen it."""
