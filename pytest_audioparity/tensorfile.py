"""The safetensors container, read without copying and written without gathering.

We read the format ourselves for three reasons: a golden is compared where it lies in the page cache (the library's
numpy reader copies every tensor), bfloat16 and float8 must come out as such, and a damaged file, a Git LFS pointer
and an empty file each deserve their own message. The bytes we write are ordinary safetensors; the tests hold both
directions against the library. Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import mmap
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_audioparity.errors import StageError, TensorFileError, shown
from pytest_audioparity.tensorbytes import are_sizes, as_array, fits
from pytest_audioparity.tensorbytes import dtype_from_name as dtype_from_name
from pytest_audioparity.tensorbytes import name_from_dtype as name_from_dtype
from pytest_audioparity.tensorbytes import raw_bytes as raw_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

Identity = tuple[int, int, int, int]
# safetensors refuses longer headers (its MAX_HEADER_SIZE); a wrong length field would otherwise ask for exabytes.
MAX_HEADER_BYTES = 100_000_000
METADATA_NAME = "__metadata__"
_LFS_START = b"version https://git-lfs"
# Windows does not replace a file that is mapped, and an update replaces the golden it has just read; there the file is
# read instead.
_MAPS_FILES = os.name != "nt"
# Smaller files are read: to map one and to wait for its pages takes longer up to here, and each mapping holds a file
# handle, of which a process may have as few as 256.
MAP_FROM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


class TensorFile:
    """A safetensors file, memory-mapped unless it is small. Tensors are read-only views in the order of their data.

    Parameters
    ----------
    path : the file

    Raises
    ------
    TensorFileError : missing, not a safetensors file, truncated, or a Git LFS pointer (see its `cause`)

    Attributes
    ----------
    identity : of the file that was opened, see `identity`
    metadata : the `__metadata__` strings
    """

    def __init__(self, path: Path) -> None:
        self._data, self.identity = contents(path)
        if len(self._data) < 8:
            raise TensorFileError(f"is truncated: {len(self._data)} bytes")
        header, data_start = _read_header(self._data)
        self.metadata = _string_map(header.pop(METADATA_NAME, None))
        self._entries = _read_entries(header, data_start, len(self._data))

    @property
    def names(self) -> tuple[str, ...]:
        """Tensor names in the order of their data."""
        return tuple(self._entries)

    @property
    def data(self) -> mmap.mmap | bytes:
        """The bytes of the file."""
        return self._data

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self._data)

    def tensor(self, name: str) -> Array:
        """Return one tensor as a read-only view of the file.

        Raises
        ------
        TensorFileError : a boolean tensor holds bytes other than 0 and 1, which numpy would count as it likes
        """
        entry = self._entries[name]
        return as_array(name, entry.dtype, entry.shape, self._data, entry.start)

    def raw(self, name: str) -> memoryview:
        """Return the bytes of one tensor, without copying."""
        entry = self._entries[name]
        return memoryview(self._data)[entry.start : entry.stop]


def open_file(path: Path) -> BinaryIO:
    """Open a tensor file of any format for reading.

    Raises
    ------
    TensorFileError : missing, a link to what is missing, not a regular file (opening a pipe would wait for its writer),
        unreadable, or a Git LFS pointer
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        file: BinaryIO | None = path.open("rb", buffering=0) if regular else None
        start = file.read(len(_LFS_START)) if file else b""
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():  # what keeps files elsewhere, as git-annex and DVC do, has not fetched it
            raise TensorFileError("is a link to a file that is not here", cause="link") from None
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


def contents(path: Path, *, map_from: int = MAP_FROM_BYTES) -> tuple[mmap.mmap | bytes, Identity]:
    """Return what a tensor file holds, memory-mapped if it is large, and the identity of the file that was opened.

    Parameters
    ----------
    path : the file
    map_from : the size in bytes from which files are mapped

    Raises
    ------
    TensorFileError : see `open_file`
    """
    with open_file(path) as file:
        try:
            status = os.fstat(file.fileno())
            if not _MAPS_FILES or status.st_size < map_from:
                return _read(file.fileno(), status.st_size), identity(status)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), identity(status)
        except OSError as error:
            raise TensorFileError(f"cannot be read: {error.strerror or error}") from None


def _read(descriptor: int, size: int) -> bytes:
    """Return what a file holds, at once if the system gives it so: `read()` of a file asks for its end as well."""
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def release_pages(data: mmap.mmap | bytes) -> None:
    """Let the system take back the pages of a mapped file that were read; views stay valid and read them again."""
    if isinstance(data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, where files are not mapped
        data.madvise(mmap.MADV_DONTNEED)


def identity(status: os.stat_result) -> Identity:
    """Return what tells a file from one that took its place: device, inode, time of change, size."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


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
    return _STRICT_JSON.decode(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name appears twice")
    return mapping


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


_STRICT_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)


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
    said = f"{position} bytes expected, {size} found"
    if position > size:
        raise TensorFileError(f"is truncated: {said}")
    if position < size:
        raise TensorFileError(f"is longer than its header says: {said}")
    return dict(ordered)


def _read_entry(name: str, value: Any, data_start: int) -> _Entry:
    try:
        dtype_name, shape, (start, stop) = value["dtype"], value["shape"], value["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise TensorFileError(f"describes tensor {shown(name)} incompletely") from None
    if not isinstance(dtype_name, str) or not isinstance(shape, list) or not are_sizes((*shape, start, stop)):
        raise TensorFileError(f"describes tensor {shown(name)} with impossible numbers")
    dtype = dtype_from_name(dtype_name)
    if dtype is None:
        raise TensorFileError(f"holds tensor {shown(name)} of dtype {shown(dtype_name)}, which numpy cannot represent")
    if not fits(dtype, shape, stop - start):
        raise TensorFileError(f"describes tensor {shown(name)} with a size that does not fit its shape")
    return _Entry(dtype, tuple(shape), data_start + start, data_start + stop)


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
