"""Small valid files of every format, some committed and some written here, and what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper

from pytest_audioparity.tensorfile import write_tensors
from pytest_audioparity.weights.files import open_weights
from pytest_audioparity.weights.records import Weight

DATA = Path(__file__).parents[1] / "data" / "weights"


def expected(prefix: str) -> dict[str, np.ndarray]:
    """Return what the framework's own reader made of a committed file."""
    with np.load(DATA / "expected.npz") as archive:
        return {name.removeprefix(f"{prefix}/"): archive[name] for name in archive.files if name.startswith(prefix)}


def weights_of(path: Path) -> dict[str, Weight]:
    return {weight.name: weight for weight in open_weights(path).weights}


def values_of(path: Path) -> dict[str, np.ndarray]:
    """Read every weight of a file, which must be as it was announced."""
    values = {}
    for name, weight in weights_of(path).items():
        values[name] = weight.read()
        assert (values[name].shape, values[name].dtype.name) == (weight.shape, weight.dtype)
    return values


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    numbers = random.standard_normal((4, 6)).astype(np.float32)
    return {
        "float32": numbers,
        "turned": np.asfortranarray(numbers.astype(np.float64)),
        "float16": numbers.astype(np.float16),
        "integers": np.arange(5),
        "truth": np.array([True, False, True]),
        "single": np.array(2.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }


def write_safetensors(path: Path) -> None:
    tensors = arrays()
    tensors["bfloat16"] = tensors["float32"].astype(ml_dtypes.bfloat16)
    tensors["float8"] = tensors["float32"].astype(ml_dtypes.float8_e4m3fn)
    with path.open("wb") as file:
        write_tensors(file, list(tensors.items()), {})


def write_npz(path: Path) -> None:
    np.savez(path, **arrays())


def write_packed_npz(path: Path) -> None:
    np.savez_compressed(path, **arrays())


def write_gguf(path: Path) -> None:
    """Write what ggml reads: metadata, a matrix of halves, one of blocks of five bits."""
    writer = gguf.GGUFWriter(path, "test")
    writer.add_array("tokens", ["a", "bc"])
    writer.add_tensor("float16", arrays()["float16"])
    kind = gguf.GGMLQuantizationType.Q5_1
    numbers = np.random.default_rng(4).standard_normal((2, 64)).astype(np.float32)
    writer.add_tensor("blocks", gguf.quants.quantize(numbers, kind), raw_dtype=kind)
    writer.add_tensor("single", arrays()["float32"][0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_onnx(path: Path) -> None:
    """Write a graph with typed and raw data, a constant, bodies of If, a sparse tensor and quantised weights."""
    random = np.random.default_rng(4)
    given = [
        numpy_helper.from_array(random.standard_normal((3, 4)).astype(np.float32), "raw"),
        helper.make_tensor("typed", onnx.TensorProto.FLOAT, (2, 2), [1.0, -2.0, 3.0, 0.5]),
        helper.make_tensor("halves", onnx.TensorProto.FLOAT16, (2, 2), [1.0, -2.0, 3.0, 0.5]),
        helper.make_tensor("nibbles", onnx.TensorProto.INT4, (3,), [-8, 7, 3]),
        numpy_helper.from_array(random.integers(0, 255, (4, 3)).astype(np.uint8), "quantised"),
        numpy_helper.from_array(np.array([0.5, 0.25, 2.0], np.float32), "scale"),
        numpy_helper.from_array(np.array([1, 2, 3], np.uint8), "zero"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["quantised", "scale", "zero"], ["made"], axis=1),
        helper.make_node("Constant", [], ["table"], value=numpy_helper.from_array(np.eye(3, dtype=np.float32))),
        helper.make_node("If", ["x"], ["y"], "branch", then_branch=_body("then"), else_branch=_body("else")),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.BOOL, [])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    values = helper.make_tensor("sparse", onnx.TensorProto.FLOAT, (2,), [5.0, 6.0])
    places = helper.make_tensor("", onnx.TensorProto.INT64, (2,), [1, 5])
    sparse = helper.make_sparse_tensor(values, places, (2, 3))
    graph = helper.make_graph(nodes, "graph", [x], [y], given, sparse_initializer=[sparse])
    onnx.save(helper.make_model(graph), path)


def _body(name: str) -> onnx.GraphProto:
    held = numpy_helper.from_array(np.array([1.5, 2.5], np.float32), "inner")
    y = helper.make_tensor_value_info(f"y_{name}", onnx.TensorProto.FLOAT, [2])
    return helper.make_graph([helper.make_node("Identity", ["inner"], [f"y_{name}"])], name, [], [y], [held])


def _copied(name: str) -> Callable[[Path], None]:
    source = DATA / name
    return lambda path: (shutil.copytree if source.is_dir() else shutil.copy)(source, path)


# Writers of one valid file each, by the name that it is to have.
WRITERS: dict[str, Callable[[Path], object]] = {
    "a.safetensors": write_safetensors,
    "a.npz": write_npz,
    "packed.npz": write_packed_npz,
    "a.onnx": write_onnx,
    "a.gguf": write_gguf,
    **{name: _copied(name) for name in ("zip.pt", "legacy.pt", "traced.pt", "network.mlmodel")},
    **{name: _copied(name) for name in ("ios16.mlpackage", "ios18.mlpackage")},
}
