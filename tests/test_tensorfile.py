"""The safetensors container, held against the `safetensors` library in both directions."""

from __future__ import annotations

import io
import json
import mmap
import os
import tracemalloc

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from pytest_audioparity import tensorfile
from pytest_audioparity.errors import StageError, TensorFileError
from pytest_audioparity.tensorfile import TensorFile, dtype_from_name, name_from_dtype, raw_bytes, write_tensors
from tests.arrays import dtype_of, same

PLAIN = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
ML = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
IN_TORCH = [name for name in ML.values() if name != "float8_e8m0fnu"]  # which safetensors.torch does not know
MULTIBYTE = [name for name in PLAIN.values() if np.dtype(name).itemsize > 1]


def sample(name, shape=(2, 3)):
    """Values that every dtype can hold apart: powers of two, or 0 and 1."""
    count = int(np.prod(shape))
    values = np.arange(count) % 2 if name == "bool" else 2.0 ** (np.arange(count) % 5)
    return values.reshape(shape).astype(dtype_of(name))


def to_bytes(*tensors, metadata=None):
    file = io.BytesIO()
    write_tensors(file, tensors, metadata or {})
    return file.getvalue()


def written(path, *tensors, metadata=None):
    path.write_bytes(to_bytes(*tensors, metadata=metadata))
    return path


