"""The safetensors container, read without copying and written without gathering.

We read the format ourselves for three reasons: a golden is compared where it lies in the page cache (the library's
numpy reader copies every tensor), bfloat16 and float8 must come out as such, and a damaged file, a Git LFS pointer
and an empty file each deserve their own message. The bytes we write are ordinary safetensors; the tests hold both
directions against the library. Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytest_audioparity.errors import TensorFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

# safetensors refuses longer headers (its MAX_HEADER_SIZE); a wrong length field would otherwise ask for exabytes.
MAX_HEADER_BYTES = 100_000_000
_LFS_START = b"version https://git-lfs"
# Data is written in pieces of this size: large enough for the kernel, small beside any golden.
_WRITE_BYTES = 8 << 20

_NUMPY_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "C64": "<c8",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_ML_DTYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}
_NAME_OF = {np.dtype(numpy).name: name for name, numpy in _NUMPY_DTYPES.items()}
_NAME_OF |= {ml: name for name, ml in _ML_DTYPES.items()}


def dtype_from_name(name: str) -> np.dtype[Any] | None:
    """Return the numpy dtype of a safetensors dtype name, or None when there is none (4- and 6-bit floats)."""
    if name in _NUMPY_DTYPES:
        return np.dtype(_NUMPY_DTYPES[name])
    if name in _ML_DTYPES:
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))
        return dtype
    return None


def name_from_dtype(dtype: np.dtype[Any]) -> str | None:
    """Return the safetensors name of a numpy dtype of either byte order, or None when the format has none."""
    return _NAME_OF.get(dtype.name)


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


class TensorFile:
    """A safetensors file, memory-mapped. Tensors are read-only views in the order of their data.

    Parameters
    ----------
    path : the file

    Raises
    ------
    TensorFileError : missing, not a safetensors file, truncated, or a Git LFS pointer (see its `cause`)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map = _map_file(path)
        header, data_start = _read_header(self._map)
        self.metadata = _string_map(header.pop("__metadata__", {}))
        self._entries = _read_entries(header, data_start, len(self._map))

    @property
    def names(self) -> tuple[str, ...]:
        """Tensor names in the order of their data."""
        return tuple(self._entries)

    def tensor(self, name: str) -> Array:
        """Return one tensor as a read-only view of the file."""
        entry = self._entries[name]
        count = math.prod(entry.shape)
        flat: Array = np.frombuffer(self._map, entry.dtype, count, entry.start) if count else np.empty(0, entry.dtype)
        return flat.reshape(entry.shape)

    def raw(self, name: str) -> memoryview:
        """Return the bytes of one tensor, without copying."""
        entry = self._entries[name]
        return memoryview(self._map)[entry.start : entry.stop]


def _map_file(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_START))
            if start == _LFS_START:
                raise TensorFileError("is a Git LFS pointer, not the data", cause="lfs_pointer")
            if len(start) < 8:
                raise TensorFileError(f"is truncated: {len(start)} bytes")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise TensorFileError("does not exist", cause="missing") from None
    except (OSError, ValueError) as error:
        if isinstance(error, TensorFileError):
            raise
        raise TensorFileError(f"cannot be read: {error}") from None


def _read_header(data: mmap.mmap) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise TensorFileError(f"is not a safetensors file: its header claims {length} bytes")
    if 8 + length > len(data):
        raise TensorFileError(f"is truncated: its header needs {8 + length} bytes, the file has {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise TensorFileError(f"has an unreadable header: {error}") from None
    if not isinstance(header, dict):
        raise TensorFileError("has a header that is not a JSON object")
    return header, 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name appears twice")
    return mapping


def _string_map(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TensorFileError("has metadata that is not a map of strings")
    return value


def _read_entries(header: dict[str, Any], data_start: int, size: int) -> dict[str, _Entry]:
    entries = {name: _read_entry(name, value, data_start) for name, value in header.items()}
    ordered = sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop))
    position = data_start
    for name, entry in ordered:
        if entry.start != position:
            raise TensorFileError(f"has a gap or an overlap before tensor {name!r}")
        position = entry.stop
    if position != size:
        word = "truncated" if position > size else "longer than its header says"
        raise TensorFileError(f"is {word}: {position} bytes expected, {size} found")
    return dict(ordered)


def _read_entry(name: str, value: Any, data_start: int) -> _Entry:
    try:
        dtype_name, shape = value["dtype"], tuple(value["shape"])
        start, stop = value["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise TensorFileError(f"describes tensor {name!r} incompletely") from None
    if not all(type(n) is int and 0 <= n < 2**63 for n in (*shape, start, stop)) or not isinstance(dtype_name, str):
        raise TensorFileError(f"describes tensor {name!r} with impossible numbers")
    dtype = dtype_from_name(dtype_name)
    if dtype is None:
        raise TensorFileError(f"holds tensor {name!r} of dtype {dtype_name}, which numpy cannot represent")
    if len(shape) > 64 or stop - start != math.prod(shape) * dtype.itemsize:  # numpy's limit of dimensions
        raise TensorFileError(f"describes tensor {name!r} with a size that does not fit its shape")
    return _Entry(dtype, shape, data_start + start, data_start + stop)


def write_tensors(file: BinaryIO, tensors: Sequence[tuple[str, Array]], metadata: Mapping[str, str]) -> None:
    """Write tensors as one safetensors file; the same input gives the same bytes.

    Data is ordered by falling item size, then as given, so that every tensor is aligned for readers that map the file.

    Parameters
    ----------
    file : open for writing in binary mode
    tensors : names and arrays, of dtypes that `name_from_dtype` knows; any strides and byte order
    metadata : the `__metadata__` strings
    """
    ordered = sorted(tensors, key=lambda item: -item[1].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    position = 0
    for name, array in ordered:
        stop = position + array.nbytes
        shape = list(array.shape)
        header[name] = {"dtype": name_from_dtype(array.dtype), "shape": shape, "data_offsets": [position, stop]}
        position = stop
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, array in ordered:
        data = raw_bytes(array)
        for start in range(0, len(data), _WRITE_BYTES):
            file.write(data[start : start + _WRITE_BYTES])


def raw_bytes(array: Array) -> memoryview:
    """Return the little-endian C-order bytes of an array, without a copy where it already has that layout."""
    if array.size == 0:
        return memoryview(b"")
    native = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(native).reshape(-1).view(np.uint8).data


def content_hash(data: memoryview) -> str:
    """Return `xxh3:` and the 128-bit XXH3 digest of the bytes in hexadecimal."""
    import xxhash

    return f"xxh3:{xxhash.xxh3_128_hexdigest(data)}"


def hash_matches(data: memoryview, expected: str) -> bool | None:
    """Tell whether bytes have the hash that a file states, or None when its algorithm is unknown here."""
    algorithm, _, digest = expected.partition(":")
    if algorithm == "xxh3":
        return content_hash(data) == expected.lower()
    if algorithm == "sha256":
        import hashlib

        return hashlib.sha256(data).hexdigest() == digest.lower()
    return None
