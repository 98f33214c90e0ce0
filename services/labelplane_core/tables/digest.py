"""A digest of a table's content that does not depend on the order of its rows or how its parts are cut."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.tables.parquet import conform
from labelplane_core.tables.schema import TableSchema

__all__ = ["combine_digests", "table_digest"]

_MODULUS = 1 << 256
_CHUNK_ROWS = 65_536


def table_digest(table: pa.Table, schema: TableSchema) -> str:
    """Return the digest of `table` as 64 hexadecimal characters.

    Every row is hashed by BLAKE2b-256 over the schema's name and version and the row's values in the order of the
    columns' names, each value in a form that no other value has (lengths before text and lists, a byte for null; all
    NaNs are one, and -0.0 is 0.0). The digest is the sum of the rows' hashes modulo 2^256, a multiset hash (Bellare
    and Micciancio, "A New Paradigm for Collision-free Hashing", EUROCRYPT 1997, AdHash): it tells apart what a hash
    over the sorted rows tells apart, repeated rows included, and needs no sort; digests of parts add up to that of
    the whole (`combine_digests`). It guards against mistakes and damage; somebody who may write both rows and
    manifests can defeat it.

    About 4 microseconds for a row of eleven columns; memory for 65,536 rows at a time.
    """
    whole = conform(table, schema)
    names = sorted(whole.column_names)
    start_of_row = f"{schema.name}/{schema.version}\n".encode()
    total = 0
    for start in range(0, len(whole), _CHUNK_ROWS):
        chunk = whole.slice(start, _CHUNK_ROWS)
        fields = [field for name in names for field in _fields(chunk.column(name).combine_chunks())]
        total += sum(_row_hash(start_of_row, row) for row in zip(*fields, strict=True))
    return f"{total % _MODULUS:064x}"


def combine_digests(digests: Iterable[str]) -> str:
    """Return the digest of the table that is made of parts with these digests; in any order, of any number."""
    return f"{sum(int(digest, 16) for digest in digests) % _MODULUS:064x}"


def _row_hash(start: bytes, row: tuple[bytes, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(start + b"".join(row), digest_size=32).digest())


def _fields(array: Any) -> list[Sequence[bytes]]:
    """Return one or more byte strings for every row; together they say the row's value and nothing else's."""
    if pa.types.is_list(array.type):
        return _list_fields(array)
    if pa.types.is_string(array.type):
        values = array.cast(pa.binary()).fill_null(b"")
        lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
        return [_bytes_of(_validity(array)), _bytes_of(lengths), values.to_pylist()]
    return [_bytes_of(_validity(array)), _bytes_of(_numbers(array))]


def _list_fields(array: Any) -> list[Sequence[bytes]]:
    """Return lengths, then the bytes of the values: each row's are a slice of the whole column's."""
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = _numbers(array.flatten())
    flat = values.tobytes()
    bounds = [0, *(np.cumsum(lengths) * values.itemsize).tolist()]
    rows = [flat[left:right] for left, right in pairwise(bounds)]
    return [_bytes_of(_validity(array)), _bytes_of(lengths), rows]


def _numbers(array: Any) -> npt.NDArray[np.generic]:
    """Return the values as little-endian numbers of fixed width: nulls as 0, one zero, one NaN."""
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    zero = False if pa.types.is_boolean(array.type) else 0
    values: npt.NDArray[Any] = array.fill_null(zero).to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type(np.nan), np.add(values, 0))
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def _validity(array: Any) -> npt.NDArray[np.generic]:
    validity: npt.NDArray[np.generic] = array.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)
    return validity


def _bytes_of(values: npt.NDArray[np.generic]) -> list[bytes]:
    """Return every value's bytes."""
    flat = values.tobytes()
    width = values.itemsize
    return [flat[start : start + width] for start in range(0, len(flat), width)]