def container(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(TensorFileError) as caught:
        TensorFile(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return caught.value


class TestBothDirections:
    @pytest.mark.parametrize("name", PLAIN.values())
    def test_the_library_reads_every_numpy_dtype_that_we_write(self, name):
        array = sample(name)
        assert same(safetensors.numpy.load(to_bytes(("a", array)))["a"], array)

    @pytest.mark.parametrize(("label", "name"), ML.items())
    def test_the_library_reads_every_small_float_that_we_write(self, label, name):
        array = sample(name)
        ((_, read),) = safetensors.deserialize(to_bytes(("a", array)))
        assert (read["dtype"], read["shape"], bytes(read["data"])) == (label, [2, 3], array.tobytes())

    @pytest.mark.parametrize("name", IN_TORCH)
    def test_torch_reads_the_small_floats_that_we_write(self, needs, name):
        needs("torch")
        import safetensors.torch
        import torch

        tensor = safetensors.torch.load(to_bytes(("a", sample(name))))["a"]
        assert tensor.dtype == getattr(torch, name)
        assert tensor.float().tolist() == sample("float32").tolist()

    @pytest.mark.parametrize("name", PLAIN.values())
    def test_we_read_every_numpy_dtype_that_the_library_writes(self, tmp_path, name):
        array = sample(name)
        safetensors.numpy.save_file({"a": array}, tmp_path / "x.safetensors")
        assert same(TensorFile(tmp_path / "x.safetensors").tensor("a"), array)

    @pytest.mark.parametrize("name", IN_TORCH)
    def test_we_read_the_small_floats_that_torch_writes(self, needs, tmp_path, name):
        needs("torch")
        import safetensors.torch
        import torch

        tensor = torch.tensor([1.0, 2.0, 0.5]).to(getattr(torch, name))
        safetensors.torch.save_file({"a": tensor}, tmp_path / "x.safetensors")
        array = TensorFile(tmp_path / "x.safetensors").tensor("a")
        assert same(array, np.array([1.0, 2.0, 0.5]).astype(dtype_of(name)))

    def test_metadata_survives_in_both_directions(self, tmp_path):
        metadata = {"a": "1", "ü": "日本\n"}
        path = written(tmp_path / "x.safetensors", ("t", np.ones(1)), metadata=metadata)
        with safetensors.safe_open(path, "numpy") as file:
            assert file.metadata() == metadata
        safetensors.numpy.save_file({"t": np.ones(1)}, path, metadata)
        assert TensorFile(path).metadata == metadata

    def test_names_in_other_scripts_survive(self, tmp_path):
        path = written(tmp_path / "x.safetensors", ("音声/メル", np.ones(1)), ('a "b" \\', np.zeros(2)))
        assert set(safetensors.numpy.load_file(path)) == set(TensorFile(path).names) == {"音声/メル", 'a "b" \\'}
        assert "音声/メル".encode() in path.read_bytes()

    @pytest.mark.parametrize(("safetensors_name", "name"), {**PLAIN, **ML}.items())
    def test_names_of_dtypes_go_there_and_back(self, safetensors_name, name):
        assert dtype_from_name(safetensors_name) == dtype_of(name)
        assert name_from_dtype(dtype_of(name)) == safetensors_name

    @pytest.mark.parametrize("dtype", ["complex128", "longdouble", "U3", "O", "M8[s]", [("x", "f4")]])
    def test_dtypes_that_the_format_lacks_have_no_name(self, dtype):
        assert name_from_dtype(np.dtype(dtype)) is None

    def test_four_bit_floats_have_no_numpy_dtype(self):
        assert dtype_from_name("F4") is None


class TestLayouts:
    @pytest.mark.parametrize("name", MULTIBYTE)
    def test_big_endian_values_are_written_little_endian(self, tmp_path, name):
        array = sample(name)
        path = written(tmp_path / "x.safetensors", ("a", array.astype(array.dtype.newbyteorder(">"))))
        assert same(TensorFile(path).tensor("a"), array)

    @pytest.mark.parametrize(
        "view",
        [
            lambda a: a.T,
            lambda a: a[::-1],
            lambda a: a[:, ::2],
            lambda a: np.asfortranarray(a),
            lambda a: a[1],
            lambda a: np.broadcast_to(a[:1], (4, 6)),
        ],
        ids=["transposed", "reversed", "strided", "fortran", "row", "broadcast"],
    )
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_any_strides_are_written_in_c_order(self, tmp_path, view, order):
        array = view(np.arange(24, dtype=f"{order}f4").reshape(4, 6))
        read = TensorFile(written(tmp_path / "x.safetensors", ("a", array))).tensor("a")
        assert read.shape == array.shape
        assert read.tolist() == array.tolist()

    @pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 1, 1), (3, 1, 2)])
    @pytest.mark.parametrize("name", ["float32", "bfloat16", "bool", "int64"])
    def test_scalars_and_empty_tensors_keep_their_shape(self, tmp_path, name, shape):
        array = sample(name, shape)
        path = written(tmp_path / "x.safetensors", ("a", array), ("b", np.ones(3)))
        assert same(TensorFile(path).tensor("a"), array)
        assert not TensorFile(path).tensor("a").flags.writeable

    def test_a_file_without_tensors_has_none(self, tmp_path):
        assert TensorFile(written(tmp_path / "x.safetensors")).names == ()

    def test_thousands_of_tensors_are_all_there(self, tmp_path):
        tensors = [(f"layer/{i}", np.full((i % 3,), i, "int32")) for i in range(3000)]
        file = TensorFile(written(tmp_path / "x.safetensors", *tensors))
        assert all(same(file.tensor(name), array) for name, array in tensors)

    @pytest.mark.parametrize("longer", range(8))
    def test_every_tensor_is_aligned_to_its_item_size(self, tmp_path, longer):
        names = ["bool", "float64", "float16", "uint8", "complex64", "float32", "bfloat16"]
        tensors = [(name, sample(name, (3,))) for name in names]
        file = TensorFile(written(tmp_path / "x.safetensors", *tensors, metadata={"a": "b" * longer}))
        assert all(file.tensor(n).ctypes.data % file.tensor(n).dtype.itemsize == 0 for n in names)

    def test_names_come_in_the_order_of_the_data(self, tmp_path):
        header = {"late": entry(offsets=(4, 8)), "early": entry(offsets=(0, 4))}
        (tmp_path / "x").write_bytes(container(header, bytes(8)))
        assert TensorFile(tmp_path / "x").names == ("early", "late")

    def test_a_file_that_is_not_aligned_is_read_all_the_same(self, tmp_path):
        value = np.float64(1.5)
        text = json.dumps({"a": entry("F64", (), (0, 8))}).encode()
        text += b" " * (3 - (8 + len(text)) % 8 + 8)
        (tmp_path / "x").write_bytes(container(text, value.tobytes()))
        assert TensorFile(tmp_path / "x").tensor("a") == 1.5

    def test_the_same_input_gives_the_same_bytes(self):
        tensors = [("b", sample("float32")), ("a", sample("int8")), ("c", sample("float32").T)]
        assert to_bytes(*tensors, metadata={"x": "1"}) == to_bytes(*tensors, metadata={"x": "1"})
        assert to_bytes(*tensors) != to_bytes(*tensors[::-1])

    def test_the_bytes_of_a_file_stay_what_they_were(self):
        """So that a golden of the same tensors is the same file, whichever version wrote it."""
        header = b'{"__metadata__":{"\xc3\xbc":"1"},"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}'
        content = to_bytes(("a", np.array([1, 2], np.int8)), metadata={"ü": "1"})
        assert content == (80).to_bytes(8, "little") + header.ljust(80) + b"\x01\x02"

    def test_arguments_are_not_changed(self):
        array = np.arange(6, dtype=">f4").reshape(2, 3).T
        before = array.copy()
        to_bytes(("a", array))
        assert array.dtype == np.dtype(">f4")
        assert (array == before).all()

    @pytest.mark.parametrize(
        ("tensors", "said"),
        [
            ([("a", np.ones(1)), ("a", np.zeros(1))], "twice"),
            ([("__metadata__", np.ones(1))], "twice"),
            ([("a", np.array(["x"]))], "dtype <U1"),
            ([("a", np.ones(1, "longdouble"))], "cannot hold"),
        ],
    )
    def test_what_would_make_a_broken_file_is_refused_before_anything_is_written(self, tensors, said):
        file = io.BytesIO()
        with pytest.raises(StageError, match=said):
            write_tensors(file, tensors, {})
        assert file.getvalue() == b""


