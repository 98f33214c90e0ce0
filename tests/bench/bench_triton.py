"""Score by a real Triton against the same Triton called directly with the best of several batch sizes.

The pipeline is what a scoring worker does: it leases a shard of many blocks, reads and encodes its texts, asks the
server, and writes scores as Parquet into a folder. Called directly, the server gets batches that were encoded
beforehand, as many at once as the pipeline sends. The model is a chain of products, some 9 MFLOP an item, by numpy in
one process on one thread of a CPU: a stand-in for a network on a GPU in that the server is what everything waits for.
Every round runs both.

    python tests/bench/bench_triton.py [--json OUT] [--rounds 3] [--items 8192]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from triton_server import running_triton

from labelplane_core.clock import SystemClock
from labelplane_core.features import InputKind, InputSpec
from labelplane_core.models import ONNX_FILE, ModelCard, StoredModel, TrainedOn, read_model, write_model
from labelplane_core.operations import OperationContext
from labelplane_core.queue import MemoryQueue
from labelplane_core.shards import Shard, Stage, work
from labelplane_core.storage import FolderStore, Layout
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, TableManifest
from labelplane_core.tasks import TextClassification
from labelplane_distillation.export.graph import INPUT, Graph
from labelplane_scoring.requests import ScoreRequest, Serving
from labelplane_scoring.scoring_blocks import ScoreBlocks, open_score_blocks
from labelplane_scoring.served.connection import Connection
from labelplane_scoring.served.connections import Connections

CLASSES = tuple(f"class-{number}" for number in range(10))
SPEC = InputSpec(kind=InputKind.HASHED_NGRAMS, dims=512)
BLOCK, IN_FLIGHT, BATCH_SIZES, TARGET = 512, 8, (32, 64, 128, 256), 0.9


def make_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(f"word{number}" for number in row) for row in rng.integers(5000, size=(count, 8))]


async def write_job(store: FolderStore, texts: list[str]) -> tuple[str, StoredModel]:
    """Write the index and the model, and return both."""
    tables, layout, parts = TableStore(store), Layout(), []
    for block, start in enumerate(range(0, len(texts), BLOCK)):
        own = texts[start : start + BLOCK]
        columns = {
            "block": pa.array([block] * len(own), pa.int32()),
            "item_id": pa.array([f"item-{start + row:06d}" for row in range(len(own))]),
            "uri": pa.nulls(len(own), pa.string()),
            "text": pa.array(own),
            "digest": pa.array([""] * len(own)),
            "gold": pa.nulls(len(own), pa.string()),
            "gold_role": pa.array([""] * len(own)),
            "meta": pa.array(["{}"] * len(own)),
        }
        parts.append(await tables.write_part(layout.index_part(block), pa.table(columns), INDEX, block=block))
    manifest = TableManifest.of(INDEX, parts, classes=CLASSES, block_size=BLOCK)
    index_ref = await tables.write_manifest(layout.index_manifest, manifest)
    return index_ref, await write_product_model(store)


async def write_product_model(store: FolderStore) -> StoredModel:
    rng, graph = np.random.default_rng(1), Graph()
    values = INPUT
    for shape in ((SPEC.dims, 8192), (8192, 64)):
        weights = (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
        values = graph.add("MatMul", values, graph.constant(weights))
    head = rng.normal(size=(64, len(CLASSES))).astype(np.float32)
    graph.output("logits", graph.add("MatMul", values, graph.constant(head)), (None, len(CLASSES)))
    graph.output("embedding", values, (None, 64))
    card = ModelCard(
        role="student",
        task_type="TextClassification",
        classes=CLASSES,
        encoder="Linear",
        encoder_digest="0" * 64,
        input=SPEC.to_json(),
        members=1,
        embedding_size=64,
        temperature=1.0,
        trained_on=TrainedOn(labelled=10),
        round=0,
        seed=0,
        versions={},
        files={},
    )
    stored = await write_model(store, Layout(), card=card, files={ONNX_FILE: graph.build(shape=(SPEC.dims,))})
    return await read_model(store, stored.ref)


async def seconds_directly(connection: Connection, model: str, encoded: np.ndarray, size: int) -> float:
    """Send all batches, some at once, and wait for all answers."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(start: int) -> None:
        async with slots:
            batch = encoded[start : start + size]
            await connection.infer(model, batch, version="1", input_name="input", outputs=("logits", "embedding"))

    began = time.perf_counter()
    await asyncio.gather(*(one(start) for start in range(0, len(encoded), size)))
    return time.perf_counter() - began


async def seconds_by_pipeline(blocks: ScoreBlocks, attempt: int) -> float:
    """Work one shard of all blocks, as a scoring worker does."""
    queue, numbers = MemoryQueue(SystemClock()), blocks.index.blocks
    await queue.put(Shard(Stage.SCORE, 1, numbers[0], numbers[-1], attempt))
    began = time.perf_counter()
    report = await work(queue, blocks, stop=asyncio.Event(), wait_seconds=0.05, until_empty=True, overlap=3)
    assert report.blocks_done == len(numbers)
    return time.perf_counter() - began


async def measured(folder: Path, address: str, *, items: int, rounds: int) -> dict[str, Any]:
    """Items a second of both in every counted round, after one of the pipeline that is not counted."""
    (folder / "store").mkdir()
    store, servers, texts = FolderStore(folder / "store"), Connections(SystemClock()), make_texts(items)
    index_ref, model = await write_job(store, texts)
    request = ScoreRequest(
        round_number=1,
        attempt=1,
        kind=TextClassification(),
        classes=CLASSES,
        index_ref=index_ref,
        model_ref=model.ref,
        previous_scores_ref="",
        is_deterministic=False,
        serving=Serving(address),
    )
    context = OperationContext("bench/1/score/1", 0)
    blocks = await open_score_blocks(
        request, store=store, layout=Layout(), data=store, servers=servers, context=context
    )
    encoded = SPEC.encode(texts)
    await seconds_by_pipeline(blocks, 1)
    found: dict[str, Any] = {"directly": [], "pipeline": [], "batch": []}
    async with Connection(address) as connection:
        for number in range(rounds):
            direct = {size: await seconds_directly(connection, model.digest, encoded, size) for size in BATCH_SIZES}
            best = min(direct, key=direct.__getitem__)
            found["batch"].append(best)
            found["directly"].append(items / direct[best])
            found["pipeline"].append(items / await seconds_by_pipeline(blocks, 2 + number))
    await servers.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=8192)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_triton(Path(name) / "triton") as server:
        found = asyncio.run(measured(Path(name), server.address, items=options.items, rounds=options.rounds))
    ratios = [ours / direct for ours, direct in zip(found["pipeline"], found["directly"], strict=True)]
    row = {
        "name": "Score by Triton, against Triton called directly with the best batch size",
        "ours": statistics.median(found["pipeline"]),
        "peer": statistics.median(found["directly"]),
        "batch": found["batch"],
        "ratio": statistics.median(ratios),
        "median": statistics.median(ratios),
        "worst": min(ratios),
        "target": TARGET,
        "reached": statistics.median(ratios) >= TARGET,
    }
    print(
        f"{row['name']}: {row['ours']:,.0f} against {row['peer']:,.0f} items/s (batches of {row['batch']}), "
        f"ratio {row['median']:.2f} (worst {row['worst']:.2f}, wanted {TARGET})"
    )
    if options.json:
        options.json.write_text(json.dumps({"rows": [row]}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
