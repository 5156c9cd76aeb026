"""ONNX models: every way to hold a tensor, and quantised weights as the values that the model computes with."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.files import open_weights
from tests.weights.samples import values_of, weights_of, write_onnx


@pytest.fixture
def packaged(needs):
    """Return the models that a package brings."""

    def find(package: str) -> list[Path]:
        needs(package)
        files = metadata.files({"hibari": "hibari-tts", "silero_vad": "silero-vad"}[package])
        return [Path(file.locate()) for file in files or () if file.suffix == ".onnx"]

    return find


def tensors_of(graph: onnx.GraphProto, prefix: str = "") -> dict[str, np.ndarray]:
    """Read a graph with the library, bodies included."""
    found = {prefix + tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[prefix + node.output[0]] = numpy_helper.to_array(attribute.t)
            elif attribute.HasField("g"):
                found |= tensors_of(attribute.g, f"{prefix}{node.name or node.output[0]}.{attribute.name}.")
    return found


@pytest.mark.parametrize("package", ["hibari", "silero_vad"])
def test_real_models_have_the_values_that_the_library_reads(packaged, package):
    """Integers with a scale times their scale; nothing with several numbers of a float is left out but scales."""
    paths = packaged(package)
    assert paths
    for path in paths:
        check_values(path)


def check_values(path):
    wanted, found = tensors_of(onnx.load(path).graph), weights_of(path)
    assert found
    for name, weight in found.items():
        value = wanted[name]
        if weight.stored is not None:
            stem = name.removesuffix("_quantized")
            value = (value.astype(np.float32) - wanted[f"{stem}_zero_point"]) * wanted[f"{stem}_scale"]
        np.testing.assert_array_equal(weight.read(), value)
    left = {name for name, value in wanted.items() if value.dtype.kind == "f" and value.ndim and name not in found}
    assert not left


def test_the_quantised_weights_of_a_real_model_are_all_recognised(packaged):
    path = next(path for path in packaged("hibari") if path.name == "hibari.onnx")
    stored = [weight.stored for weight in open_weights(path).weights]
    assert stored.count("int8") == 45
    assert set(stored) == {None, "int8"}


NAMES = "FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 BOOL FLOAT16 DOUBLE UINT32 UINT64 COMPLEX64 COMPLEX128 BFLOAT16"
SMALL = "FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ INT4 UINT4"


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("name", [*NAMES.split(), *SMALL.split()])
def test_every_type_of_number_is_read_raw_or_typed(tmp_path, name, raw):
    kind = getattr(TensorProto, name)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    signed = not name.startswith("U") and name != "BOOL"
    values = np.array([[0, 1, -2 if signed else 2], [3, 7, -7 if signed else 7]], np.int8).astype(dtype)
    given = numpy_helper.from_array(values, "w") if raw else helper.make_tensor("w", kind, (2, 3), values.flatten())
    assert given.HasField("raw_data") == raw
    save(tmp_path / "a.onnx", [], [given])
    weight = weights_of(tmp_path / "a.onnx")["w"]
    np.testing.assert_array_equal(weight.read().astype(np.complex128), values.astype(np.complex128))
    assert weight.stored == (name.lower() if name in ("INT4", "UINT4", "INT8", "UINT8") else None)


def save(path, nodes, given, inputs=(), outputs=(), **options):
    info = [[helper.make_tensor_value_info(name, kind, None) for name, kind in side] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, "graph", *info, given)
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=10), path, **options)


def test_constants_bodies_and_sparse_tensors_are_read(tmp_path):
    write_onnx(tmp_path / "a.onnx")
    file, values = open_weights(tmp_path / "a.onnx"), values_of(tmp_path / "a.onnx")
    np.testing.assert_array_equal(values["table"], np.eye(3))
    np.testing.assert_array_equal(values["sparse"], [[0, 5, 0], [0, 0, 6]])
    np.testing.assert_array_equal(values["branch.then_branch.inner"], [1.5, 2.5])
    np.testing.assert_array_equal(values["branch.else_branch.inner"], [1.5, 2.5])
    np.testing.assert_array_equal(values["nibbles"], [-8, 7, 3])
    assert not {"scale", "zero"} & set(values)
    assert file.notes == ()


def test_shapes_indices_and_single_numbers_are_left_out_and_counted(tmp_path):
    given = [numpy_helper.from_array(np.array([2, 3]), "shape"), numpy_helper.from_array(np.float32(2.0), "gain")]
    given += [
        numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales"),
        numpy_helper.from_array(np.float32([]), "roi"),
    ]
    nodes = [
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(np.float32(0.5))),
        helper.make_node("Resize", ["x", "roi", "scales"], ["y"]),
    ]
    save(tmp_path / "a.onnx", nodes, given)
    file = open_weights(tmp_path / "a.onnx")
    assert [weight.name for weight in file.weights] == ["gain"]
    assert file.notes == ("4 constants that are shapes, indices or single numbers are left out",)


@pytest.fixture
def outside(tmp_path):
    """Write a model whose tensor is in another file, and return a function that changes what it says of it."""
    values = np.arange(1000, dtype=np.float32)
    options = {"save_as_external_data": True, "location": "weights.data", "size_threshold": 0}
    save(tmp_path / "a.onnx", [], [numpy_helper.from_array(values, "w")], **options)

    def change(**entries):
        model = onnx.load(tmp_path / "a.onnx", load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            entry.value = entries.get(entry.key, entry.value)
        (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
        return tmp_path / "a.onnx"

    return change


def test_data_in_another_file_is_read(outside):
    np.testing.assert_array_equal(values_of(outside())["w"], np.arange(1000))


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"location": "gone.data"}, "in the file 'gone.data', which does not exist"),
        ({"location": "../weights.data"}, "which is not in its folder"),
        ({"location": "/etc/passwd"}, "which is not in its folder"),
        ({"location": "a\\..\\..\\b"}, "which is not in its folder"),
        ({"offset": "4"}, "lies outside"),
        ({"offset": "-4"}, "impossible numbers"),
        ({"offset": "9" * 30}, "impossible numbers"),
        ({"length": "8"}, "size that does not fit its shape"),
    ],
)
def test_data_that_is_not_there_or_out_of_the_folder_is_refused(outside, entries, problem):
    with pytest.raises(TensorFileError, match=problem):
        open_weights(outside(**entries))


@pytest.mark.parametrize(
    ("shape", "data"), [((3,), b"\0" * 8), ((1 << 40,), b""), ((-1,), b""), ((1 << 62, 1 << 62), b"\0" * 8)]
)
def test_a_shape_that_does_not_fit_its_data_is_an_error(tmp_path, shape, data):
    save(tmp_path / "a.onnx", [], [TensorProto(name="w", data_type=1, dims=shape, raw_data=data)])
    with pytest.raises(TensorFileError, match=r"does not fit its shape|impossible numbers"):
        open_weights(tmp_path / "a.onnx")


def ran(path: Path, **feeds: np.ndarray) -> np.ndarray:
    """Run a model; what it makes of an identity matrix is its weight."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def integers(low: int, high: int, *shape: int, dtype: type = np.int8) -> np.ndarray:
    return np.random.default_rng(5).integers(low, high, shape).astype(dtype)


