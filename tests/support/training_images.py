"""Training images without containers: the example of the docs, and others that go wrong, as scripts."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/training-image/train.py"

WRITES_NOTHING = "print('nothing to do')\n"
WRITES_A_PICKLE = """
import os, pathlib, pickle
(pathlib.Path(os.environ["LABELPLANE_OUTPUT"]) / "model.pkl").write_bytes(pickle.dumps({"weights": [1, 2]}))
"""
EXITS_WITH_3 = """
import sys
print("epoch 1 of 9", flush=True)
print("CUDA error: device is lost", file=sys.stderr)
sys.exit(3)
"""
ONE_CLASS_TOO_MANY = f"""
import importlib.util
import numpy as np
spec = importlib.util.spec_from_file_location("train", {str(EXAMPLE)!r})
train = importlib.util.module_from_spec(spec)
spec.loader.exec_module(train)
export = train.export
train.export = lambda weights, shape: export((np.pad(weights[0], ((0, 0), (0, 1))), np.pad(weights[1], (0, 1))), shape)
raise SystemExit(train.main())
"""


def run_image(script: Path, given: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    """Run a script as a training image is run, without anything of labelplane in its environment."""
    environment = {"LABELPLANE_INPUT": str(given), "LABELPLANE_OUTPUT": str(out), "LABELPLANE_SEED": "3"}
    return subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Graph:
    """A small linear graph, of which every part can be made wrong."""

    shape: tuple[int, ...] = (64,)
    classes: int = 10
    embedding: int = 4
    input_name: str = "input"
    input_type: int = TensorProto.FLOAT
    batch: str | int = "batch"
    outputs: tuple[str, ...] = ("logits", "embedding")
    operator: str = "Identity"
    external: str = ""
    mixes_items: bool = False
    values: dict[str, float] = field(default_factory=dict)

    def build(self) -> bytes:
        """Return the model's bytes; nothing checks them."""
        size = int(np.prod(self.shape))
        rng = np.random.default_rng(0)
        body = numpy_helper.from_array(rng.normal(size=(size, self.embedding)).astype(np.float32), "body")
        head = rng.normal(size=(self.embedding, self.classes)).astype(np.float32) * self.values.get("head", 1.0)
        if self.external:
            body = onnx.TensorProto(name="body", data_type=TensorProto.FLOAT, dims=[size, self.embedding])
            body.data_location = TensorProto.EXTERNAL
            body.external_data.add(key="location", value=self.external)
        constants = [
            numpy_helper.from_array(np.array([-1, size]), "flat"),
            body,
            numpy_helper.from_array(head.astype(np.float32), "head"),
        ]
        nodes = [
            helper.make_node("Cast", [self.input_name], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["floats", "flat"], ["rows"]),
            helper.make_node("MatMul", ["rows", "body"], ["hidden"]),
            helper.make_node(self.operator, ["hidden"], ["embedding"]),
            helper.make_node("MatMul", ["embedding", "head"], ["products"]),
            helper.make_node("Softmax", ["products"], ["logits"], axis=0 if self.mixes_items else 1),
        ]
        given = helper.make_tensor_value_info(self.input_name, self.input_type, [self.batch, *self.shape])
        told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None]) for name in self.outputs]
        graph = helper.make_graph(nodes, "test", [given], told, initializer=constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        return bytes(model.SerializeToString())
