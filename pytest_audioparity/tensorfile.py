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
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytest_audioparity.errors import StageError, TensorFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

# safetensors refuses longer headers (its MAX_HEADER_SIZE); a wrong length field would otherwise ask for exabytes.
MAX_HEADER_BYTES = 100_000_000
METADATA_NAME = "__metadata__"
_LFS_START = b"version https://git-lfs"
# The limit of numpy, raised from 32 by numpy 2.
_MAX_DIMENSIONS = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
# A name or a number of a damaged file is shown up to this length.
_SHOWN_CHARACTERS = 80
# Windows does not replace a file that is mapped, and an update replaces the golden it has just read; there the file is
# read instead.
_MAPS_FILES = os.name != "nt"

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
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
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
        self._data = _contents(path)
        header, data_start = _read_header(self._data)
        self.metadata = _string_map(header.pop(METADATA_NAME, None))
        self._entries = _read_entries(header, data_start, len(self._data))

    @property
    def names(self) -> tuple[str, ...]:
        """Tensor names in the order of their data."""
        return tuple(self._entries)

    def tensor(self, name: str) -> Array:
        """Return one tensor as a read-only view of the file.

        Raises
        ------
        TensorFileError : a boolean tensor holds bytes other than 0 and 1, which numpy would count as it likes
        """
        entry = self._entries[name]
        array: Array = np.ndarray(entry.shape, entry.dtype, self._data, entry.start)
        if entry.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
            raise TensorFileError(f"holds bytes other than 0 and 1 in the BOOL tensor {shown(name)}")
        return array

    def raw(self, name: str) -> memoryview:
        """Return the bytes of one tensor, without copying."""
        entry = self._entries[name]
        return memoryview(self._data)[entry.start : entry.stop]


def open_file(path: Path) -> BinaryIO:
    """Open a tensor file of any format for reading.

    Raises
    ------
    TensorFileError : missing, not a regular file (opening a pipe would wait for its writer), unreadable, or a Git LFS
        pointer
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        file: BinaryIO | None = path.open("rb", buffering=0) if regular else None
        start = file.read(len(_LFS_START)) if file else b""
    except (FileNotFoundError, NotADirectoryError):
        raise TensorFileError("does not exist", cause="missing") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise TensorFileError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if file is None:
        raise TensorFileError("is not a regular file")
    if start == _LFS_START:
        file.close()
        raise TensorFileError("is a Git LFS pointer, not the data", cause="lfs_pointer")
    file.seek(0)
    return file


def _contents(path: Path) -> mmap.mmap | bytes:
    with open_file(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if size < 8:  # which also keeps the empty file from mmap, who refuses it
                raise TensorFileError(f"is truncated: {size} bytes")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if _MAPS_FILES else file.read()
        except OSError as error:
            raise TensorFileError(f"cannot be read: {error.strerror or error}") from None


def shown(value: object) -> str:
    """Write what a damaged file says on one line of bounded length."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _read_header(data: mmap.mmap | bytes) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise TensorFileError(f"is not a safetensors file: its header claims {length} bytes")
    if 8 + length > len(data):
        raise TensorFileError(f"is truncated: its header needs {8 + length} bytes, the file has {len(data)}")
    try:
        header = parse_json(data[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TensorFileError(f"has an unreadable header: {error}") from None
    if not isinstance(header, dict):
        raise TensorFileError("has a header that is not a JSON object")
    return header, 8 + length


def parse_json(text: str) -> Any:
    """Parse JSON as the standard has it: no NaN or Infinity, and no key twice, of which only one would count.

    Raises
    ------
    ValueError, RecursionError : it is not
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name appears twice")
    return mapping


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _string_map(value: Any) -> Mapping[str, str]:
    if value is None:  # the library reads null as no metadata
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TensorFileError("has metadata that is not a map of strings")
    return value


def _read_entries(header: dict[str, Any], data_start: int, size: int) -> dict[str, _Entry]:
    entries = {name: _read_entry(name, value, data_start) for name, value in header.items()}
    ordered = sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop))
    position = data_start
    for name, entry in ordered:
        if entry.start != position:
            raise TensorFileError(f"has a gap or an overlap before tensor {shown(name)}")
        position = entry.stop
    if position != size:
        word = "truncated" if position > size else "longer than its header says"
        raise TensorFileError(f"is {word}: {position} bytes expected, {size} found")
    return dict(ordered)


def _read_entry(name: str, value: Any, data_start: int) -> _Entry:
    try:
        dtype_name, shape, (start, stop) = value["dtype"], value["shape"], value["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise TensorFileError(f"describes tensor {shown(name)} incompletely") from None
    if not isinstance(dtype_name, str) or not isinstance(shape, list) or not _are_sizes((*shape, start, stop)):
        raise TensorFileError(f"describes tensor {shown(name)} with impossible numbers")
    dtype = dtype_from_name(dtype_name)
    if dtype is None:
        raise TensorFileError(f"holds tensor {shown(name)} of dtype {shown(dtype_name)}, which numpy cannot represent")
    # numpy refuses an empty array too when its other dimensions would overflow.
    span = math.prod(n or 1 for n in shape) * dtype.itemsize
    if stop - start != (0 if 0 in shape else span) or span >= 2**63 or len(shape) > _MAX_DIMENSIONS:
        raise TensorFileError(f"describes tensor {shown(name)} with a size that does not fit its shape")
    return _Entry(dtype, tuple(shape), data_start + start, data_start + stop)


def _are_sizes(numbers: Iterable[Any]) -> bool:
    return all(type(n) is int and 0 <= n < 2**63 for n in numbers)


def write_tensors(file: BinaryIO, tensors: Sequence[tuple[str, Array]], metadata: Mapping[str, str]) -> None:
    """Write tensors as one safetensors file; the same input gives the same bytes.

    Data is ordered by falling item size, then as given, so that every tensor is aligned for readers that map the file.

    Parameters
    ----------
    file : open for writing in binary mode
    tensors : names and arrays, of dtypes that `name_from_dtype` knows; any strides and byte order
    metadata : the `__metadata__` strings

    Raises
    ------
    StageError : a name that appears twice or is `__metadata__`, a dtype that the format lacks; nothing is written
    """
    ordered = sorted(tensors, key=lambda item: -item[1].dtype.itemsize)
    header: dict[str, Any] = {METADATA_NAME: dict(metadata)}
    position = 0
    for name, array in ordered:
        dtype_name = name_from_dtype(array.dtype)
        if dtype_name is None:
            raise StageError(f"stage {name!r} has dtype {array.dtype}, which a safetensors file cannot hold; cast it")
        if name in header:
            raise StageError(f"stage {name!r} would stand twice in one safetensors file; give each its own name")
        stop = position + array.nbytes
        header[name] = {"dtype": dtype_name, "shape": list(array.shape), "data_offsets": [position, stop]}
        position = stop
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, array in ordered:
        file.write(raw_bytes(array))


def raw_bytes(array: Array) -> memoryview:
    """Return the little-endian C-order bytes of an array, without a copy where it already has that layout."""
    if array.size == 0:
        return memoryview(b"")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