class TestNoCopies:
    def test_tensors_are_read_only_views_of_one_mapping(self, tmp_path):
        file = TensorFile(written(tmp_path / "x.safetensors", ("a", np.ones(4)), ("b", np.ones(4))))
        assert np.shares_memory(file.tensor("a"), file.tensor("a"))
        assert np.shares_memory(file.tensor("a"), np.frombuffer(file.raw("a"), np.uint8))
        assert not np.shares_memory(file.tensor("a"), file.tensor("b"))
        with pytest.raises(ValueError, match="read-only"):
            file.tensor("a")[0] = 2

    def test_reading_allocates_nothing_of_the_size_of_the_data(self, tmp_path):
        path = written(tmp_path / "x.safetensors", ("a", np.ones(2_000_000, "float32")))
        tracemalloc.start()
        try:
            array = TensorFile(path).tensor("a")
            assert array[-1] == 1
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()

    def test_bytes_of_a_contiguous_array_are_not_copied(self):
        array = np.arange(6, dtype="<f4")
        assert np.shares_memory(np.frombuffer(raw_bytes(array), np.uint8), array)

    def test_views_outlive_the_file_object_and_the_file(self, tmp_path):
        path = written(tmp_path / "x.safetensors", ("a", np.arange(3.0)))
        array = TensorFile(path).tensor("a")
        path.unlink()
        assert array.tolist() == [0, 1, 2]

    def test_a_small_file_is_read_and_a_large_one_mapped(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(b"12345")
        small, _ = tensorfile.contents(path, map_from=6)
        large, _ = tensorfile.contents(path, map_from=5)
        assert (type(small), type(large)) == (bytes, mmap.mmap)
        assert small == large[:] == b"12345"
        for size, kind in ((2**20 - 1, bytes), (2**20, mmap.mmap)):
            path.write_bytes(bytes(size))
            assert isinstance(tensorfile.contents(path)[0], kind)

    def test_where_nothing_can_be_given_back_nothing_is(self, tmp_path, monkeypatch):
        tensorfile.release_pages(b"was read")
        path = tmp_path / "x"
        path.write_bytes(b"12345")
        mapped, _ = tensorfile.contents(path, map_from=1)
        monkeypatch.delattr(tensorfile.mmap, "MADV_DONTNEED")
        tensorfile.release_pages(mapped)
        assert mapped[:] == b"12345"

    def test_where_a_mapping_would_block_replacement_the_file_is_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tensorfile, "_MAPS_FILES", False)
        file = TensorFile(written(tmp_path / "x.safetensors", ("a", np.arange(3.0)), ("e", np.ones((0, 2)))))
        assert isinstance(file.data, bytes)
        assert file.tensor("a").tolist() == [0, 1, 2]
        assert file.tensor("e").shape == (0, 2)
        assert not file.tensor("a").flags.writeable


