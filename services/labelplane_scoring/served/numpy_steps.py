"""A graph as steps of numpy, for servers that have no onnxruntime: linear models and what stands around them."""

import io
import json
from typing import Any, Final

import numpy as np

__all__ = ["numpy_steps"]

KNOWN_OPERATORS: Final = frozenset(
    {
        "Add",
        "Div",
        "Flatten",
        "Identity",
        "LogSoftmax",
        "MatMul",
        "Mul",
        "ReduceLogSumExp",
        "ReduceMean",
        "Reshape",
        "Sub",
        "Transpose",
        "Unsqueeze",
    }
)
"""Those of our own linear graphs; `python_backend` runs them."""


def numpy_steps(graph: bytes) -> bytes | None:
    """Return the steps and constants of an ONNX graph as an .npz archive.

    None when it has another operator, or when graphs cannot be read here: not every image has the package for that.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        return None
    model = onnx.load_model_from_string(graph)
    if any(node.op_type not in KNOWN_OPERATORS for node in model.graph.node):
        return None
    steps: list[dict[str, Any]] = [
        {
            "operator": node.op_type,
            "inputs": list(node.input),
            "output": node.output[0],
            "attributes": {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute},
        }
        for node in model.graph.node
    ]
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    archive = io.BytesIO()
    arrays: dict[str, Any] = {"steps.json": np.array(json.dumps(steps)), **constants}
    np.savez(archive, **arrays)
    return archive.getvalue()
