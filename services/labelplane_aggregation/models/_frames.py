"""Reading any frame into Arrow, and strings into dense codes, without a loop over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from labelplane_aggregation.errors import InvalidVotesError, MissingColumnError, NullVoteError

__all__ = ["Codes", "as_strings", "encode", "read_frame", "take_column"]

Codes = NDArray[np.int32]

Column = Any
"""An Arrow chunked array; its published types are generic over the value, which is not known here."""


def read_frame(frame: Any, *, columns: Sequence[str], what: str) -> pa.Table:
    """Return `frame` as an Arrow table that has `columns`; buffers are shared where the frame allows.

    Args:
        frame: pyarrow Table or RecordBatch, pandas or polars DataFrame, anything with `__arrow_c_stream__`, or a
            dict of equally long lists.
        columns: names that must be there; others are left alone.
        what: how the frame is called in messages ("votes").

    Raises:
        InvalidVotesError: it is no frame, or a column mixes types.
        MissingColumnError: a column is not there.
    """
    if not isinstance(frame, Mapping) and not hasattr(frame, "__arrow_c_stream__") and not _is_batch(frame):
        msg = (
            f"{what}: a {type(frame).__name__} is no frame: give a pyarrow, pandas or polars table, or a dict of lists"
        )
        raise InvalidVotesError(msg)
    try:
        table = pa.table(dict(frame) if isinstance(frame, Mapping) else frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"{what}: cannot be read as a table ({error}): give each column one type and the same length"
        raise InvalidVotesError(msg) from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        msg = f"{what}: no column {missing[0]!r} among {table.column_names}: columns {list(columns)} are needed"
        raise MissingColumnError(msg)
    return table


def _is_batch(frame: Any) -> bool:
    return hasattr(frame, "__arrow_c_array__")


def take_column(table: pa.Table, name: str, *, what: str) -> Column:
    """Return a column of identifiers (strings, integers or booleans) without empty cells.

    Raises:
        NullVoteError: a cell is empty; names the first such row.
        InvalidVotesError: the column holds another type.
    """
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise NullVoteError(f"{what}: row {row}: {name} is empty: fill it or leave the row out")
    if not _is_identifier(column.type):
        raise InvalidVotesError(f"{what}: column {name!r} holds {column.type}: cast it to string")
    return column


def _is_identifier(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
    )


def as_strings(values: Any, *, what: str) -> pa.StringArray:
    """Return `values` (an Arrow array, or any sequence of identifiers) as one Arrow string array.

    Raises:
        InvalidVotesError: the sequence mixes types; `what` names it.
    """
    try:
        array: Any = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(list(values))
        strings = array.cast(pa.string())
    except (pa.ArrowException, TypeError) as error:
        raise InvalidVotesError(f"{what}: cannot be read as strings ({error}): give each one the same type") from error
    if isinstance(strings, pa.ChunkedArray):
        strings = strings.combine_chunks()
    result: pa.StringArray = strings
    return result


def encode(column: Column) -> tuple[pa.StringArray, Codes]:
    """Return the distinct values as strings, sorted, and each row's position among them.

    The codes depend on the set of values alone, not on the order of the rows. One hash pass over the rows and one
    sort of the distinct values: O(rows + distinct log distinct).
    """
    coded = column.dictionary_encode().combine_chunks()
    distinct = as_strings(coded.dictionary, what="identifiers")
    order = pc.sort_indices(distinct)
    ranks = np.empty(len(order), np.int32)
    ranks[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    return distinct.take(order), ranks[coded.indices.to_numpy()]
