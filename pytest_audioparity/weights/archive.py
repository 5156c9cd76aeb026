"""Zip archives (.npz, torch checkpoints, TorchScript), whose stored members are read where they lie in the file."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.mapped import Mapped
from pytest_audioparity.zipmembers import packing_problem, size_problem

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, length of the name, length of the extra field
_LOCAL_START = b"PK\x03\x04"
_STEP_BYTES = 1 << 20


class Archive:
    """A zip archive whose members are known by name.

    Parameters
    ----------
    path : the file

    Raises
    ------
    TensorFileError : missing or damaged

    Attributes
    ----------
    mapped : the file
    names : of its members, in the order of its directory
    """

    def __init__(self, path: Path) -> None:
        self.mapped = Mapped(path)
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        except Exception as error:  # zipfile raises a dozen classes over a damaged file
            raise TensorFileError(f"is a damaged zip archive: {str(error) or type(error).__name__}") from None
        self.names = tuple(self._members)

    def size(self, name: str) -> int:
        """Return how many bytes a member has.

        Raises
        ------
        TensorFileError : there is no such member, or it cannot have so many
        """
        member = self._member(name)
        if (problem := size_problem(member)) is not None:
            raise TensorFileError(problem)
        return member.file_size

    def place(self, name: str) -> int | None:
        """Return where in the file the bytes of a stored member start, or None when it is compressed.

        Raises
        ------
        TensorFileError : see `size`, or it lies outside the file
        """
        if self._member(name).compress_type != zipfile.ZIP_STORED:
            return None
        start = self._data_start(name)
        self.mapped.check(name, start, self.size(name))
        return start

    def view(self, name: str) -> Array:
        """Return the bytes of a member as a read-only array of uint8: of the file where it is stored, else unpacked.

        Raises
        ------
        TensorFileError : see `place`, or the compressed bytes are damaged
        """
        start = self.place(name)
        return self._unpacked(name) if start is None else self.mapped.view(start, self.size(name))

    def start(self, name: str, size_bytes: int) -> bytes:
        """Return the first bytes of a member, fewer where it has no more.

        Raises
        ------
        TensorFileError : see `view`
        """
        size = min(size_bytes, self.size(name))
        start = self.place(name)
        return self._unpacked(name, size).tobytes() if start is None else self.mapped.bytes(start, start + size)

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise TensorFileError(f"lacks the member {shown(name)}")
        member = self._members[name]
        if (problem := packing_problem(member)) is not None:
            raise TensorFileError(problem)
        return member

    def _data_start(self, name: str) -> int:
        offset = self._member(name).header_offset
        header = self.mapped.bytes(offset, offset + _LOCAL_HEADER.size) if offset >= 0 else b""
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_START):
            raise TensorFileError(f"is a damaged zip archive: {shown(name)} is not where its directory says")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        return int(offset + _LOCAL_HEADER.size + name_length + extra_length)

    def _unpacked(self, name: str, size: int | None = None) -> Array:
        start, member = self._data_start(name), self._member(name)
        self.mapped.check(name, start, member.compress_size)
        array = np.empty(self.size(name) if size is None else size, np.uint8)
        packed = memoryview(self.mapped.data)[start : start + member.compress_size]
        try:
            filled = _inflate(packed, array)
        except zlib.error as error:
            raise TensorFileError(f"holds {shown(name)} damaged: {error}") from None
        if filled < array.size or (size is None and zlib.crc32(array.data) != member.CRC):
            raise TensorFileError(f"holds {shown(name)} damaged: its checksum or length is wrong")
        array.flags.writeable = False
        return array


def _inflate(packed: memoryview, array: Array) -> int:
    """Fill an array with what deflated bytes hold, in bounded steps; return how many bytes came."""
    unpacker, filled = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for begin in range(0, len(packed), _STEP_BYTES):
        rest: bytes | memoryview = packed[begin : begin + _STEP_BYTES]
        while len(rest) and filled < array.size and not unpacker.eof:
            out = unpacker.decompress(rest, min(array.size - filled, _STEP_BYTES))
            array[filled : filled + len(out)] = np.frombuffer(out, np.uint8)
            filled += len(out)
            rest = unpacker.unconsumed_tail
    return filled
