"""A training image for labelplane: softmax regression on the features that it is given, exported as ONNX.

It needs numpy, onnx and pyarrow, and nothing of labelplane. Exit code 0: the model is written; 2: trying again is of no
use; any other: try again.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

Floats = npt.NDArray[np.float64]
Weights = tuple[Floats, Floats]

STEPS = 300
RATE = 0.5
DECAY = 1e-3


def softmax(logits: Floats) -> Floats:
    """Return probabilities, row by row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit(features: Floats, targets: Floats, weights: Floats) -> Weights:
    """Return matrix and bias that say the soft labels best, by gradient descent with momentum."""
    parameters = [np.zeros((features.shape[1], targets.shape[1])), np.zeros(targets.shape[1])]
    speeds = [np.zeros_like(each) for each in parameters]
    scale = max(1.0, float(np.square(features).sum(axis=1).mean()))
    for _ in range(STEPS):
        error = (softmax(features @ parameters[0] + parameters[1]) - targets) * (weights / weights.sum())[:, None]
        for place, slope in enumerate((features.T @ error / scale + DECAY * parameters[0], error.sum(axis=0))):
            speeds[place] = 0.9 * speeds[place] - RATE * slope
            parameters[place] = parameters[place] + speeds[place]
    return parameters[0], parameters[1]


def export(weights: Weights, shape: list[int]) -> onnx.ModelProto:
    """Return the graph: `input` (N, ...) to `logits` (N, classes) and `embedding` (N, features)."""
    matrix, bias = (each.astype(np.float32) for each in weights)
    flat = numpy_helper.from_array(np.array([-1, matrix.shape[0]]), "flat")
    constants = [flat, numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(bias, "bias")]
    nodes = [
        helper.make_node("Reshape", ["input", "flat"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "matrix"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["logits"]),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *shape])
    told = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", matrix.shape[1]]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", matrix.shape[0]]),
    ]
    graph = helper.make_graph(nodes, "softmax-regression", [given], told, initializer=constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def out_of_fold(table: Any, features: Floats, targets: Floats, weights: Floats, folds: int) -> Any:
    """Return what models say of items that they were not trained on, one model a fold."""
    fold = table.column("fold").to_numpy()
    said = np.zeros_like(targets)
    for number in range(folds):
        seen, unseen = (fold >= 0) & (fold != number), fold == number
        matrix, bias = fit(features[seen], targets[seen], weights[seen])
        said[unseen] = softmax(features[unseen] @ matrix + bias)
    rows = np.flatnonzero(fold >= 0)
    ids = table.column("item_id").take(rows)
    return type(table).from_pydict({"item_id": ids, "probabilities": said[rows].tolist()})


def main() -> int:
    """Read the table, train, and write the model."""
    given, out = Path(os.environ["LABELPLANE_INPUT"]), Path(os.environ["LABELPLANE_OUTPUT"])
    task = json.loads((given / "task.json").read_text(encoding="utf-8"))
    if task["features"]["dtype"] != "float32":
        print("features are no float32: set spec.model.student.encoder to Linear", file=sys.stderr)
        return 2
    table = pq.read_table(given / "train.parquet")
    features = np.array(table.column("features").to_pylist(), dtype=np.float64)
    targets = np.array(table.column("probabilities").to_pylist(), dtype=np.float64)
    weights = table.column("weight").to_numpy()
    is_train = np.array(table.column("split").to_pylist()) == "train"
    print(f"{is_train.sum()} items to train on, {len(task['classes'])} classes", flush=True)
    model = fit(features[is_train], targets[is_train], weights[is_train])
    onnx.save(export(model, task["features"]["shape"]), out / "model.onnx")
    pq.write_table(out_of_fold(table, features, targets, weights, task["folds"]), out / "out-of-fold.parquet")
    card = {
        "format_version": 1,
        "input": task["input"],
        "encoder": "SoftmaxRegression",
        "versions": {"numpy": np.__version__, "onnx": onnx.__version__},
        "cpu_seconds": time.process_time(),
    }
    (out / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
