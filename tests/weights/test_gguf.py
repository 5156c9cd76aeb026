"""Weights of ggml's ports, against what the gguf package writes and dequantises."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFWriter, quants

from pytest_audioparity import compare_weights
from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.files import open_weights
from tests.weights.samples import arrays, values_of, weights_of, write_gguf

RANDOM = np.random.default_rng(5)
MATRIX = RANDOM.standard_normal((6, 64)).astype(np.float32)
QUANTISED = {"Q4_0": "int4", "Q4_1": "uint4", "Q5_0": "int5", "Q5_1": "uint5", "Q8_0": "int8"}


def written(path, tensors, *, alignment=None, more=()):
    """Write tensors by name with the library, each an array, or the bytes of one and how they are packed."""
    writer = GGUFWriter(path, "test")
    for name, value in more:
        writer.add_array(name, value)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    for name, tensor in tensors.items():
        if isinstance(tensor, tuple):
            writer.add_tensor(name, tensor[0], raw_dtype=tensor[1])
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_numbers_that_are_stored_as_they_are_come_out_as_they_are(tmp_path):
    held = {name: array for name, array in arrays().items() if name in ("float32", "float16", "integers")}
    held |= {dtype: np.arange(6, dtype=dtype).reshape(2, 3) for dtype in ("int8", "int16", "int32", "float64")}
    found = values_of(written(tmp_path / "a.gguf", held))
    assert list(found) == list(held)
    for name, array in held.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)


def test_bfloat16_is_read(tmp_path):
    halves = MATRIX.astype(ml_dtypes.bfloat16)
    found = values_of(written(tmp_path / "a.gguf", {"w": (quants.quantize(MATRIX, Kind.BF16), Kind.BF16)}))
    assert found["w"].dtype == halves.dtype
    assert found["w"].tobytes() == halves.tobytes()


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_blocks_have_the_values_that_ggml_gives_them(tmp_path, name):
    packed = quants.quantize(MATRIX, Kind[name])
    path = written(tmp_path / "a.gguf", {"w": (packed, Kind[name])})
    (weight,) = weights_of(path).values()
    assert (weight.stored, weight.shape, weight.dtype) == (QUANTISED[name], MATRIX.shape, "float32")
    np.testing.assert_array_equal(weight.read(), quants.dequantize(packed, Kind[name]))


@pytest.mark.parametrize("name", QUANTISED)
def test_any_bytes_of_a_block_have_the_values_that_ggml_gives_them(tmp_path, name):
    """No scale is refused, and every integer occurs."""
    size = quants.quantize(MATRIX[:1, :32], Kind[name]).size
    packed = RANDOM.integers(0, 256, (40, 2 * size), dtype=np.uint8)
    found = values_of(written(tmp_path / "a.gguf", {"w": (packed, Kind[name])}))["w"]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, quants.dequantize(packed, Kind[name]))


@pytest.mark.parametrize("alignment", [None, 64, 4096])
def test_metadata_is_stepped_over_and_its_alignment_kept(tmp_path, alignment):
    more = (("tokens", ["a", "bc", ""]), ("scores", [0.5, 1.5]))
    path = written(tmp_path / "a.gguf", {"a": MATRIX[0], "b": MATRIX}, alignment=alignment, more=more)
    np.testing.assert_array_equal(values_of(path)["b"], MATRIX)


@pytest.mark.parametrize(("kind", "size"), [(Kind.Q4_K, 144), (Kind.Q6_K, 210), (Kind.IQ4_NL, 18)])
def test_other_quantisations_are_refused_by_their_name(tmp_path, kind, size):
    """Left out they would be taken for checked."""
    path = written(tmp_path / "a.gguf", {"w": (np.zeros((2, size), np.uint8), kind)})
    with pytest.raises(TensorFileError, match=f"holds tensor 'w' as {kind.name}, which is not read; convert it"):
        open_weights(path)


def test_a_port_in_halves_passes_under_other_names_and_a_wrong_one_fails(tmp_path):
    reference = {f"layer{index}.weight": RANDOM.standard_normal((16, 32)).astype(np.float32) for index in range(3)}
    named = {f"blk.{index}.w": array.astype(np.float16) for index, array in enumerate(reference.values())}
    result = compare_weights(reference, written(tmp_path / "a.gguf", named))
    assert result.passed
    assert [match.status for match in result.matches] == ["cast"] * 3
    named["blk.1.w"] = named["blk.1.w"] * np.float16(1.5)
    assert not compare_weights(reference, written(tmp_path / "b.gguf", named)).passed


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential"])
def test_a_port_in_blocks_passes_as_quantised_and_one_of_other_weights_fails(tmp_path, name, draw):
    """The scale of a block is rounded to half precision after its values were divided by it."""
    weights = getattr(np.random.default_rng(8), draw)((64, 512)).astype(np.float32)
    path = written(tmp_path / "a.gguf", {"w": (quants.quantize(weights, Kind[name]), Kind[name])})
    (match,) = compare_weights({"w": weights}, path).matches
    assert (match.status, match.detail["stored"]) == ("quantised", QUANTISED[name])
    assert "every 32 values along axis 1" in match.detail["grid"]
    worse = weights.copy()
    worse[5, np.abs(worse[5] - np.median(worse[5])).argmin()] += 2 * match.detail["step"]  # not at an end of its block
    assert not compare_weights({"w": worse}, path).passed


@pytest.mark.parametrize(
    ("place", "new", "problem"),
    [
        (4, b"\1\0\0\0", "of version 1"),
        (4, b"\0\0\0\3", "little-endian"),
        (8, b"\xff" * 8, "ends within its header"),
        (16, b"\xff" * 8, "ends within its header|metadata"),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, place, new, problem):
    path = tmp_path / "a.gguf"
    write_gguf(path)
    data = bytearray(path.read_bytes())
    data[place : place + len(new)] = new
    path.write_bytes(data)
    with pytest.raises(TensorFileError, match=problem):
        open_weights(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.gguf"
    write_gguf(path)
    data = path.read_bytes()
    for size in (*range(4, len(data) - 32, 40), len(data) - 32):
        path.write_bytes(data[:size])
        with pytest.raises(TensorFileError, match=r"truncated|damaged"):
            open_weights(path)
