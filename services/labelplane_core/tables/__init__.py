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
    RULE_DIAGNOSTICS,
    SCORES,
    SELECTION,
    TASKS,
    UNIT_POSTERIORS,
    UNIT_VOTES,
    VOTES,
    TableSchema,
)
from labelplane_core.tables.votes import (
    KNOWLEDGE_BASES,
    PEOPLE,
    RULES,
    current_votes,
    is_by_people,
    is_by_rules,
)

__all__ = [
    "ALL_SCHEMAS",
    "BAD_VOTES",
    "INDEX",
    "ITEM_ERRORS",
    "KNOWLEDGE_BASES",
    "LABELS",
    "PEOPLE",
    "POSTERIORS",
    "PREDICTIONS",
    "RELIABILITIES",
    "RULES",
    "RULE_DIAGNOSTICS",
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
    "is_by_people",
    "is_by_rules",
    "read_table",
    "table_digest",
    "to_matrix",
    "write_table",
]
