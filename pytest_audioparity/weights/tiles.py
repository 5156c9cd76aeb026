"""Two arrays of one shape, any strides, cut into the same blocks: no copy of either as a whole."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.blocks import BLOCK, flat_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Elements of a tile along its last axis: long enough for runs in memory on one side, short enough that the other side,
# which may be transposed, has runs as well.
_LAST = 512


def tiles(expected: Array, actual: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the same part of two arrays of equal shape, at most `BLOCK` elements at a time."""
    if expected.flags.c_contiguous and actual.flags.c_contiguous:
        for _, one, other in flat_blocks(expected, actual):
            yield one, other
        return
    for place in _places(expected.shape):
        yield expected[place], actual[place]


def blocks(array: Array) -> Iterator[Array]:
    """Yield all elements of one array in blocks, in no particular order."""
    for block, _ in tiles(array, array):
        yield block


def wide(block: Array) -> Array:
    """Return values as float64, of complex ones a mixture of both parts that tells different ones apart."""
    if block.dtype.kind == "c":
        return np.asarray(block.real + np.pi / 5 * block.imag, np.float64)
    return block.astype(np.float64)


def product(one: Array, other: Array) -> float:
    """Return the sum of products of two flat arrays; einsum, since BLAS starts threads for the smallest sizes."""
    return float(np.einsum("i,i->", one, other))


def _places(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    edges = [1] * len(shape)
    left = BLOCK
    for axis in range(len(shape) - 1, -1, -1):
        most = _LAST if axis == len(shape) - 1 and len(shape) > 1 else left
        edges[axis] = max(1, min(shape[axis], most, left))
        left //= edges[axis]
    starts = (range(0, size, edge) for size, edge in zip(shape, edges, strict=True))
    for place in itertools.product(*starts):
        yield tuple(slice(start, start + edge) for start, edge in zip(place, edges, strict=True))
