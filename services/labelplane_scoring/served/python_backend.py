"""The `model.py` of a model for Triton's Python backend; it is copied there, so it imports nothing of labelplane.

Next to it lies `model.npz`, steps that numpy can do, or `model.onnx`, for which the server's Python needs onnxruntime.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]


class TritonPythonModel:
    """What Triton calls: one object for each instance of the model."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the model from the folder of its version."""
        configuration = json.loads(args["model_config"])
        self._input = configuration["input"][0]["name"]
        self._outputs = [each["name"] for each in configuration["output"]]
        self._run = load(Path(args["model_repository"]) / args["model_version"], self._input, self._outputs)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests that arrived together by one run over all their rows."""
        import triton_python_backend_utils as triton  # type: ignore[import-not-found]  # the server's own

        batches = [triton.get_input_tensor_by_name(each, self._input).as_numpy() for each in requests]
        results = self._run(np.concatenate(batches) if len(batches) > 1 else batches[0])
        edges = np.cumsum([len(each) for each in batches])[:-1]
        parts = {name: np.split(results[name], edges) for name in self._outputs}
        return [
            triton.InferenceResponse([triton.Tensor(name, parts[name][place]) for name in self._outputs])
            for place in range(len(batches))
        ]


def load(folder: Path, input_name: str, outputs: Sequence[str]) -> Callable[[Any], Arrays]:
    """Return what turns a batch into the outputs by their names."""
    if (folder / "model.npz").exists():
        with np.load(folder / "model.npz", allow_pickle=False) as archive:
            constants = {name: archive[name] for name in archive.files}
        steps = json.loads(str(constants.pop("steps.json")))
        return lambda batch: run_steps(steps, {**constants, input_name: batch})
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=onnxruntime.get_available_providers())
    return lambda batch: dict(zip(outputs, session.run(list(outputs), {input_name: batch}), strict=True))


def run_steps(steps: Sequence[Mapping[str, Any]], values: Arrays) -> Arrays:
    """Return all values once the steps are done, in their order."""
    for step in steps:
        given = [values[name] for name in step["inputs"]]
        values[step["output"]] = _OPERATORS[step["operator"]](*given, **step["attributes"])
    return values


def _flatten(x: Any, axis: int = 1) -> Any:
    return x.reshape(int(np.prod(x.shape[:axis], initial=1)), -1)


def _log_sum_exp(x: Any, axes: Any, keepdims: int = 1) -> Any:
    axis = tuple(int(each) for each in axes)
    largest = x.max(axis=axis, keepdims=True)
    summed = largest + np.log(np.exp(x - largest).sum(axis=axis, keepdims=True))
    return summed if keepdims else np.squeeze(summed, axis)


def _mean(x: Any, axes: Any, keepdims: int = 1) -> Any:
    return x.mean(axis=tuple(int(each) for each in axes), keepdims=bool(keepdims), dtype=x.dtype)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Div": np.divide,
    "Flatten": _flatten,
    "Identity": lambda x: x,
    "LogSoftmax": lambda x, axis=-1: x - _log_sum_exp(x, [axis]),
    "MatMul": np.matmul,
    "Mul": np.multiply,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMean": _mean,
    "Reshape": lambda x, shape: x.reshape([int(each) for each in shape]),
    "Sub": np.subtract,
    "Transpose": lambda x, perm: np.ascontiguousarray(np.transpose(x, perm)),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(int(each) for each in axes)),
}
