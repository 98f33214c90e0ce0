"""Tables: their schemas, Parquet, manifests of parts, digests, and which votes count."""

from labelplane_core.tables.arrays import from_matrix, to_matrix
from labelplane_core.tables.digest import combine_digests, table_digest
from labelplane_core.tables.manifest import TableManifest, TablePart
from labelplane_core.tables.parquet import conform, read_table, write_table
from labelplane_core.tables.schema import (
    ALL_SCHEMAS,
    BAD_VOTES,
    INDEX,
    ITEM_ERRORS,
    LABELS,
    POSTERIORS,
    PREDICTIONS,
    RELIABILITIES,
    SCORES,
    SELECTION,
    TASKS,
    UNIT_POSTERIORS,
    UNIT_VOTES,
    VOTES,
    TableSchema,
)
from labelplane_core.tables.votes import current_votes

__all__ = [
    "ALL_SCHEMAS",
    "BAD_VOTES",
    "INDEX",
    "ITEM_ERRORS",
    "LABELS",
    "POSTERIORS",
    "PREDICTIONS",
    "RELIABILITIES",
    "SCORES",
    "SELECTION",
    "TASKS",
    "UNIT_POSTERIORS",
    "UNIT_VOTES",
    "VOTES",
    "TableManifest",
    "TablePart",
    "TableSchema",
    "combine_digests",
    "conform",
    "current_votes",
    "from_matrix",
    "read_table",
    "table_digest",
    "to_matrix",
    "write_table",
]
