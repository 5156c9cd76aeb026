"""Tensors of a GGUF file, in which ports to ggml keep their weights, those in blocks of 4, 5 or 8 bits as their values.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; the blocks are those of ggml-common.h there.
Dimensions are stated fastest first, which is the other way round than numpy does.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.mapped import Mapped, span_bytes
from pytest_audioparity.weights.records import Weight, WeightFile

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_VERSIONS = (2, 3)
_MAGIC_BYTES = 4
# Types of metadata: the size of each that has one, and the two that hold others.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_ALIGNMENT_KEY, _ALIGNMENT = "general.alignment", 32
# A large vocabulary has 300 000 words, each with a score and its merges; a hostile file could have a billion.
_MOST_TEXTS = 5_000_000
_MOST_DEPTH = 4
_DTYPES = {
    0: "float32",
    1: "float16",
    24: "int8",
    25: "int16",
    26: "int32",
    27: "int64",
    28: "float64",
    30: "bfloat16",
}
# Values of one block, which share a scale.
_BLOCK = 32


@dataclass(frozen=True, slots=True)
class _Quantisation:
    """How a block holds its values: a scale, perhaps a least value, the fifth bits, then integers.

    Attributes
    ----------
    stored : how reports call it
    bits : of an integer
    offset : what is taken from an integer, where the block has no least value
    has_least : whether it has one
    """

    stored: str
    bits: int
    offset: int = 0
    has_least: bool = False

    @property
    def size_bytes(self) -> int:
        return 2 + 2 * self.has_least + _BLOCK * self.bits // 8


_QUANTISED = {
    2: _Quantisation("int4", 4, 8),
    3: _Quantisation("uint4", 4, has_least=True),
    6: _Quantisation("int5", 5, 16),
    7: _Quantisation("uint5", 5, has_least=True),
    8: _Quantisation("int8", 8),
}
# Of others, by their number, the names that people know them by.
_OTHERS = {10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL", 23: "IQ4_XS", 39: "MXFP4"}


class _Header:
    """The part of a file before its tensors, read from front to back."""

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped
        self._texts = 0
        self.position = _MAGIC_BYTES

    def skip(self, size_bytes: int) -> int:
        """Step over some bytes and return where they begin."""
        start = self.position
        if size_bytes > len(self._mapped) - start:
            raise TensorFileError("is a truncated GGUF file: it ends within its header")
        self.position += size_bytes
        return start

    def number(self, form: str) -> int:
        """Return the next integer."""
        size = struct.calcsize(form)
        start = self.skip(size)
        return int(struct.unpack(f"<{form}", self._mapped.bytes(start, start + size))[0])

    def text(self) -> str:
        """Return the next text."""
        start = self._text()
        return self._mapped.bytes(start, self.position).decode("utf-8", "replace")

    def _text(self) -> int:
        self._texts += 1
        if self._texts > _MOST_TEXTS:
            raise TensorFileError(f"is no GGUF file that is read: it has more than {_MOST_TEXTS} texts")
        return self.skip(self.number("Q"))

    def skip_value(self, kind: int, depth: int = 0) -> None:
        """Step over a value of the metadata."""
        if kind in _SIZES:
            self.skip(_SIZES[kind])
        elif kind == _STRING:
            self._text()
        elif kind == _ARRAY and depth < _MOST_DEPTH:
            inner, count = self.number("I"), self.number("Q")
            if inner in _SIZES:
                self.skip(_SIZES[inner] * count)
            else:
                for _ in range(count):
                    self.skip_value(inner, depth + 1)
        else:
            raise TensorFileError(f"is a damaged GGUF file: its metadata has a value of type {kind}")


def read(path: Path) -> WeightFile:
    """Read a file.

    Raises
    ------
    TensorFileError : missing or damaged, or quantised in a way that is not read
    """
    mapped = Mapped(path)
    header = _Header(mapped)
    version = header.number("I")
    if version not in _VERSIONS:
        raise TensorFileError(f"is a GGUF file of version {version}, of which {_VERSIONS} are read, little-endian")
    tensors, values = header.number("Q"), header.number("Q")
    alignment = _alignment(header, values)
    described = [_described(header) for _ in range(tensors)]
    start = -(-header.position // alignment) * alignment
    weights = tuple(_weight(mapped, *one, start) for one in described)
    return WeightFile(path, "gguf", weights)


def _alignment(header: _Header, values: int) -> int:
    """Step over the metadata, and return what it says of where tensors begin."""
    alignment = _ALIGNMENT
    for _ in range(values):
        key, kind = header.text(), header.number("I")
        if key == _ALIGNMENT_KEY and kind == _UINT32:
            alignment = header.number("I")
        else:
            header.skip_value(kind)
    if not alignment:
        raise TensorFileError("is a damaged GGUF file: its tensors are aligned to 0 bytes")
    return alignment


def _described(header: _Header) -> tuple[str, tuple[int, ...], int, int]:
    """Return name, shape, type and offset of the next tensor."""
    name, dimensions = header.text(), header.number("I")
    header.skip(8 * dimensions)
    header.position -= 8 * dimensions
    shape = tuple(header.number("Q") for _ in range(dimensions))[::-1]
    return name, shape, header.number("I"), header.number("Q")


def _weight(mapped: Mapped, name: str, shape: tuple[int, ...], kind: int, offset: int, start: int) -> Weight:
    if kind in _DTYPES:
        dtype = dtype_named(_DTYPES[kind])
        mapped.check(name, start + offset, span_bytes(name, dtype, shape))
        return Weight(name, shape, dtype.name, partial(mapped.array, name, dtype, shape, start + offset))
    if kind not in _QUANTISED:
        known = _OTHERS.get(kind, f"type {kind}")
        raise TensorFileError(f"holds tensor {shown(name)} as {known}, which is not read; convert it as F16 or Q8_0")
    how = _QUANTISED[kind]
    if not shape or shape[-1] % _BLOCK:
        raise TensorFileError(f"describes tensor {shown(name)} with rows that are no whole blocks of {_BLOCK}")
    span_bytes(name, np.dtype(np.float32), shape)  # which must be possible
    packed = (*shape[:-1], shape[-1] // _BLOCK * how.size_bytes)
    mapped.check(name, start + offset, span_bytes(name, np.dtype(np.uint8), packed))

    def values() -> Array:
        blocks = mapped.array(name, np.dtype(np.uint8), packed, start + offset).reshape(-1, how.size_bytes)
        return _dequantised(blocks, how).reshape(shape)

    return Weight(name, shape, "float32", values, how.stored)


def _dequantised(blocks: Array, how: _Quantisation) -> Array:
    """Return the values of blocks, one row for each."""
    scale, least = blocks[:, :2], blocks[:, 2:4]
    with np.errstate(all="ignore"):  # a scale may be infinite; what it makes is judged with the other values
        values: Array = _integers(blocks, how) * _half(scale)
        return values + _half(least) if how.has_least else values


def _half(pair: Array) -> Array:
    half: Array = np.ascontiguousarray(pair).view("<f2").astype(np.float32)
    return half


def _integers(blocks: Array, how: _Quantisation) -> Array:
    """Return the integers of blocks as float32: the low halves of all bytes come first, then the high ones."""
    if how.bits == 8:
        return np.ascontiguousarray(blocks[:, -_BLOCK:]).view(np.int8).astype(np.float32)
    packed = blocks[:, -_BLOCK // 2 :]
    integers: Array = np.concatenate((packed & np.uint8(15), packed >> np.uint8(4)), axis=1)
    if how.bits == 5:
        place = 2 + 2 * how.has_least
        fifth = np.unpackbits(blocks[:, place : place + _BLOCK // 8], axis=1, bitorder="little")
        integers = integers | (fifth << np.uint8(4))
    centred: Array = integers.astype(np.float32) - np.float32(how.offset)
    return centred
