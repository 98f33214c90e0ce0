"""Builds ONNX graphs node by node: quicker than tracing a network, and it needs no torch."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["INPUT", "OPSET", "Graph", "add_ensemble_head", "add_ensemble_outputs"]

OPSET = 18
"""The operator set of exported models: old enough for the servers in use, new enough for reductions by input axes."""

_IR_VERSION = 9

INPUT = "input"

_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.uint8): TensorProto.UINT8,
}

Array = npt.NDArray[Any]


class Graph:
    """A graph that grows by one node at a time; names of values are made here."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def constant(self, value: Array) -> str:
        """Return the name of a constant."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        name = f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def output(self, name: str, value: str, shape: tuple[int | None, ...]) -> None:
        """Declare `value` as the float32 output `name`; the first, None entry of `shape` is the batch."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        dimensions = ["batch" if size is None else size for size in shape]
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dimensions))

    def build(self, *, shape: tuple[int, ...] = (), dtype: npt.DTypeLike = np.float32) -> bytes:
        """Return the checked model, whose input is a batch of items of `shape` and `dtype`."""
        given = helper.make_tensor_value_info(INPUT, _TYPES[np.dtype(dtype)], ["batch", *shape])
        graph = helper.make_graph(self._nodes, "labelplane", [given], self._outputs, initializer=self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="labelplane",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def add_ensemble_head(
    graph: Graph,
    embeddings: str,
    *,
    weight: Array,
    bias: Array,
    embedding: str,
    temperature: float,
    n_views: int = 1,
) -> None:
    """Add the members' linear heads and all outputs.

    Args:
        graph: where to add.
        embeddings: (S, V N, D) or (1, V N, D) inputs of the heads, all items of one view after those of another.
        weight: (S, D, K) of the heads.
        bias: (S, 1, K) of the heads.
        embedding: (N, D) that is given out.
        temperature: what logits are divided by.
        n_views: V; above 1 the logits are the views' mean log-probabilities.
    """
    members, size, n_classes = weight.shape
    product = graph.add("MatMul", embeddings, graph.constant(weight))
    logits = graph.add("Add", product, graph.constant(bias))
    if n_views > 1:
        by_view = graph.constant(np.array([members, n_views, -1, n_classes], dtype=np.int64))
        log_probabilities = graph.add("Reshape", graph.add("LogSoftmax", logits, axis=-1), by_view)
        axis = graph.constant(np.array([1], dtype=np.int64))
        logits = graph.add("ReduceMean", log_probabilities, axis, keepdims=0)
    scaled = graph.add("Div", logits, graph.constant(np.array(temperature, dtype=np.float32)))
    add_ensemble_outputs(graph, scaled, embedding, members=members, n_classes=n_classes, size=size)


def add_ensemble_outputs(graph: Graph, logits: str, embedding: str, *, members: int, n_classes: int, size: int) -> None:
    """Add the outputs: log of the members' mean distribution, embedding, and the members' own logits as samples."""
    axis = graph.constant(np.array([0], dtype=np.int64))
    log_probabilities = graph.add("LogSoftmax", logits, axis=-1)
    summed = graph.add("ReduceLogSumExp", log_probabilities, axis, keepdims=0)
    mean = graph.add("Sub", summed, graph.constant(np.array(np.log(members), dtype=np.float32)))
    graph.output("logits", mean, (None, n_classes))
    graph.output("embedding", embedding, (None, size))
    if members > 1:
        graph.output("samples", graph.add("Transpose", logits, perm=[1, 0, 2]), (None, members, n_classes))
