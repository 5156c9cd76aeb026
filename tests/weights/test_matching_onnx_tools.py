"""What ONNX Runtime's own tools make of a model, matched with the weights that it had, right and wrong."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from pytest_audioparity import compare_weights
from tests.weights.test_matching_statuses import heavy

SHAPES = {
    "conv.weight": (16, 12, 5),
    "conv.bias": (16,),
    "depthwise.weight": (16, 1, 3),
    "depthwise.bias": (16,),
    "product.weight": (16, 20),
    "product.bias": (20,),
    "gemm.weight": (24, 20),
    "gemm.bias": (24,),
    "lstm.weight_ih": (2, 32, 24),
    "lstm.weight_hh": (2, 32, 8),
}


class Samples(CalibrationDataReader):
    def __init__(self):
        self.left = [{"x": np.random.default_rng(n).standard_normal((1, 12, 9)).astype(np.float32)} for n in range(3)]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.fixture
def weights():
    return {name: heavy(shape, place) for place, (name, shape) in enumerate(SHAPES.items())}


@pytest.fixture
def model(tmp_path, weights):
    """Return a graph with every kind of layer that is quantised in a way of its own."""
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], pads=[2, 2]),
        helper.make_node("Conv", ["a", "depthwise.weight", "depthwise.bias"], ["b"], pads=[1, 1], group=16),
        helper.make_node("Transpose", ["b"], ["c"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["c", "product.weight"], ["d"]),
        helper.make_node("Add", ["d", "product.bias"], ["e"]),
        helper.make_node("Reshape", ["e", "flat"], ["f"]),
        helper.make_node("Gemm", ["f", "gemm.weight", "gemm.bias"], ["g"], transB=1),
        helper.make_node("Reshape", ["g", "steps"], ["h"]),
        helper.make_node(
            "LSTM", ["h", "lstm.weight_ih", "lstm.weight_hh"], ["y"], hidden_size=8, direction="bidirectional"
        ),
    ]
    given = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    for name, shape in (("flat", (9, 20)), ("steps", (9, 1, 24))):
        given.append(numpy_helper.from_array(np.array(shape), name))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", 1, (1, 12, 9))],
        [helper.make_tensor_value_info("y", 1, None)],
        given,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "a.onnx")
    return tmp_path / "a.onnx"


def failed(weights, path):
    return {match.name for match in compare_weights(weights, path).matches if not match.passed}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("layout", list(QuantFormat))
def test_static_quantisation_keeps_all_weights_and_biases(model, weights, layout, per_channel):
    """Biases become integers of 32 bits; those of a product, constants of an addition of integers."""
    path = model.with_name("b.onnx")
    quantize_static(model, path, Samples(), quant_format=layout, per_channel=per_channel, weight_type=QuantType.QInt8)
    assert failed(weights, path) == set()
    other = {name: (values * np.float32(1.02)).astype(np.float32) for name, values in weights.items()}
    for name in weights:
        assert failed({**weights, name: other[name]}, path) == {name}, name


@pytest.mark.filterwarnings("ignore")
def test_dynamic_quantisation_keeps_both_directions_of_a_recurrent_layer(model, weights):
    path = model.with_name("b.onnx")
    quantize_dynamic(model, path, weight_type=QuantType.QInt8)
    assert failed(weights, path) == set()
    turned = {**weights, "lstm.weight_ih": weights["lstm.weight_ih"][::-1]}
    assert failed(turned, path) == {"lstm.weight_ih"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("least", [5.96e-8, 1e-7])
def test_the_conversion_to_half_precision_raises_the_smallest_numbers(model, weights, least):
    """It makes nothing but zero a zero; 1e-7 is the limit of the older tool, onnxconverter-common."""
    loaded = onnx.load(model)
    weights["conv.weight"][0, 0, :3] = 2e-8, -3e-9, 0
    loaded.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights["conv.weight"], "conv.weight"))
    onnx.save(convert_float_to_float16(loaded, min_positive_val=least), model.with_name("b.onnx"))
    result = compare_weights(weights, model.with_name("b.onnx"))
    assert {match.status for match in result.matches} == {"cast"}
    assert result.matches[0].detail["rounding"] == f"magnitudes below {least:g} raised to it"
    weights["conv.weight"][0, 0, 2] = 2e-7
    assert failed(weights, model.with_name("b.onnx")) == {"conv.weight"}
