"""Tensors of .safetensors and .npz files, of sharded models and of MLX's quantised layers."""

from __future__ import annotations

import json
import zipfile

import ml_dtypes
import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import save_file

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.files import open_weights
from tests.weights.samples import arrays, values_of, write_npz, write_packed_npz, write_safetensors


def test_every_type_of_number_is_read_as_it_is(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path)
    values = values_of(path)
    for name, array in arrays().items():
        np.testing.assert_array_equal(values[name], array)
    numbers = arrays()["float32"]
    np.testing.assert_array_equal(values["bfloat16"], numbers.astype(ml_dtypes.bfloat16))
    np.testing.assert_array_equal(values["float8"], numbers.astype(ml_dtypes.float8_e4m3fn))


@pytest.mark.parametrize("write", [write_npz, write_packed_npz])
def test_arrays_of_an_npz_are_read_stored_or_compressed(tmp_path, write):
    write(tmp_path / "a.npz")
    values = values_of(tmp_path / "a.npz")
    assert values.keys() == arrays().keys()
    for name, array in arrays().items():
        np.testing.assert_array_equal(values[name], array)


def test_stored_arrays_are_views_and_nothing_is_writable(tmp_path):
    write_npz(tmp_path / "a.npz")
    write_packed_npz(tmp_path / "b.npz")
    for path in (tmp_path / "a.npz", tmp_path / "b.npz"):
        for name, array in values_of(path).items():
            assert array.size == 0 or not array.flags.writeable, name


def test_python_objects_and_texts_are_left_out_and_said(tmp_path):
    np.savez(tmp_path / "a.npz", good=np.ones(2), objects=np.array([{}], object), text=np.array(["x"]))
    file = open_weights(tmp_path / "a.npz")
    assert [weight.name for weight in file.weights] == ["good"]
    assert file.notes == (
        "'objects' holds Python objects, which are never unpickled, and is left out",
        "'text' is of dtype <U1, which is no number, and is left out",
    )


def test_a_damaged_member_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(1000.0))
    with zipfile.ZipFile(path) as archive:
        place = archive.infolist()[0].header_offset + 200
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(TensorFileError, match="damaged"):
        open_weights(path).weights[0].read()


@pytest.fixture
def sharded(tmp_path):
    """Write a model in two shards, and return a function that writes its index."""
    first, second = {"a": np.ones(3, np.float32)}, {"b": np.arange(2), "c": np.zeros((2, 2), np.float16)}
    save_file(first, tmp_path / "model-1.safetensors")
    save_file(second, tmp_path / "model-2.safetensors")

    def write(places):
        path = tmp_path / "model.safetensors.index.json"
        path.write_text(json.dumps({"metadata": {}, "weight_map": places}))
        return path

    return write


def test_a_sharded_model_is_read_through_its_index(sharded):
    path = sharded({"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-2.safetensors"})
    values = values_of(path)
    assert sorted(values) == ["a", "b", "c"]
    np.testing.assert_array_equal(values["b"], [0, 1])


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ({"a": "model-2.safetensors"}, "expects tensor 'a' in 'model-2.safetensors', which does not have it"),
        ({"a": "model-3.safetensors"}, "names the shard 'model-3.safetensors', which does not exist"),
        ({"a": "../model-1.safetensors"}, "which is not in its folder"),
        ({"a": "/model-1.safetensors"}, "which is not in its folder"),
        ({"a": "model-1.txt"}, "which is no .safetensors file"),
        ({"a": ["model-1.safetensors"]}, "no weight_map"),
        ([], "no weight_map"),
    ],
)
def test_an_index_that_does_not_agree_with_its_shards_is_refused(sharded, places, problem):
    with pytest.raises(TensorFileError, match=problem):
        open_weights(sharded(places))


def quantise(path, bits, group):
    mx.random.seed(bits)
    weight = mx.random.normal((6, 256))
    packed, scales, biases = mx.quantize(weight, group_size=group, bits=bits)
    mx.save_safetensors(str(path), {"l.weight": packed, "l.scales": scales, "l.biases": biases, "l.bias": weight[0]})
    return np.array(mx.dequantize(packed, scales, biases, group_size=group, bits=bits))


@pytest.mark.parametrize("group", [32, 128])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_a_layer_that_mlx_quantised_has_the_values_that_mlx_computes_with(tmp_path, bits, group):
    expected = quantise(tmp_path / "a.safetensors", bits, group)
    (tmp_path / "config.json").write_text(json.dumps({"quantization": {"bits": bits, "group_size": group}}))
    file = open_weights(tmp_path / "a.safetensors")
    found = {weight.name: weight for weight in file.weights}
    assert sorted(found) == ["l.bias", "l.weight"]
    assert found["l.weight"].stored == f"uint{bits}"
    np.testing.assert_array_equal(found["l.weight"].read(), expected)


def test_bits_that_the_shapes_tell_need_no_config(tmp_path):
    expected = quantise(tmp_path / "a.safetensors", 5, 64)
    np.testing.assert_array_equal(values_of(tmp_path / "a.safetensors")["l.weight"], expected)


def test_bits_that_nothing_tells_are_not_guessed(tmp_path):
    quantise(tmp_path / "a.safetensors", 4, 64)
    file = open_weights(tmp_path / "a.safetensors")
    assert len(file.weights) == 4
    assert "4 bits in groups of 64 or 8 bits in groups of 32" in file.notes[0]


def test_a_config_that_contradicts_the_shapes_is_not_believed(tmp_path):
    quantise(tmp_path / "a.safetensors", 4, 64)
    (tmp_path / "config.json").write_text(json.dumps({"quantization": {"bits": 8, "group_size": 64}}))
    file = open_weights(tmp_path / "a.safetensors")
    assert len(file.weights) == 4
    assert "no known way" in file.notes[0]
