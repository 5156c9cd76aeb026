"""Quantised values: packed integers unpacked, scales and zero points applied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.mapped import span_bytes
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Array = np.ndarray[Any, Any]

# float32 holds integers of so many bytes exactly.
_EXACT_BYTES = 2


def unpack(data: Array, bits: int, count: int, *, signed: bool = False) -> Array:
    """Return the first `count` integers of `bits` bits each, packed into bytes from the lowest bit up.

    Parameters
    ----------
    data : uint8, of one dimension
    bits : 1 to 8
    count : of integers
    signed : whether they are in two's complement

    Returns
    -------
    uint8 or int8, of one dimension

    Raises
    ------
    TensorFileError : there are fewer bytes
    """
    if data.size * 8 < count * bits:
        raise TensorFileError(f"is truncated: {count} integers of {bits} bits need more than {data.size} bytes")
    if 8 % bits == 0:
        places = np.arange(0, 8, bits, dtype=np.uint8)
        values: Array = ((data[:, None] >> places) & np.uint8((1 << bits) - 1)).reshape(-1)[:count]
    else:
        lit = np.unpackbits(data, count=count * bits, bitorder="little").reshape(count, bits)
        values = np.packbits(lit, axis=1, bitorder="little").reshape(-1)
    if not signed:
        return values
    half = np.uint8(1 << (bits - 1))
    wide: Array = (values ^ half).astype(np.int16) - half
    return wide.astype(np.int8)


def packed_weight(
    name: str, shape: tuple[int, ...], stored: str, bits: int, reader: Callable[[int], Callable[[], Array]]
) -> Weight:
    """Return a tensor of integers of less than a byte as a weight.

    Parameters
    ----------
    stored : what it is of: int4, uint6 ...
    bits : of an integer
    reader : is given how many bytes the integers take, checks that they are there, and returns what reads them

    Raises
    ------
    TensorFileError : it cannot be of that shape, or what `reader` raises
    """
    signed = stored.startswith("int")
    dtype = np.dtype(np.int8 if signed else np.uint8)
    span_bytes(name, dtype, shape)
    count = math.prod(shape)
    read = reader(-(-count * bits // 8))
    return Weight(name, shape, dtype.name, lambda: unpack(read(), bits, count, signed=signed).reshape(shape), stored)


def dequantise(values: Array, scale: Array, zero_point: Array | None = None) -> Array:
    """Return ``(values - zero_point) * scale`` in float32; scale and zero point are already laid out to broadcast."""
    with np.errstate(all="ignore"):  # a scale may be infinite; what it makes is judged with the other values
        return _dequantised(values, scale, zero_point)


def _dequantised(values: Array, scale: Array, zero_point: Array | None) -> Array:
    wide: Any = np.float32 if values.dtype.itemsize <= _EXACT_BYTES else np.float64
    shifted = values.astype(wide)
    if zero_point is not None:
        shifted -= zero_point.astype(wide)
    shifted *= scale.astype(wide)
    return shifted.astype(np.float32, copy=False)


def along(parameter: Array, shape: Sequence[int], axis: int, block: int = 0) -> Array:
    """Lay out a scale or zero point so that it broadcasts over values of a shape.

    Parameters
    ----------
    parameter : one number, one number for each index of an axis, or an array of as many dimensions as the values, each
        of its numbers for one block of them
    shape : of the values
    axis : the axis of one number each, or of blocks
    block : their length where that is known; otherwise they divide the values evenly

    Raises
    ------
    TensorFileError : it fits in none of these ways
    """
    if parameter.size == 1:
        return parameter.reshape((1,) * len(shape))
    known = -len(shape) <= axis < len(shape)
    if parameter.ndim == 1 and known and parameter.size == shape[axis] and block in (0, 1):
        return parameter.reshape([-1 if i == axis % len(shape) else 1 for i in range(len(shape))])
    if parameter.ndim != len(shape) or (block and not known):
        raise TensorFileError(f"has a scale of shape {parameter.shape} for values of shape {tuple(shape)}")
    for index, (length, count) in enumerate(zip(shape, parameter.shape, strict=True)):
        if count not in (1, length):
            given = block if block and index == axis % len(shape) else 0
            parameter = _repeated(parameter, index, length, given or length // max(count, 1))
    return parameter


def _repeated(parameter: Array, axis: int, length: int, block: int) -> Array:
    """Repeat each number over its block; the last block may be shorter."""
    if block < 1 or -(-length // block) != parameter.shape[axis]:
        raise TensorFileError(f"has {parameter.shape[axis]} blocks of {block} for an axis of {length} values")
    places = np.minimum(np.arange(length) // block, parameter.shape[axis] - 1)
    repeated: Array = parameter.take(places, axis=axis)
    return repeated
