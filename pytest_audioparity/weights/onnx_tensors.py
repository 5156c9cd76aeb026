"""Tensors of an ONNX model: raw or typed data, outside files, sparse tensors, integers of four bits."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.folders import Beside
from pytest_audioparity.weights.mapped import Mapped, span_bytes
from pytest_audioparity.weights.quantised import packed_weight
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_audioparity.weights.protobuf import Message

    Array = np.ndarray[Any, Any]

# Numbers of onnx.TensorProto.DataType. Types of less than a byte follow with their bits.
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    24: "float8_e8m0fnu",
}
_PACKED = {21: ("uint4", 4), 22: ("int4", 4), 25: ("uint2", 2), 26: ("int2", 2)}
_STRING = 8
# Fields of TensorProto.
_DIMS, _TYPE, _SEGMENT, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 3, 8, 9, 13, 14
_FLOATS, _INT32S, _INT64S, _DOUBLES, _UINT64S = 4, 5, 7, 10, 11
_FIXED_FIELDS = {1: _FLOATS, 14: _FLOATS, 11: _DOUBLES, 15: _DOUBLES}
_VARINT_FIELDS = {7: _INT64S, 12: _UINT64S, 13: _UINT64S}
# A sparse tensor may be so many times larger than its whole file; a larger one is taken for a bomb.
_MOST_SPARSE = 64


class Tensors:
    """Reads tensors of one model, and the files of outside data that they name.

    Parameters
    ----------
    folder : of the model, which no outside file may leave
    size_bytes : of the model
    """

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._beside = Beside(folder)
        self._size_bytes = size_bytes

    def weight(self, proto: Message, name: str | None = None) -> Weight | None:
        """Return a TensorProto as a weight, or None where it holds texts.

        Raises
        ------
        TensorFileError : it is damaged, of an unknown type, or its data is not there
        """
        name = proto.text(_NAME) if name is None else name
        shape = tuple(int(n) for n in proto.integers(_DIMS))
        code = proto.integer(_TYPE)
        if code == _STRING:
            return None
        if _SEGMENT in proto or (code not in _DTYPES and code not in _PACKED):
            raise TensorFileError(f"holds tensor {shown(name)} of a type that is not read: {code}")
        if code in _PACKED:
            return self._packed(proto, name, shape, *_PACKED[code])
        dtype = dtype_named(_DTYPES[code])
        size_bytes = span_bytes(name, dtype, shape)
        place = self._place(proto, name, size_bytes)
        if place is not None:
            mapped, start = place
            return Weight(name, shape, dtype.name, lambda: mapped.array(name, dtype, shape, start))
        proto.check_holds(name, math.prod(shape))
        return Weight(name, shape, dtype.name, lambda: _typed(proto, code, dtype, shape))

    def _packed(self, proto: Message, name: str, shape: tuple[int, ...], stored: str, bits: int) -> Weight:
        def reader(size_bytes: int) -> Callable[[], Array]:
            place = self._place(proto, name, size_bytes)
            if place is not None:
                return partial(place[0].view, place[1], size_bytes)
            proto.check_holds(name, size_bytes)
            return lambda: proto.integers(_INT32S).astype(np.uint8)

        return packed_weight(name, shape, stored, bits, reader)

    def _place(self, proto: Message, name: str, size_bytes: int) -> tuple[Mapped, int] | None:
        """Return the file and the place of a tensor's bytes, or None where it has them in typed fields."""
        if proto.integer(_LOCATION) == 1:
            return self._outside_place(proto, name, size_bytes)
        if _RAW not in proto:
            return None
        start, stop = proto.last(_RAW)
        if stop - start != size_bytes:
            raise TensorFileError(f"holds tensor {shown(name)} with a size that does not fit its shape")
        return proto.document.mapped, start

    def _outside_place(self, proto: Message, name: str, size_bytes: int) -> tuple[Mapped, int]:
        entries = {entry.text(1): entry.text(2) for entry in proto.messages(_EXTERNAL)}
        numbers = [entries.get(key, default) for key, default in (("offset", "0"), ("length", str(size_bytes)))]
        if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
            raise TensorFileError(f"describes the place of tensor {shown(name)} with impossible numbers")
        offset, length = map(int, numbers)
        mapped = self._beside.open(entries.get("location", ""), f"tensor {shown(name)}")
        if length != size_bytes:
            raise TensorFileError(f"holds tensor {shown(name)} with a size that does not fit its shape")
        mapped.check(name, offset, length)
        return mapped, offset

    def sparse(self, proto: Message) -> Weight | None:
        """Return a SparseTensorProto as a weight of all its values, zeros included.

        Raises
        ------
        TensorFileError : it is damaged, or far larger than its file
        """
        values, indices = self.weight(proto.message(1)), self.weight(proto.message(2))
        shape = tuple(int(n) for n in proto.integers(3))
        if values is None or indices is None:
            return None
        dtype = dtype_named(values.dtype)
        if span_bytes(values.name, dtype, shape) > _MOST_SPARSE * self._size_bytes:
            raise TensorFileError(f"holds a sparse tensor {shown(values.name)} far larger than the file")
        return Weight(values.name, shape, values.dtype, lambda: _dense(values, indices, shape, dtype), "sparse")


def _typed(proto: Message, code: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if code in _FIXED_FIELDS:
        return proto.numbers_of(_FIXED_FIELDS[code], dtype, shape)
    values = proto.integers(_VARINT_FIELDS.get(code, _INT32S), shape)
    if dtype.kind in "iub":
        return values.astype(dtype)
    return values.astype(f"<u{dtype.itemsize}").view(dtype)  # the bits of a float


def _dense(values: Weight, indices: Weight, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    places, numbers = indices.read(), values.read().reshape(-1)
    try:
        if places.ndim == 2 and len(shape) != 1:
            places = np.ravel_multi_index(tuple(places.T), shape)
        dense = np.zeros(math.prod(shape), dtype)
        if places.min(initial=0) < 0:
            raise IndexError
        dense[places.reshape(-1)] = numbers
    except (IndexError, ValueError, TypeError):
        raise TensorFileError(f"holds a sparse tensor {shown(values.name)} whose indices do not fit it") from None
    return dense.reshape(shape)
