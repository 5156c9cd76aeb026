"""What is no weight file says in one line what it is and what to do."""

from __future__ import annotations

import importlib
import pickle

import numpy as np
import pytest

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.files import READERS, open_weights
from pytest_audioparity.weights.names import uniquely_named
from pytest_audioparity.weights.records import Weight
from tests.weights.samples import WRITERS


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(TensorFileError, match=r"no\.onnx does not exist; check the path") as caught:
        open_weights(tmp_path / "no.onnx")
    assert caught.value.cause == "missing"


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "a.onnx/b.onnx"])
def test_a_path_that_cannot_be_is_an_error_too(tmp_path, name):
    (tmp_path / "a.onnx").touch()
    with pytest.raises(TensorFileError, match=r"cannot be read|does not exist"):
        open_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.onnx"])
def test_a_git_lfs_pointer_is_recognised_under_any_suffix(tmp_path, name):
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(TensorFileError, match="Git LFS pointer, not the data; run: git lfs pull") as caught:
        open_weights(path)
    assert caught.value.cause == "lfs_pointer"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_plain_pickle_is_refused_and_not_unpickled(tmp_path, protocol):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(_Trap(tmp_path / "called"), protocol))
    with pytest.raises(TensorFileError, match="plain pickle, which is never unpickled"):
        open_weights(path)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580, 0x10280])
def test_a_header_as_long_as_a_pickle_begins_is_that_of_safetensors(tmp_path, length):
    """The length comes first, in little-endian order."""
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    path = tmp_path / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    assert [weight.name for weight in open_weights(path).weights] == ["a"]


class _Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.txt", b"hello", r"none of the files that can be read: \.safetensors, \.npz, \.onnx"),
        ("a.onnx", b"", "is empty"),
        ("a.onnx", b"hello hello", "not a model that can be read, or damaged|not an ONNX model"),
        ("a.onnx", b"\x08\x01", "has no graph"),
        ("a.mlmodel", b"\x08\x01", "not a Core ML program or neural network"),
        ("a.safetensors", b"\xff" * 20, "header claims"),
        ("a.pt", b"PK\x03\x04 and no more", "damaged zip archive"),
        ("a.npy", b"\x93NUMPY\x01\x00", "single array"),
        ("a.gguf", b"GGUF\x03\x00", "GGUF"),
        ("a.h5", b"\x89HDF\r\n", "HDF5"),
        ("a.ort", b"\x00\x00\x00\x00ORTM", r"give the \.onnx file"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(tmp_path, name, content, problem):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TensorFileError, match=problem) as caught:
        open_weights(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused_unless_it_is_a_package(tmp_path):
    with pytest.raises(TensorFileError, match=r"is a folder, but not an \.mlpackage"):
        open_weights(tmp_path)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_known_by_its_content_whatever_its_suffix(tmp_path, name):
    """A checkpoint is often called .bin or .ckpt; only protocol buffers look like nothing and need their suffix."""
    path = tmp_path / name
    WRITERS[name](path)
    expected = open_weights(path)
    if path.is_file() and path.suffix not in (".onnx", ".mlmodel"):
        path = path.rename(tmp_path / "model.bin")
    assert [weight.name for weight in open_weights(path).weights] == [weight.name for weight in expected.weights]
    assert expected.weights


def test_every_reader_of_the_table_is_there():
    for module in READERS.values():
        assert callable(importlib.import_module(module).read)


def test_a_name_that_stands_twice_is_numbered():
    """The dotted name of a nested tensor may be the flat name of another."""
    names = ("a.b", "c", "a.b", "a.b (2)", "\ud800")
    weights = [Weight(name, (), "float32", lambda: np.zeros(())) for name in names]
    assert [one.name for one in uniquely_named(weights)] == ["a.b", "c", "a.b (2)", "a.b (2) (2)", "?"]
