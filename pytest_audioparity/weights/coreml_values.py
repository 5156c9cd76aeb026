"""Constant values of a Core ML program: written in place, or kept in a file of weights beside the model."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.folders import Beside
from pytest_audioparity.weights.mapped import Mapped, span_bytes
from pytest_audioparity.weights.quantised import packed_weight
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from pytest_audioparity.weights.protobuf import Message

    Array = np.ndarray[Any, Any]

# Numbers of MIL's DataType: whole bytes, then parts of one with their bits.
_DTYPES = {
    1: "bool",
    10: "float16",
    11: "float32",
    12: "float64",
    13: "bfloat16",
    21: "int8",
    22: "int16",
    23: "int32",
    24: "int64",
    31: "uint8",
    32: "uint16",
    33: "uint32",
    34: "uint64",
    40: "float8_e4m3fn",
    41: "float8_e5m2",
}
_PACKED = {25: ("int4", 4), 35: ("uint4", 4), 36: ("uint2", 2), 37: ("uint1", 1), 38: ("uint6", 6), 39: ("uint3", 3)}
_STRING = 2
# Fields of Value, of TensorValue, and how TensorValue holds each type that is not in bytes.
_TYPE, _IMMEDIATE, _BLOB = 2, 3, 5
_BYTES = 7
_FIXED_FIELDS = {"float32": 1, "float64": 6}
_VARINT_FIELDS = {"int32": 2, "bool": 3, "int64": 5}
_MODEL_FOLDER = "@model_path/"
# A blob's header: sentinel, its type, its size in bytes and where its bytes start; from coremltools' StorageFormat.hpp.
_BLOB_HEADER = struct.Struct("<IIQQ")
_BLOB_SENTINEL = 0xDEADBEEF


class Values:
    """Reads the values of one model.

    Parameters
    ----------
    folder : of the model's file, which no file of weights may leave
    """

    def __init__(self, folder: Path) -> None:
        self._beside = Beside(folder, _MODEL_FOLDER)

    def weight(self, name: str, value: Message) -> Weight | None:
        """Return a Value as a weight, or None where it is no tensor of numbers of known shape.

        Raises
        ------
        TensorFileError : it is damaged, or its file of weights is not there
        """
        kind = value.message(_TYPE).message(1)
        shape = tuple(dimension.message(1).integer(1) for dimension in kind.messages(3))
        code = kind.integer(1)
        if code in _PACKED:
            stored, bits = _PACKED[code]
            return self._packed(name, value, shape, stored, bits)
        if code not in _DTYPES:
            if code != _STRING and _BLOB in value:
                raise TensorFileError(f"holds tensor {shown(name)} of a type that is not read: {code}")
            return None
        dtype = dtype_named(_DTYPES[code])
        place = self._place(name, value, span_bytes(name, dtype, shape))
        if place is not None:
            mapped, start = place
            return Weight(name, shape, dtype.name, lambda: mapped.array(name, dtype, shape, start))
        value.check_holds(name, math.prod(shape))
        return Weight(name, shape, dtype.name, lambda: _immediate(value, dtype, shape))

    def _packed(self, name: str, value: Message, shape: tuple[int, ...], stored: str, bits: int) -> Weight:
        def reader(size_bytes: int) -> Callable[[], Array]:
            place = self._place(name, value, size_bytes)
            if place is None:
                value.check_holds(name, size_bytes)

            def read() -> Array:
                mapped, start = place or _immediate_place(value, size_bytes)
                return mapped.view(start, size_bytes)

            return read

        return packed_weight(name, shape, stored, bits, reader)

    def _place(self, name: str, value: Message, size_bytes: int) -> tuple[Mapped, int] | None:
        """Return the file of weights and the place in it, or None where the values stand in the model itself."""
        if _BLOB not in value:
            return None
        blob = value.message(_BLOB)
        mapped, offset = self._beside.open(blob.text(1), "weights"), blob.integer(2)
        mapped.check(name, offset, _BLOB_HEADER.size)
        sentinel, _, size, start = _BLOB_HEADER.unpack(mapped.bytes(offset, offset + _BLOB_HEADER.size))
        if sentinel != _BLOB_SENTINEL or size != size_bytes:
            raise TensorFileError(f"is damaged: its file of weights does not hold {shown(name)} where the model says")
        mapped.check(name, start, size)
        return mapped, start


def _immediate_place(value: Message, size_bytes: int) -> tuple[Mapped, int]:
    start, stop = value.message(_IMMEDIATE).message(1).message(_BYTES).last(1)
    if stop - start != size_bytes:
        raise TensorFileError(f"holds {stop - start} bytes where the shape of a tensor needs {size_bytes}")
    return value.document.mapped, start


def _immediate(value: Message, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    tensor = value.message(_IMMEDIATE).message(1)
    if dtype.name in _FIXED_FIELDS:
        return tensor.message(_FIXED_FIELDS[dtype.name]).numbers_of(1, dtype, shape)
    if dtype.name in _VARINT_FIELDS:
        return tensor.message(_VARINT_FIELDS[dtype.name]).integers(1, shape).astype(dtype)
    mapped, start = _immediate_place(value, math.prod(shape) * dtype.itemsize)
    return mapped.array("", dtype, shape, start)
