"""Where along channels and time two arrays differ, in one more pass that is made for failing stages only.

The pass fills one small table of sums per (channel, piece of time); the two profiles are its margins.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.blocks import BLOCK
from pytest_audioparity.comparison.decibels import deviation_db
from pytest_audioparity.comparison.scales import scale_for
from pytest_audioparity.comparison.values import sums_of_squares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import StageMeta

    Array = np.ndarray[Any, Any]

# More points than this along time say nothing more to a reader; longer stages are cut into equal pieces.
TIME_PIECES = 200
# Below, to call BLAS for each of many short pieces takes longer than their sum.
_FEWEST_FOR_BLAS = 64


@np.errstate(over="ignore")  # a difference at the ends of float64 is infinite, as in the kernel
def profiles(expected: Array, actual: Array, meta: StageMeta) -> dict[str, Any]:
    """Return deviations along the axes C and T, as far as they are declared.

    Parameters
    ----------
    expected, actual : finite arrays of equal shape, at least one element
    meta : kind, unit and axes

    Returns
    -------
    `per_channel` and `bias_per_channel` (signed mean difference) for an axis C; for an axis T `over_time`, of equal
    pieces of `time_piece` frames each. Deviations are in dB
    """
    axes = meta.axes or ""
    if not set(axes) & {"C", "T"}:
        return {}
    sides = _channels_and_time(expected, axes), _channels_and_time(actual, axes)
    *_, channels, frames = sides[0].shape
    step = -(-frames // TIME_PIECES)
    # Complex values count as two: their real and imaginary parts.
    parts = 2 if "c" in (expected.dtype.kind, actual.dtype.kind) else 1
    size = expected.size * parts
    dtype = np.dtype(np.complex128 if parts == 2 else np.float64)
    buffers = np.empty((2, parts * step * math.prod(_block_shape(channels, step))))
    table = np.zeros((5, channels, -(-frames // step)))
    scale = _scale(expected, actual)
    for where, pieces in _cuts(sides[0].shape, step):
        count = pieces.stop - pieces.start
        wide_e, wide_a = (_wide(side[where], count, dtype, buffer) for side, buffer in zip(sides, buffers, strict=True))
        _add(table[:, where[-2], pieces], wide_e, wide_a, scale, absolute=meta.kind == "log_spectrum")
    found: dict[str, Any] = {}
    if "C" in axes:
        counts = np.full(channels, size / channels)
        found["per_channel"] = _margin(table.sum(axis=2), counts * scale, meta)
        found["bias_per_channel"] = (table[4].sum(axis=1) / counts / scale).tolist()
    if "T" in axes:
        lengths = np.diff([*range(0, frames, step), frames])
        found["time_piece"] = step
        found["over_time"] = _margin(table.sum(axis=1), size / frames * lengths * scale, meta)
    return found


def _margin(sums: Array, counts: Array, meta: StageMeta) -> list[float]:
    """Return the deviations of one margin of the table, whose counts are multiplied with its scale."""
    means = (sums[3] / counts).tolist()
    return [deviation_db((e, a, d), mean, meta) for e, a, d, mean in zip(*sums[:3].tolist(), means, strict=True)]


def _scale(expected: Array, actual: Array) -> float:
    """Return the scale for both sides, which is 1 for types whose squares stay within float64."""
    parts = [
        part for side in (expected, actual) for part in ((side.real, side.imag) if side.dtype.kind == "c" else (side,))
    ]
    if max(part.dtype.itemsize for part in parts) < 8:
        return 1.0
    return scale_for(max(abs(float(bound)) for part in parts for bound in (part.min(), part.max())))


def _channels_and_time(array: Array, axes: str) -> Array:
    """View an array with its channels and frames last; an axis that is not declared has length 1."""
    for letter in "CT":
        if letter not in axes:
            array, axes = array[..., np.newaxis], axes + letter
    return np.moveaxis(array, (axes.index("C"), axes.index("T")), (-2, -1))


def _cuts(shape: tuple[int, ...], step: int) -> Iterator[tuple[Any, ...]]:
    """Yield the places of blocks, as they are indexed: leading axes, channels, frames; and how many pieces each has."""
    *rest, channels, frames = shape
    whole = frames // step
    rows, pieces = _block_shape(channels, step)
    cuts = [(start, min(start + pieces, whole), step) for start in range(0, whole, pieces)]
    if frames % step:
        cuts.append((whole, whole + 1, frames % step))
    for index in np.ndindex(*rest):
        for top in range(0, channels, rows):
            for first, last, length in cuts:
                span = slice(first * step, first * step + (last - first) * length)
                yield (*index, slice(top, min(top + rows, channels)), span), slice(first, last)


def _block_shape(channels: int, step: int) -> tuple[int, int]:
    """Return how many channels and how many pieces of time a block has."""
    rows = max(1, min(channels, BLOCK // step))
    return rows, max(1, BLOCK // (rows * step))


def _wide(block: Array, pieces: int, dtype: np.dtype[Any], buffer: Array) -> Array:
    """Copy a block as float64 (channels, pieces, elements of a piece) into a buffer that stays in cache."""
    copy = buffer.view(dtype)[: block.size].reshape(block.shape)
    np.copyto(copy, block)
    wide: Array = copy.view(np.float64).reshape(len(block), pieces, -1)
    return wide


def _add(table: Array, wide_e: Array, wide_a: Array, scale: float, *, absolute: bool) -> None:
    """Add the sums of a block, whose buffers are overwritten."""
    if scale != 1.0:
        wide_e *= scale
        wide_a *= scale
    table[0] += _squares(wide_e)
    table[1] += _squares(wide_a)
    difference = np.subtract(wide_a, wide_e, out=wide_a)
    table[2] += _squares(difference)
    table[4] += np.einsum("cpi->cp", difference)
    if absolute:
        table[3] += np.einsum("cpi->cp", np.abs(difference, out=difference))


def _squares(pieces: Array) -> Array:
    if pieces.shape[-1] < _FEWEST_FOR_BLAS:
        return np.asarray(np.einsum("cpi,cpi->cp", pieces, pieces))
    return sums_of_squares(pieces)
