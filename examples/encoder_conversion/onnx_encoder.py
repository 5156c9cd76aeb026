"""The encoder for ONNX Runtime: a graph of one LSTM node per layer, time first."""

from pathlib import Path

import numpy as np
import onnx
from mel_frontend import BANDS
from onnx import TensorProto, helper, numpy_helper
from voice_weights import EMBEDDING, HIDDEN, LAYERS, Weights, layer, reordered

GATES = "iofg"  # of ONNX, which calls the last one c
OPSET = 17


def save(weights: Weights, path: Path, gates: str = GATES) -> Path:
    """Write the model, whose input is the mel (frames, voices, BANDS), its rows of gates in the order given."""
    graph = _Graph()
    x = "mel"
    for index in range(LAYERS):
        x = graph.lstm(f"lstm/{index}", x, layer(weights, index), gates)
    last = graph.constant("last_frame", np.array(-1))
    graph.add("Gather", [x, last], "hidden", axis=0)
    names = (graph.constant(name, weights[name]) for name in ("linear.weight", "linear.bias"))
    graph.add("Gemm", ["hidden", *names], "linear", transB=1)
    graph.add("Relu", ["linear"], "relu")
    graph.add("LpNormalization", ["relu"], "embedding", axis=1, p=2)
    onnx.save(graph.model(), path)
    return path


class _Graph:
    """Nodes and weights, in the order in which they are added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: int) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def lstm(self, name: str, x: str, parts: tuple[np.ndarray, ...], gates: str) -> str:
        """Add a layer. ONNX has one axis more, for directions, and both biases in one tensor."""
        weight_ih, weight_hh, *biases = (reordered(part, gates)[None] for part in parts)
        inputs = [
            x,
            self.constant(f"{name}/W", weight_ih),
            self.constant(f"{name}/R", weight_hh),
            self.constant(f"{name}/B", np.concatenate(biases, axis=1)),
        ]
        self.add("LSTM", inputs, f"{name}/directions", hidden_size=HIDDEN)
        return self.add("Squeeze", [f"{name}/directions", self._direction_axis()], name)

    def _direction_axis(self) -> str:
        if not any(constant.name == "direction_axis" for constant in self._constants):
            self.constant("direction_axis", np.array([1]))
        return "direction_axis"

    def model(self) -> onnx.ModelProto:
        """Return what was added as a checked model."""
        mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["frames", "voices", BANDS])
        embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["voices", EMBEDDING])
        graph = helper.make_graph(self._nodes, "voice_encoder", [mel], [embedding], self._constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        onnx.checker.check_model(model)
        return model
