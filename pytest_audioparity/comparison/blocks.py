"""Two arrays cut into the same blocks, in C order, without a copy of either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]
    Blocks = Iterator[tuple[int, Array, Array]]

# Long enough to hide the interpreter's cost per numpy call, short enough for two float64 buffers to stay in cache.
# Times are flat between 2^18 and 2^19 elements.
BLOCK = 1 << 18


def flat_blocks(expected: Array, actual: Array) -> Blocks:
    """Yield blocks of contiguous arrays, without copying, each with the flat index of its first element."""
    flat_e, flat_a = expected.reshape(-1), actual.reshape(-1)
    for place in range(0, flat_e.size, BLOCK):
        yield place, flat_e[place : place + BLOCK], flat_a[place : place + BLOCK]


def strided_blocks(expected: Array, actual: Array) -> Blocks:
    """Yield blocks in C order of arrays with any strides; the iterator copies a block at a time."""
    place = 0
    iterator = np.nditer([expected, actual], flags=["external_loop", "buffered"], order="C", buffersize=BLOCK)
    for block_e, block_a in iterator:
        yield place, block_e, block_a
        place += len(block_e)


def real_blocks(blocks: Blocks) -> Blocks:
    """Turn blocks of which one is complex into blocks of real and imaginary parts in turn."""
    for place, *sides in blocks:
        wide = [side if np.iscomplexobj(side) else side.astype(np.complex128) for side in sides]
        block_e, block_a = (np.ascontiguousarray(side).view(side.real.dtype) for side in wide)
        yield place, block_e, block_a
