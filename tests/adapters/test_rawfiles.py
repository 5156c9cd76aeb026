"""Raw numbers with a JSON text beside them: read as that says, never outside of the file, refused where they differ."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.adapters.rawfiles import SUFFIXES, raw_files
from pytest_audioparity.errors import AudioparityError, StageError, TensorFileError
from pytest_audioparity.records import StageMeta, StageTensor

NUMBERS = np.arange(24, dtype="float32")
SHAPE = (2, 3, 4)


def dumped(folder, said, numbers=NUMBERS, file="mel.f32", sidecar=None):
    (folder / file).write_bytes(numbers if isinstance(numbers, bytes) else numbers.tobytes())
    if said is not None:
        (folder / (sidecar or f"{file}.json")).write_text(said if isinstance(said, str) else json.dumps(said), "utf-8")
    return folder / file


def refused(path, error=TensorFileError):
    with pytest.raises(error) as caught:
        load(path)
    assert str(caught.value).startswith(str(path.parent))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("sidecar", ["mel.f32.json", "mel.json"])
def test_numbers_take_the_shape_that_is_said_of_them(tmp_path, sidecar):
    (stage,) = load(dumped(tmp_path, {"shape": SHAPE}, sidecar=sidecar))
    assert stage.meta == StageMeta("mel")
    assert stage.array.tolist() == NUMBERS.reshape(SHAPE).tolist()
    assert not stage.array.flags.writeable


def test_a_text_may_begin_with_a_byte_order_mark(tmp_path):
    """As .NET writes UTF-8."""
    (stage,) = load(dumped(tmp_path, "\ufeff" + json.dumps({"shape": SHAPE})))
    assert stage.array.shape == tuple(SHAPE)


def test_the_sidecar_of_the_whole_name_goes_before_that_of_the_stem(tmp_path):
    dumped(tmp_path, {"shape": [24]})
    assert load(dumped(tmp_path, {"shape": [4, 6]}, sidecar="mel.json"))[0].array.shape == (24,)


def test_what_is_declared_counts(tmp_path):
    declared = {"kind": "log_spectrum", "axes": "BCT", "unit": "ln", "sample_rate": 24000, "frame_rate": 86.1}
    (stage,) = load(dumped(tmp_path, {"shape": SHAPE, "name": "ode/0", "role": "input", **declared}))
    assert stage.meta == StageMeta("ode/0", **declared, role="input")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("order", ["little", "big"])
def test_every_type_is_read_in_both_byte_orders(tmp_path, suffix, order):
    names = {"bf16": ml_dtypes.bfloat16}
    dtype = np.dtype(names.get(suffix[1:], suffix[1] + str(int(suffix[2:]) // 8) if suffix != ".bf16" else None))
    values = np.array([0, 1, 100]).astype(dtype)
    bits = values.view(f"u{dtype.itemsize}").astype(f"{'>' if order == 'big' else '<'}u{dtype.itemsize}")
    (stage,) = load(dumped(tmp_path, {"shape": [3], "byte_order": order}, bits, f"x{suffix}"))
    assert stage.array.dtype == dtype
    assert stage.array.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"shape": [3, 2], "strides": [8, 1]}, [[0, 1], [8, 9], [16, 17]]),
        ({"shape": [2, 2], "strides": [1, 12]}, [[0, 12], [1, 13]]),
        ({"shape": [3], "strides": [-1], "offset": 23}, [23, 22, 21]),
        ({"shape": [20], "offset": 4}, list(range(4, 24))),
        ({"shape": [1, 2, 12], "strides": [1 << 70, 12, 1]}, [np.arange(24).reshape(2, 12).tolist()]),
        ({"shape": [0, 5], "strides": [1 << 70, -(1 << 70)]}, []),
    ],
)
def test_strides_and_offset_count_elements(tmp_path, said, expected):
    assert load(dumped(tmp_path, said))[0].array.tolist() == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"shape": [2, 3]}, "describes 6 numbers, the file has 24"),
        ({"shape": [25]}, "describes 25 numbers, the file has 24"),
        ({"shape": [24], "offset": 1}, "describes 25 numbers, the file has 24"),
        ({"shape": [3, 2], "strides": [12, 1]}, "describes elements 0 to 25 of a file that has 24"),
        ({"shape": [3], "strides": [-1], "offset": 1}, "describes elements -1 to 1"),
        ({"shape": [2, 24], "strides": [0, 1]}, "describes 48 elements of a file that has 24; write each of them"),
        ({"shape": [2, 12], "strides": [0, 2]}, "lead to one element twice: [0, 2] of shape [2, 12]"),
        ({"shape": [2, 2, 2], "strides": [1, -1, 12], "offset": 1}, "lead to one element twice"),
        ({"shape": [2, 4], "strides": [4, 1]}, "describes 8 numbers, the file has 24"),
        ({"shape": [24], "strides": [1, 1]}, "strides that are not 1 whole numbers, in elements"),
        ({"shape": [24], "strides": [1.0]}, "strides that are not 1 whole numbers"),
        ({"shape": [24], "strides": [True]}, "strides that are not 1 whole numbers"),
        ({"shape": 24}, "needs a shape"),
        ({"shape": [-24]}, "needs a shape"),
        ({"shape": [24], "offset": -1}, "may have an offset"),
        ({"shape": [1] * 100 + [24]}, "needs a shape"),
        ({}, "needs a shape"),
        ({"shape": [24], "stride": [1]}, "unknown key 'stride'; did you mean 'strides'?"),
        ({"shape": [24], "dtype": "float64"}, "says dtype 'float64' of a file whose suffix says float32"),
        ({"shape": [24], "dtype": 4}, "says dtype 4"),
        ({"shape": [24], "byte_order": "<"}, "neither 'little' nor 'big'"),
        ({"shape": [24], "axes": "BT"}, "must name each of its 1 dimensions"),
        ({"shape": [24], "kind": "mel"}, "kind='mel' is none of"),
        ({"shape": [24], "kind": "waveform", "sample_rate": 24}, "did you give kHz?"),
        ({"shape": [24], "role": "output"}, "role='output' is none of input"),
        ("[1]", "is not a JSON object"),
        ("{", "is not JSON"),
        ('{"shape": [24], "shape": [24]}', "a name appears twice"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, said, message):
    assert message in refused(dumped(tmp_path, said))


@pytest.mark.parametrize("spelt", ["float32", "f32", "F32"])
def test_the_dtype_may_be_said_again(tmp_path, spelt):
    assert load(dumped(tmp_path, {"shape": [24], "dtype": spelt}))[0].array.dtype == "float32"


def test_a_file_without_its_text_says_what_to_write(tmp_path):
    message = refused(dumped(tmp_path, None))
    assert 'write mel.f32.json beside it, such as {"shape": [1, 80, 412], "axes": "BCT"}' in message


def test_half_a_number_is_refused(tmp_path):
    assert "no whole number of float32" in refused(dumped(tmp_path, {"shape": [24]}, NUMBERS.tobytes()[:-1]))


def test_a_name_that_is_no_stage_name_is_refused(tmp_path):
    assert "is no stage name" in refused(dumped(tmp_path, {"shape": [24], "name": "a\nb"}), StageError)


@given(
    shape=st.lists(st.integers(-1, 6), max_size=3),
    strides=st.lists(st.integers(-30, 30), max_size=3),
    offset=st.integers(-2, 30),
)
def test_no_strides_read_outside_of_the_file(tmp_path_factory, shape, strides, offset):
    """What is read is what a plain sum of index times stride finds in the file, each once, or it is refused."""
    folder = tmp_path_factory.mktemp("raw")
    try:
        (stage,) = load(dumped(folder, {"shape": shape, "strides": strides, "offset": offset}))
    except AudioparityError:
        return
    assert len(np.unique(stage.array)) == stage.array.size
    for index in np.ndindex(*shape):
        place = offset + sum(i * step for i, step in zip(index, strides, strict=True))
        assert 0 <= place < 24
        assert stage.array[index] == NUMBERS[place]


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", ml_dtypes.bfloat16])
def test_what_is_written_comes_back(tmp_path, dtype):
    meta = StageMeta(
        "ode/0", "codes" if dtype in ("int64", "uint8") else "tensor", "CT", sample_rate=24000, role="input"
    )
    values = np.arange(6).reshape(3, 2).T.astype(dtype)
    suffix, numbers, said = raw_files(StageTensor(meta, values))
    (tmp_path / f"x{suffix}").write_bytes(numbers)
    (tmp_path / f"x{suffix}.json").write_bytes(said)
    (stage,) = load(tmp_path / f"x{suffix}")
    assert stage.meta == meta
    assert stage.array.dtype == dtype
    assert stage.array.tolist() == values.tolist()


def test_what_has_no_raw_form_is_refused():
    for dtype in ("bool", "complex64", ml_dtypes.float8_e4m3fn):
        with pytest.raises(StageError, match="no raw files; use safetensors"):
            raw_files(StageTensor(StageMeta("x"), np.zeros(2, dtype)))
