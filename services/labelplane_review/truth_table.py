"""The truth of a data set, for a simulated crowd that runs as a process of its own: two columns of one table."""

import asyncio

from labelplane_core.errors import InvalidInput
from labelplane_core.storage import ObjectStore
from labelplane_review.vote_files import BadRow, read_rows

__all__ = ["read_truth_table"]


async def read_truth_table(store: ObjectStore, key: str, *, id_field: str, truth_field: str) -> dict[str, str]:
    """Return class by item id from a CSV, JSONL or Parquet file; rows without a class are left out.

    Raises:
        InvalidInput: the file lacks a column, or a line of it is wrong; the message names file and line.
        ObjectNotFound: there is no such file.
    """
    if not key:
        raise InvalidInput("set LABELPLANE_TRUTH_TABLE to the table with the items' classes")
    data = (await store.get(key)).data
    rows = await asyncio.to_thread(lambda: list(read_rows(key, data, item=id_field, label=truth_field)))
    truth = {}
    for row in rows:
        if isinstance(row, BadRow):
            raise InvalidInput(f"{row.place}: {row.message}")
        truth[row.item] = row.label
    return truth