def scales(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(0.1, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "scale", "zero", "options"),
    [
        (integers(-128, 128, 4, 6), scales(), None, {}),
        (integers(0, 256, 4, 6, dtype=np.uint8), scales(), np.uint8(9), {}),
        (integers(-128, 128, 4, 6), scales(6), integers(-9, 9, 6), {}),
        (integers(-128, 128, 4, 6), scales(4), integers(-9, 9, 4), {"axis": 0}),
        (integers(-128, 128, 4, 6), scales(4, 2), integers(-9, 9, 4, 2), {"axis": 1, "block_size": 3}),
        (integers(-8, 8, 4, 6, dtype=ml_dtypes.int4), scales(2, 6), None, {"axis": 0, "block_size": 2}),
        (integers(-(2**31), 2**31, 4, dtype=np.int32), scales(4), None, {"axis": 0}),
    ],
)
def test_integers_with_a_scale_are_what_the_runtime_makes_of_them(tmp_path, values, scale, zero, options):
    given = [numpy_helper.from_array(np.asarray(values), "w"), numpy_helper.from_array(np.asarray(scale), "s")]
    given += [] if zero is None else [numpy_helper.from_array(np.asarray(zero), "z")]
    nodes = [helper.make_node("DequantizeLinear", [tensor.name for tensor in given], ["y"], **options)]
    save(tmp_path / "a.onnx", nodes, given, outputs=[("y", TensorProto.FLOAT)])
    found = weights_of(tmp_path / "a.onnx")
    assert list(found) == ["w"]
    assert found["w"].stored == values.dtype.name
    np.testing.assert_allclose(found["w"].read(), ran(tmp_path / "a.onnx"), rtol=1e-6)


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_product_with_blocks_of_few_bits_has_the_weight_that_the_runtime_computes_with(tmp_path, bits, zeros):
    rows, columns, block = 3, 40, 16
    count = -(-columns // block)
    given = [
        numpy_helper.from_array(integers(0, 256, rows, count, block * bits // 8, dtype=np.uint8), "w"),
        numpy_helper.from_array(scales(rows * count), "s"),
    ]
    if zeros:
        size = -(-count * bits // 8)
        given.append(numpy_helper.from_array(integers(0, 256, rows * size, dtype=np.uint8), "z"))
    names = ["x", *(tensor.name for tensor in given)]
    options = {"domain": "com.microsoft", "K": columns, "N": rows, "bits": bits, "block_size": block}
    node = helper.make_node("MatMulNBits", names, ["y"], **options)
    save(tmp_path / "a.onnx", [node], given, [("x", TensorProto.FLOAT)], [("y", TensorProto.FLOAT)])
    found = weights_of(tmp_path / "a.onnx")
    assert {name: weight.stored for name, weight in found.items()} == {"w": f"uint{bits}"}
    weight = ran(tmp_path / "a.onnx", x=np.eye(columns, dtype=np.float32)).T
    np.testing.assert_allclose(found["w"].read(), weight, rtol=1e-4, atol=1e-3)


BYTES, INTEGERS, FLOATS = TensorProto.UINT8, TensorProto.INT8, TensorProto.FLOAT
ONE, NONE, STEP, MIDDLE = np.float32(1), np.uint8(0), np.float32(0.25), np.uint8(128)
# Operations of integers, and what each is given beside its weight [6, 5]: an identity matrix gives the weight back.
PRODUCTS = {
    "MatMulIntegerToFloat": (("x", "w", ONE, "s", NONE, "z"), BYTES, FLOATS),
    "DynamicQuantizeMatMul": (("x", "w", "s", "z"), FLOATS, FLOATS),
    "QLinearMatMul": (("x", ONE, NONE, "w", "s", "z", STEP, MIDDLE), BYTES, BYTES),
    "QLinearConv": (("x", ONE, NONE, "w", "s", "z", STEP, MIDDLE), BYTES, BYTES),
}


@pytest.mark.parametrize("op", PRODUCTS)
def test_operations_of_integers_have_the_weight_that_the_runtime_computes_with(tmp_path, op):
    """A scale for each output; what the runtime rounds to steps of its output is compared to half a step."""
    inputs, kind, result = PRODUCTS[op]
    convolution = op == "QLinearConv"
    weight, zero = integers(-20, 20, 6, 5), integers(-9, 9, 5)
    weight, zero = (weight.T[..., None], zero * 0) if convolution else (weight, zero)
    arrays = {"w": weight, "s": scales(5), "z": zero}
    arrays |= {str(index): one for index, one in enumerate(inputs) if not isinstance(one, str)}
    given = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()]
    names = [one if isinstance(one, str) else str(index) for index, one in enumerate(inputs)]
    domain = "" if op.startswith("QLinear") else "com.microsoft"
    save(
        tmp_path / "a.onnx", [helper.make_node(op, names, ["y"], domain=domain)], given, [("x", kind)], [("y", result)]
    )
    found = weights_of(tmp_path / "a.onnx")
    assert {name: one.stored for name, one in found.items()} == {"w": "int8"}
    identity = np.eye(6, dtype=helper.tensor_dtype_to_np_dtype(kind))
    made = ran(tmp_path / "a.onnx", x=identity[..., None] if convolution else identity)
    if result == BYTES:
        made = (made.astype(np.float32) - MIDDLE) * STEP
    values = found["w"].read()
    wanted = values[..., 0].T if convolution else values
    np.testing.assert_allclose(made.reshape(6, 5), wanted, atol=0.51 * STEP if result == BYTES else 1e-4)


def test_dynamic_quantisation_of_any_layer_gives_back_the_weights(tmp_path):
    """The runtime's own tool quantises a product, a convolution and a recurrent layer; half a step is lost."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    random = np.random.default_rng(8)
    shapes = {"product": (6, 5), "filter": (4, 6, 3), "inputs": (1, 20, 4), "recurrence": (1, 20, 5)}
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Conv", ["x", "filter"], ["a"], pads=[1, 1]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["b", "inputs", "recurrence"], ["", "c"], hidden_size=5),
        helper.make_node("MatMul", ["d", "product"], ["y"]),
    ]
    given = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    inputs = [helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", (1, 6, 9)), ("d", (2, 6)))]
    outputs = [helper.make_tensor_value_info(name, 1, None) for name in ("c", "y")]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, given)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "a.onnx")
    quantize_dynamic(tmp_path / "a.onnx", tmp_path / "b.onnx", weight_type=QuantType.QUInt8, per_channel=False)
    found = weights_of(tmp_path / "b.onnx")
    made = {name.removesuffix("_quantized"): weight for name, weight in found.items()}
    assert made.keys() == weights.keys()
    for name, value in weights.items():
        assert made[name].stored == ("int8" if name in ("inputs", "recurrence") else "uint8")
        step = 2 * np.abs(value).max() / 254
        laid_out = made[name].read()
        original = value.transpose(0, 2, 1) if laid_out.shape != value.shape else value
        np.testing.assert_allclose(laid_out, original, atol=0.51 * step)


def test_integers_whose_scale_is_not_certain_stay_integers(tmp_path):
    """A product that is scaled by what the graph computes elsewhere says nothing about the weight alone."""
    given = [numpy_helper.from_array(integers(-128, 128, 6, 5), "w"), numpy_helper.from_array(scales(), "s")]
    nodes = [
        helper.make_node("MatMulInteger", ["x", "w"], ["a"]),
        helper.make_node("Cast", ["a"], ["b"], to=1),
        helper.make_node("Mul", ["b", "s"], ["y"]),
    ]
    save(tmp_path / "a.onnx", nodes, given, [("x", TensorProto.INT8)], [("y", TensorProto.FLOAT)])
    found = weights_of(tmp_path / "a.onnx")["w"]
    assert (found.dtype, found.stored) == ("int8", "int8")
    np.testing.assert_array_equal(found.read(), integers(-128, 128, 6, 5))


def test_integers_of_two_scales_stay_integers_and_are_noted(tmp_path):
    given = [numpy_helper.from_array(integers(-128, 128, 6, 5), "w")]
    given += [numpy_helper.from_array(scales() * n, f"s{n}") for n in (1, 2)]
    nodes = [helper.make_node("DequantizeLinear", ["w", f"s{n}"], [f"y{n}"]) for n in (1, 2)]
    save(tmp_path / "a.onnx", nodes, given)
    file = open_weights(tmp_path / "a.onnx")
    assert [(weight.name, weight.dtype) for weight in file.weights] == [("w", "int8")]
    assert file.notes == ("'w' is used with several scales and is given as integers",)


def field(number: int, data: bytes) -> bytes:
    """Write one field of bytes; the library refuses what the test below needs."""
    length, size = len(data), b""
    while length > 0x7F:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data


@pytest.mark.parametrize(("depth", "problem"), [(60, "nests graphs more than 50 deep"), (40, None)])
def test_graphs_without_end_are_an_error(tmp_path, depth, problem):
    graph = b""
    for _ in range(depth):
        graph = field(1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, graph)))
    (tmp_path / "a.onnx").write_bytes(field(7, graph))
    if problem is None:
        assert open_weights(tmp_path / "a.onnx").weights == ()
        return
    with pytest.raises(TensorFileError, match=problem):
        open_weights(tmp_path / "a.onnx")
