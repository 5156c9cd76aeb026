"""Compressed weights of a Core ML program: the operations that make values of integers, palettes and masks.

Their definitions: https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html, constexpr.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.mapped import span_bytes
from pytest_audioparity.weights.quantised import along, dequantise, unpack
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Array = np.ndarray[Any, Any]

    Arguments = Mapping[str, Weight]

# Shapes and axes are a few numbers; more are not read while a file is only listed.
_MOST_DIMENSIONS = 64


def made(op: str, name: str, arguments: Arguments) -> Weight | None:
    """Return the weight that an operation makes of its constants, or None where it is not one that is read.

    Raises
    ------
    TensorFileError : its constants do not fit together
    """
    maker = _MAKERS.get(op)
    try:
        return None if maker is None else maker(name, arguments)
    except KeyError as error:
        raise TensorFileError(f"lacks the {error} of the compressed weight {name!r}") from None


def _affine(name: str, arguments: Arguments) -> Weight:
    values, axis = arguments["quantized_data"], int(_numbers(arguments["axis"])[0])
    scale, zero = arguments["scale"], arguments["zero_point"]

    def read() -> Array:
        factor, shift = (along(one.read(), values.shape, axis) for one in (scale, zero))
        return dequantise(values.read(), factor, shift)

    return Weight(name, values.shape, "float32", read, values.stored or values.dtype)


def _blockwise(name: str, arguments: Arguments) -> Weight:
    values, scale, offset = arguments["data"], arguments["scale"], arguments.get("offset")

    def read() -> Array:
        shift = None if offset is None else along(offset.read(), values.shape, 0)
        return dequantise(values.read(), along(scale.read(), values.shape, 0), shift)

    return Weight(name, values.shape, "float32", read, values.stored or values.dtype)


def _cast(name: str, arguments: Arguments) -> Weight:
    values = arguments["source_val"]
    return Weight(name, values.shape, "float32", lambda: values.read().astype(np.float32), values.dtype)


def _palette(name: str, arguments: Arguments) -> Weight:
    indices, palette = arguments["indices"], arguments["lut"]
    if "shape" in arguments:
        return _packed_palette(name, indices, palette, _shape(name, arguments["shape"], palette, indices))
    groups, (count, length) = palette.shape[:-2], palette.shape[-2:] if len(palette.shape) > 1 else (0, 0)
    rank = len(indices.shape)
    even = len(groups) == rank and all(g and n % g == 0 for g, n in zip(groups, indices.shape, strict=True))
    axis = int(_numbers(arguments["vector_axis"])[0]) if "vector_axis" in arguments else 0
    if not even or not count or not length or not -rank <= axis < rank:
        raise TensorFileError(f"has a palette of shape {palette.shape} for indices of shape {indices.shape}")
    shape = tuple(n * (length if i == axis % rank else 1) for i, n in enumerate(indices.shape))
    bits = max(count - 1, 1).bit_length()

    def read() -> Array:
        places = [np.arange(n) // (n // g) for n, g in zip(indices.shape, groups, strict=True)]
        group = np.ravel_multi_index(np.ix_(*places), groups) if 0 not in indices.shape else 0
        vectors = _chosen(palette.read().reshape(-1, count, length), group, indices.read())
        return np.moveaxis(vectors, -1, axis % rank + 1).reshape(shape)

    return Weight(name, shape, palette.dtype, read, f"lut{bits}")


def _chosen(palettes: Array, group: Any, indices: Array) -> Array:
    if indices.max(initial=0) >= palettes.shape[1]:
        raise TensorFileError(f"has an index {indices.max()} into a palette of {palettes.shape[1]}")
    vectors: Array = palettes[group, indices]
    return vectors


def _packed_palette(name: str, indices: Weight, palette: Weight, shape: tuple[int, ...]) -> Weight:
    count = math.prod(palette.shape)
    bits = (count - 1).bit_length()
    if not 1 <= bits <= 8:
        raise TensorFileError(f"has a palette of {count} values, where 2 to 256 are possible")

    def read() -> Array:
        chosen = unpack(indices.read().reshape(-1), bits, math.prod(shape))
        return _chosen(palette.read().reshape(1, count), 0, chosen).reshape(shape)

    return Weight(name, shape, palette.dtype, read, f"lut{bits}")


def _sparse(name: str, arguments: Arguments) -> Weight:
    values, mask = arguments["nonzero_data"], arguments["mask"]
    packed = "shape" in arguments
    shape = _shape(name, arguments["shape"], values, mask) if packed else mask.shape
    span_bytes(name, dtype_named(values.dtype), shape)

    def read() -> Array:
        lit = mask.read().reshape(-1)
        lit = (unpack(lit, 1, math.prod(shape)) if packed else lit).astype(bool)
        numbers = values.read().reshape(-1)
        if np.count_nonzero(lit) != numbers.size:
            raise TensorFileError(f"has {numbers.size} values for a mask of {np.count_nonzero(lit)}")
        dense = np.zeros(lit.size, numbers.dtype)
        dense[lit] = numbers
        return dense.reshape(shape)

    return Weight(name, shape, values.dtype, read, "sparse")


def _shape(name: str, value: Weight, values: Weight, packed: Weight) -> tuple[int, ...]:
    """Return a shape that a value holds; each byte of what is packed makes eight numbers at most."""
    shape = tuple(int(n) for n in _numbers(value))
    span_bytes(name, dtype_named(values.dtype), shape)
    if math.prod(shape) > 8 * math.prod(packed.shape):
        raise TensorFileError(f"claims more values for {name!r} than it holds")
    return shape


def _numbers(value: Weight) -> Array:
    if not 1 <= max(math.prod(value.shape), 1) <= _MOST_DIMENSIONS:
        raise TensorFileError(f"has a shape or an axis of {math.prod(value.shape)} numbers")
    numbers = value.read().reshape(-1)
    if not numbers.size or numbers.dtype.kind not in "iu":
        raise TensorFileError("has a shape or an axis that is no integer")
    return numbers


_MAKERS: Mapping[str, Callable[[str, Arguments], Weight]] = {
    "constexpr_affine_dequantize": _affine,
    "constexpr_blockwise_shift_scale": _blockwise,
    "constexpr_cast": _cast,
    "constexpr_lut_to_dense": _palette,
    "constexpr_sparse_to_dense": _sparse,
}
