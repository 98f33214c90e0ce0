"""Whether a graph that somebody else exported is a student: its shapes, and that it reaches for nothing outside."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from labelplane_core.features import InputSpec
from labelplane_distillation.errors import BadTrainedModel
from labelplane_distillation.export.graph import INPUT
from labelplane_distillation.handover.contract import MODEL_FILE

__all__ = ["check_graph"]

_TYPES: Final = {"float32": onnx.TensorProto.FLOAT, "int64": onnx.TensorProto.INT64}


def check_graph(data: bytes, spec: InputSpec) -> None:
    """Return if the bytes are a whole ONNX graph whose only input is a batch of items.

    Raises:
        BadTrainedModel: they are not; the message says what is wrong and what is wanted.
    """
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise BadTrainedModel(f"{MODEL_FILE} is no ONNX graph: {error}") from error
    # Before anything else looks at it: such a tensor's bytes would be read from a file of the machine that loads it.
    if name := next((each.name for each in _tensors(model) if each.data_location == onnx.TensorProto.EXTERNAL), None):
        raise BadTrainedModel(f"{MODEL_FILE}: tensor {name!r} lies in another file: save all weights in the graph")
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise BadTrainedModel(f"{MODEL_FILE}: {_first_line(error)}") from error
    _check_input(model, spec)


def _check_input(model: onnx.ModelProto, spec: InputSpec) -> None:
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    kind = inputs[0].type.tensor_type if inputs else None
    dims = [each.dim_value or None for each in kind.shape.dim] if kind else []
    fits = [
        len(inputs) == 1 and inputs[0].name == INPUT,
        kind is not None and kind.elem_type == _TYPES[spec.dtype.name],
    ]
    fits.append(dims[:1] == [None] and len(dims) == 1 + len(spec.shape))
    fits += [have in {None, want} for have, want in zip(dims[1:], spec.shape, strict=False)]
    if not all(fits):
        raise BadTrainedModel(
            f"{MODEL_FILE}: takes {_shown(inputs)}; by the card's input it must take one input {INPUT!r} of "
            f"{spec.dtype.name} and shape {['batch', *spec.shape]}, the batch of any size"
        )


def _shown(inputs: list[Any]) -> str:
    if not inputs:
        return "no input"
    shapes = [
        (each.name, [dim.dim_value or dim.dim_param or "?" for dim in each.type.tensor_type.shape.dim])
        for each in inputs[:3]
    ]
    return ", ".join(
        f"{name!r} of {_type_name(each)} and shape {shape}" for each, (name, shape) in zip(inputs, shapes, strict=False)
    )


def _type_name(value: Any) -> str:
    number = value.type.tensor_type.elem_type
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)).name) if number else "no type"


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of a model, those inside of attributes, subgraphs and functions too."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Any) -> Iterator[onnx.TensorProto]:
    for attribute in (each for node in nodes for each in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _of_graph(graph)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
