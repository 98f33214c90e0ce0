"""A small job up to where Score begins: coloured squares as PNG files, an index, and a model that looks at colour."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from labelplane_core.features import InputKind, InputSpec
from labelplane_core.models import CONFIG_FILE, ONNX_FILE, WEIGHTS_FILE, ModelCard, TrainedOn, write_model
from labelplane_core.process import ServiceParts
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, TableManifest
from labelplane_distillation.export.graph import INPUT, Graph

CLASSES = ("red", "green", "blue")
SPEC = InputSpec(kind=InputKind.IMAGE, height=4, width=4, channels=3)


def shades(count: int) -> np.ndarray:
    """(count, 3) colours, from pure ones to grey."""
    rng = np.random.default_rng(7)
    pure = np.eye(3)[np.arange(count) % 3]
    strength = np.linspace(1.0, 0.0, count)[:, None]
    return np.clip(255 * (strength * pure + (1 - strength) * 0.5) + rng.normal(0, 2, (count, 3)), 0, 255)


async def write_scoring_job(parts: ServiceParts, *, count: int = 60, gold: int = 6, block_size: int = 25) -> str:
    """Write items and index, and return the index's reference; the last `gold` items are gold."""
    for number, colour in enumerate(shades(count)):
        buffer = io.BytesIO()
        Image.fromarray(np.broadcast_to(colour.astype(np.uint8), (4, 4, 3)).copy()).save(buffer, "PNG")
        await parts.data.put(f"{number:03d}.png", buffer.getvalue())
    tables, written = TableStore(parts.store), []
    for block, start in enumerate(range(0, count, block_size)):
        rows = range(start, min(start + block_size, count))
        table = pa.table(
            {
                "block": pa.array([block] * len(rows), pa.int32()),
                "item_id": pa.array([f"item-{row:03d}" for row in rows]),
                "uri": pa.array([f"{row:03d}.png" for row in rows]),
                "text": pa.nulls(len(rows), pa.string()),
                "digest": pa.array([""] * len(rows)),
                "gold": pa.array([CLASSES[row % 3] if row >= count - gold else None for row in rows], pa.string()),
                "gold_role": pa.array(["gate" if row >= count - gold else "" for row in rows]),
                "meta": pa.array(["{}"] * len(rows)),
            }
        )
        written.append(await tables.write_part(parts.layout.index_part(block), table, INDEX, block=block))
    manifest = TableManifest.of(INDEX, written, classes=CLASSES, block_size=block_size)
    return await tables.write_manifest(parts.layout.index_manifest, manifest)


async def write_colour_model(
    parts: ServiceParts, *, sharpness: float = 20.0, classes: tuple[str, ...] = CLASSES, members: int = 1
) -> str:
    """Write a model whose logits are the mean of each colour, and return its reference."""
    graph = Graph()
    mean = graph.add("ReduceMean", INPUT, graph.constant(np.array([2, 3], np.int64)), keepdims=0)
    logits = graph.add("Mul", mean, graph.constant(np.array(sharpness, np.float32)))
    graph.output("logits", logits, (None, len(classes)))
    graph.output("embedding", mean, (None, 3))
    if members > 1:
        scales = np.linspace(0.5, 1.5, members, dtype=np.float32).reshape(1, members, 1)
        each = graph.add("Unsqueeze", logits, graph.constant(np.array([1], np.int64)))
        graph.output("samples", graph.add("Mul", each, graph.constant(scales)), (None, members, len(classes)))
    card = ModelCard(
        role="student",
        task_type="ImageClassification",
        classes=classes,
        encoder="Mlp",
        encoder_digest="0" * 64,
        input=SPEC.to_json(),
        members=members,
        embedding_size=3,
        temperature=1.0,
        trained_on=TrainedOn(labelled=3),
        round=0,
        seed=0,
        versions={},
        files={},
    )
    files = {ONNX_FILE: graph.build(shape=(3, 4, 4)), WEIGHTS_FILE: b"", CONFIG_FILE: b""}
    stored = await write_model(parts.store, parts.layout, card=card, files=files)
    return stored.ref