GOOD = entry()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1\nsize 12345\n"
DAMAGED = {
    "header is no JSON": (container(b"{nope"), "unreadable header"),
    "header is empty": (container(b""), "unreadable header"),
    "header is not UTF-8": (container(b'{"\xff": 1}'), "unreadable header"),
    "header is a list": (container(b"[]"), "not a JSON object"),
    "header has NaN": (container(b'{"a": NaN}'), "NaN is no JSON number"),
    "header nests deeply": (container(b"[" * 100_000), "unreadable header"),
    "number of 5000 digits": (container(b'{"a":' + b"1" * 5000 + b"}"), "unreadable header"),
    "name twice": (container(b'{"a":%b,"a":%b}' % ((json.dumps(GOOD).encode(),) * 2), bytes(4)), "twice"),
    "key twice": (container(b'{"a":{"dtype":"F32","dtype":"I32","shape":[],"data_offsets":[0,4]}}', bytes(4)), "twice"),
    "entry is no object": (container({"a": 5}), "incompletely"),
    "entry is a list": (container({"a": []}), "incompletely"),
    "entry without dtype": (container({"a": {"shape": [], "data_offsets": [0, 4]}}, bytes(4)), "incompletely"),
    "entry without shape": (container({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)), "incompletely"),
    "three offsets": (container({"a": entry(offsets=(0, 4, 8))}, bytes(4)), "incompletely"),
    "negative offset": (container({"a": entry(offsets=(-4, 0))}), "impossible"),
    "offsets reversed": (container({"a": entry(offsets=(4, 0))}, bytes(4)), "size"),
    "huge offset": (container({"a": entry(offsets=(0, 2**64))}, bytes(4)), "impossible"),
    "huge but possible offset": (container({"a": entry(offsets=(0, 2**62))}, bytes(4)), "size"),
    "boolean offset": (container({"a": entry("U8", (1,), (False, True))}, bytes(1)), "impossible"),
    "float offset": (container({"a": entry(offsets=(0, 4.0))}, bytes(4)), "impossible"),
    "text offsets": (container({"a": {**GOOD, "data_offsets": "04"}}, bytes(4)), "impossible"),
    "boolean dimension": (container({"a": entry(shape=(True,))}, bytes(4)), "impossible"),
    "negative dimensions": (container({"a": entry(shape=(-1, -1))}, bytes(4)), "impossible"),
    "shape is an object": (container({"a": {**GOOD, "shape": {}}}, bytes(4)), "impossible"),
    "shape is text": (container({"a": {**GOOD, "shape": ""}}, bytes(4)), "impossible"),
    "dtype is a number": (container({"a": entry(7)}, bytes(4)), "impossible"),
    "unknown dtype": (container({"a": entry("F4", (8,))}, bytes(4)), "numpy cannot represent"),
    "dtype of two lines": (container({"a": entry("F\n4" * 999)}, bytes(4)), "numpy cannot represent"),
    "shape for other size": (container({"a": entry(shape=(2,))}, bytes(4)), "does not fit its shape"),
    "product of shape overflows": (container({"a": entry(shape=(2**62, 2**62))}, bytes(4)), "does not fit its shape"),
    "product wraps to size": (container({"a": entry(shape=(2**32, 2**32 + 1))}, bytes(4)), "does not fit its shape"),
    "empty, other dimension huge": (container({"a": entry(shape=(0, 2**62), offsets=(0, 0))}), "does not fit"),
    "more dimensions than numpy": (container({"a": entry(shape=(1,) * 65)}, bytes(4)), "does not fit its shape"),
    "gap before the first": (container({"a": entry(offsets=(4, 8))}, bytes(8)), "gap or an overlap"),
    "gap": (container({"a": GOOD, "b": entry(offsets=(8, 12))}, bytes(12)), "gap or an overlap"),
    "overlap": (container({"a": entry(shape=(2,), offsets=(0, 8)), "b": entry(offsets=(4, 8))}, bytes(8)), "overlap"),
    "same bytes twice": (container({"a": GOOD, "b": GOOD}, bytes(4)), "gap or an overlap"),
    "name of 100 kB": (container({"n" * 100_000: entry(offsets=(4, 8))}, bytes(8)), "gap or an overlap"),
    "trailing bytes": (container({"a": GOOD}, bytes(5)), "longer than its header says"),
    "data truncated": (container({"a": GOOD}, bytes(3)), "is truncated"),
    "no data": (container({"a": GOOD}), "is truncated"),
    "header longer than file": ((1000).to_bytes(8, "little") + b"{}", "is truncated"),
    "header of the largest size": ((100_000_000).to_bytes(8, "little") + b"{}", "is truncated: its header"),
    "header larger than that": ((100_000_001).to_bytes(8, "little") + b"{}", "not a safetensors file"),
    "header huge": ((2**63).to_bytes(8, "little") + b"{}", "not a safetensors file"),
    "metadata is a list": (container({"__metadata__": []}), "not a map of strings"),
    "metadata is text": (container({"__metadata__": "x"}), "not a map of strings"),
    "metadata holds numbers": (container({"__metadata__": {"a": 1}}), "not a map of strings"),
    "HTML page": (b"<!DOCTYPE html><html>not found</html>", "not a safetensors file"),
}


