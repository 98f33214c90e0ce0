"""Between list columns and matrices, without a Python loop over rows."""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelplane_core.errors import BadTable

__all__ = ["from_matrix", "to_matrix"]


def to_matrix(column: "pa.ChunkedArray[Any] | pa.ListArray[Any]", *, key: str = "table") -> npt.NDArray[Any]:
    """Return a list column whose rows all have one length D as an (N, D) array; (0, 0) without rows.

    Raises:
        BadTable: A row is null, holds a null, or has another length than the first; the message names `key` and the
            row.
    """
    array = _one_array(column)
    if not len(array):
        return np.zeros((0, 0), dtype=array.type.value_type.to_pandas_dtype())
    if array.null_count:
        raise BadTable(f"{key}: a list column holds {array.null_count} nulls where every row must have its values")
    lengths = np.diff(array.offsets.to_numpy())
    if (lengths != lengths[0]).any():
        row = int(np.argmax(lengths != lengths[0]))
        raise BadTable(f"{key}: row {row} of a list column has {lengths[row]} values, the first has {lengths[0]}")
    values = array.flatten()
    if values.null_count:
        raise BadTable(f"{key}: a list column holds null values")
    matrix: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(len(array), int(lengths[0]))
    return matrix


def from_matrix(matrix: npt.NDArray[Any]) -> "pa.ListArray[Any]":
    """Return an (N, D) array of numbers as a list column of N rows; values of a contiguous array are not copied."""
    n_rows, n_columns = matrix.shape
    values = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    offsets = pa.array(np.arange(n_rows + 1, dtype=np.int64) * n_columns, pa.int32())
    return pa.ListArray.from_arrays(offsets, values, type=pa.list_(pa.field("item", values.type, nullable=False)))


def _one_array(column: "pa.ChunkedArray[Any] | pa.ListArray[Any]") -> "pa.ListArray[Any]":
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return cast("pa.ListArray[Any]", array)
