"""The labels as a file that Label Studio imports: its JSON, a list of tasks with annotations and predictions."""

import json
from typing import Any, BinaryIO, Final

import pyarrow as pa

from labelplane_core.errors import BadTable

__all__ = ["write_label_studio"]

CONTROL: Final = "label"
MODEL_VERSION: Final = "labelplane"
_HUMAN: Final = "human"


def write_label_studio(labels: pa.Table, index: pa.Table, sink: BinaryIO, *, address: str = "") -> None:
    """Write one task for each item of `labels`, in the order of `index`.

    A label that people gave is an annotation; any other is a prediction with its confidence as score. A task's data
    hold `item`, and `text` or `image`. Tasks that come back from Label Studio, exported as JSON, are read as votes.

    Args:
        labels: a LABELS table.
        index: the INDEX table.
        sink: where to write.
        address: what stands before an image's key, such as `s3://bucket/data`; empty for the key alone.

    Raises:
        BadTable: a label is of an item that is not in the index.
    """
    rows = {row["item_id"]: row for row in labels.select(["item_id", "label", "confidence", "state"]).to_pylist()}
    sink.write(b"[")
    between = b"\n"
    for item in index.select(["item_id", "uri", "text"]).to_pylist():
        if (row := rows.pop(item["item_id"], None)) is not None:
            sink.write(between + json.dumps(_task(item, row, address), ensure_ascii=False).encode())
            between = b",\n"
    sink.write(b"\n]\n")
    if rows:
        raise BadTable(f"labels: item {next(iter(rows))!r} is not in the index")


def _task(item: dict[str, Any], row: dict[str, Any], address: str) -> dict[str, Any]:
    field = "image" if item["uri"] else "text"
    shown = "/".join(filter(None, (address.rstrip("/"), item["uri"]))) if item["uri"] else item["text"]
    task: dict[str, Any] = {"data": {field: shown, "item": item["item_id"]}, "meta": {"state": row["state"]}}
    result = [{"from_name": CONTROL, "to_name": field, "type": "choices", "value": {"choices": [row["label"]]}}]
    if row["state"] == _HUMAN:
        return task | {"annotations": [{"result": result}]}
    return task | {"predictions": [{"model_version": MODEL_VERSION, "score": row["confidence"], "result": result}]}
