"""Terms from a table: CSV, JSONL or Parquet with the columns term, class and optionally weight."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelplane_aggregation.columns import Columns, as_text, read_columns
from labelplane_aggregation.errors import BadDataset
from labelplane_aggregation.sources.terms import Terms
from labelplane_core.errors import EmptyDataset

__all__ = ["read_gazetteer"]


def read_gazetteer(data: bytes, *, name: str, classes: Sequence[str]) -> Terms:
    """Return the terms of a file; its ending says its format.

    Raises:
        ValueError: it is no such table, holds no term, or a row has no term, an unknown class or a weight that is no
            number of at least 0; the message names file and line.
    """
    try:
        columns = read_columns(data, key=name)
        terms, labels = columns["term"], columns["class"]
    except EmptyDataset as error:
        raise ValueError(f"{name}: the gazetteer is empty: give it terms, or leave it out") from error
    except BadDataset as error:
        raise ValueError(str(error)) from error
    places = {label: place for place, label in enumerate(classes)}
    numbers = np.empty(columns.n_rows, dtype=np.int64)
    texts = []
    for row, (term, label) in enumerate(zip(terms, labels, strict=True)):
        text = as_text(term)
        if not text.strip():
            raise ValueError(f"{columns.place(row)}: the term is empty: remove the row")
        texts.append(text)
        number = places.get(as_text(label))
        if number is None:
            raise ValueError(f"{columns.place(row)}: class {as_text(label)!r} is no class of the task: correct it")
        numbers[row] = number
    return Terms(texts, numbers, _weights(columns))


def _weights(columns: Columns) -> np.ndarray[Any, np.dtype[np.float64]]:
    weights = np.ones(columns.n_rows)
    if "weight" not in columns.values:
        return weights
    for row, cell in enumerate(columns["weight"]):
        if cell is None or cell == "":
            continue
        try:
            weights[row] = float(cell)
        except (TypeError, ValueError):
            weights[row] = np.nan
        if not 0 <= weights[row] < np.inf:
            raise ValueError(f"{columns.place(row)}: weight {cell!r} is no number of at least 0: correct it")
    return weights
