"""Where along channels and time two arrays differ, in one more pass that is made for failing stages only.

The pass fills one small table of sums per (channel, piece of time); the two profiles are its margins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.blocks import BLOCK
from pytest_audioparity.comparison.decibels import deviation_db
from pytest_audioparity.comparison.values import scale_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import StageMeta

    Array = np.ndarray[Any, Any]

# More points than this along time say nothing more to a reader; longer stages are cut into equal pieces.
TIME_PIECES = 200


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
    table = np.zeros((5, channels, -(-frames // step)))
    scale = _scale(expected, actual)
    for rows, pieces, wide_e, wide_a in _blocks(*sides, step):
        _add(table[:, rows, pieces], wide_e, wide_a, scale)
    # Complex values count as two: their real and imaginary parts.
    size = expected.size * (2 if "c" in (expected.dtype.kind, actual.dtype.kind) else 1)
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


def _blocks(expected: Array, actual: Array, step: int) -> Iterator[tuple[slice, slice, Array, Array]]:
    """Yield blocks as float64 (channels, pieces, elements of a piece), with their places in the table."""
    *rest, channels, frames = expected.shape
    whole = frames // step
    rows = max(1, min(channels, BLOCK // step))
    pieces = max(1, BLOCK // (rows * step))
    cuts = [(start, min(start + pieces, whole), step) for start in range(0, whole, pieces)]
    if frames % step:
        cuts.append((whole, whole + 1, frames % step))
    for index in np.ndindex(*rest):
        for top in range(0, channels, rows):
            for first, last, length in cuts:
                where = (*index, slice(top, top + rows), slice(first * step, first * step + (last - first) * length))
                wide_e, wide_a = (_wide(side[where], last - first) for side in (expected, actual))
                yield slice(top, top + rows), slice(first, last), wide_e, wide_a


def _wide(block: Array, pieces: int) -> Array:
    parts = np.ascontiguousarray(block, np.complex128 if np.iscomplexobj(block) else np.float64).view(np.float64)
    return parts.reshape(len(block), pieces, -1)


def _add(table: Array, wide_e: Array, wide_a: Array, scale: float) -> None:
    if scale != 1.0:
        wide_e, wide_a = wide_e * scale, wide_a * scale
    difference = wide_a - wide_e
    for row, side in enumerate((wide_e, wide_a, difference)):
        table[row] += np.einsum("cpi,cpi->cp", side, side)
    table[4] += np.einsum("cpi->cp", difference)
    table[3] += np.einsum("cpi->cp", np.abs(difference, out=difference))
