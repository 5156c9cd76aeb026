"""The bytes of each value in the other order, or from one byte further: buffers of Java, raw PCM, big-endian files.

Looked for before anything else, since floats that are read so are often NaN or infinite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.problem import strides
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Values that are looked at, and that have to be there: of zeros all bytes are the same.
_LOOKED_AT, _FEWEST = 1 << 12, 16
# Share of them that has to be right, and how near floats of other arithmetic are then.
_RIGHT, _NEAR = 0.99, 1e-3
# Full scale of 16-bit samples that were made floats, how near to integers they are then, and the steps by which
# rounding is off.
_SCALES, _ON_GRID, _STEPS = (32768.0, 32767.0), 0.01, 2.0


def find(expected: Array, actual: Array) -> Finding | None:
    """Return reshaped where actual has the bytes of expected in another order, within each value."""
    if expected.shape != actual.shape or not all(side.dtype.kind in "iuf" for side in (expected, actual)):
        return None
    e, a = _some(expected, actual)
    if np.count_nonzero(e) < _FEWEST:
        return None
    with np.errstate(all="ignore"):
        for how, read, near in _readings(e, a):
            share = float(np.mean(np.abs(read - e)[e != 0] <= near[e != 0]))
            if share >= _RIGHT and not float(np.mean(a[e != 0] == e[e != 0])) >= _RIGHT:
                message = (
                    f"actual has the bytes of expected {how}; check the byte order that buffers and raw files are "
                    "written and read with (of Java big-endian, where nothing is said), and where their data begin"
                )
                return Finding("reshaped", message, explains=share, detail={"bytes": how})
    return None


def _some(*sides: Array) -> list[Array]:
    """Return values of all sides at the same places: neighbours where no side has to be copied for it."""
    if all(side.flags.c_contiguous for side in sides):
        start = max(0, (sides[0].size - _LOOKED_AT) // 2)
        return [side.reshape(-1)[start : start + _LOOKED_AT] for side in sides]
    some = tuple(slice(None, None, step) for step in strides(sides[0].shape, _LOOKED_AT))
    return [np.ascontiguousarray(side[some]).reshape(-1) for side in sides]


def _readings(e: Array, a: Array) -> Iterator[tuple[str, Array, Array]]:
    """Yield how the bytes of actual may be meant, what they are then, and how near they have to be."""
    if e.dtype == a.dtype and e.dtype.itemsize > 1:
        wide = e.astype(np.float64)
        near = _NEAR * np.abs(wide) if e.dtype.kind == "f" else np.zeros(e.size)
        yield "in the other order", a.byteswap().astype(np.float64), near
        if e.dtype == np.int16:
            yield from _a_byte_off(a, 1.0, near)
    if a.dtype.kind == "f":
        for scale in _SCALES:
            samples = np.rint(a * scale)
            if np.abs(a * scale - samples).max() <= _ON_GRID and np.abs(samples).max() <= scale:
                pcm = samples.astype(np.int16)
                near = np.full(e.size, _STEPS / scale)
                yield "in the other order, as 16-bit samples", pcm.byteswap() / scale, near
                yield from _a_byte_off(pcm, scale, near)


def _a_byte_off(samples: Array, scale: float, near: Array) -> Iterator[tuple[str, Array, Array]]:
    """Yield 16-bit samples that were read from one byte further on, or one before; the last one is not known."""
    for word, step in (("later", 1), ("earlier", -1)):
        read = np.roll(samples.view(np.uint8), step).view(np.int16) / scale
        yield f"from a byte {word} on", read, near