class TestDamage:
    @pytest.mark.parametrize(("content", "said"), DAMAGED.values(), ids=DAMAGED)
    def test_a_damaged_file_is_refused_in_one_line(self, tmp_path, content, said):
        error = refused(tmp_path / "x.safetensors", content)
        assert said in str(error)
        assert error.cause == "damaged"

    @pytest.mark.parametrize("size", range(8))
    def test_a_file_too_short_for_a_header_is_truncated(self, tmp_path, size):
        assert f"is truncated: {size} bytes" in str(refused(tmp_path / "x.safetensors", bytes(size)))

    def test_every_truncation_is_refused(self, tmp_path):
        content = to_bytes(("a", sample("float32")), ("b", sample("int8")))
        for size in range(len(content)):
            error = refused(tmp_path / "x.safetensors", content[:size])
            assert error.cause == "damaged"
            assert str(error).startswith("is truncated: ")

    def test_what_the_library_accepts_is_accepted(self, tmp_path):
        header = {"__metadata__": None, "a": {**GOOD, "comment": "extra"}}
        content = container(json.dumps(header).encode() + b"   ", np.float32(2.5).tobytes())
        (tmp_path / "x").write_bytes(content)
        file = TensorFile(tmp_path / "x")
        assert file.metadata == {}
        assert file.tensor("a").tolist() == safetensors.numpy.load(content)["a"].tolist() == [2.5]

    @pytest.mark.parametrize(("byte", "allowed"), [(0, True), (1, True), (2, False), (255, False)])
    def test_booleans_other_than_0_and_1_are_refused(self, tmp_path, byte, allowed):
        (tmp_path / "x").write_bytes(container({"a": entry("BOOL", (2,), (0, 2))}, bytes([1, byte])))
        file = TensorFile(tmp_path / "x")
        if allowed:
            assert file.tensor("a").tolist() == [True, bool(byte)]
            return
        with pytest.raises(TensorFileError, match="other than 0 and 1 in the BOOL tensor 'a'"):
            file.tensor("a")

    def test_a_git_lfs_pointer_is_named(self, tmp_path):
        error = refused(tmp_path / "x.safetensors", LFS)
        assert error.cause == "lfs_pointer"
        assert "Git LFS pointer" in str(error)


class TestNotAFile:
    @pytest.mark.parametrize("below", ["absent", "absent/x", "file/x"])
    def test_a_file_that_is_not_there_is_missing(self, tmp_path, below):
        (tmp_path / "file").write_text("")
        with pytest.raises(TensorFileError, match="does not exist") as caught:
            TensorFile(tmp_path / below)
        assert caught.value.cause == "missing"

    def test_a_dangling_link_is_not_missing(self, tmp_path):
        """What keeps files elsewhere has not fetched it; to write a new one would lose the link."""
        (tmp_path / "link").symlink_to("nowhere")
        with pytest.raises(TensorFileError, match="is a link to a file that is not here") as caught:
            TensorFile(tmp_path / "link")
        assert caught.value.cause == "link"

    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(TensorFileError, match="is not a regular file"):
            TensorFile(tmp_path)

    def test_a_pipe_is_refused_without_waiting_for_its_writer(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(TensorFileError, match="is not a regular file"):
            TensorFile(tmp_path / "pipe")

    def test_a_file_that_may_not_be_read_says_so(self, tmp_path, monkeypatch):
        path = written(tmp_path / "x.safetensors", ("a", np.ones(1)))

        def denied(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(path), "open", denied)
        with pytest.raises(TensorFileError, match="cannot be read: Permission denied"):
            TensorFile(path)

    @pytest.mark.parametrize("error", [OSError(19, "No such device"), OSError("No such device")])
    def test_a_file_that_cannot_be_mapped_says_so(self, tmp_path, monkeypatch, error):
        def refuses(*args, **kwargs):
            raise error

        monkeypatch.setattr(tensorfile.mmap, "mmap", refuses)
        with pytest.raises(TensorFileError, match=r"^cannot be read: No such device$"):
            tensorfile.contents(written(tmp_path / "x.safetensors"), map_from=1)

    @pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
    def test_an_impossible_path_is_refused_in_one_line(self, tmp_path, name):
        with pytest.raises(TensorFileError, match="cannot be read"):
            TensorFile(tmp_path / name)
