"""Whether values lie on a coarse grid, the reference's values rounded to it: int8, int4, palettes.

The grid is found from the values alone, since a file that was dequantised does not state it: of the whole tensor, of
every index of an axis, or of every so many values in a row. Then every value of the reference must lie within half a
step of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# 8 bits to 2 bits: what is called quantised here.
_MOST_LEVELS, _LEAST_LEVELS = 256, 4
# Sizes of the groups that share a scale: MLX, GPTQ, ONNX MatMulNBits, Core ML blocks.
_GROUPS = (256, 128, 64, 32, 16)
# Values that the step is estimated from, per group.
_SAMPLE = 2048
# A value is on the grid within this share of a step; dequantising in half precision adds up to 256 half units.
_OFF, _OFF_FP16 = 0.02, 0.145
# Chance, as a power of ten, that values not made on a grid look as if they were.
_CERTAIN = -9.0
# Calibration cuts off this share of the values at most, at the ends of the range.
_CLIPPED = 1e-3
# Where so few values are not the nearest of a grid, it is the grid, and these are wrong.
_FEW = 0.05
# Bits of the quantisers whose range is tried where groups have too few values to show a step.
_BITS = (4, 5, 6, 7, 8)
# Ranges that are tried for each group, as a power of ten, which is that much less evidence.
_TRIED = math.log10(5 + 5 * len(_BITS))
# Slack on half a step, for a step that is only estimated and a dequantisation in float32.
_SLACK = 1.04
# A scale that is kept in half precision was divided by before it was rounded (ggml's blocks): half a unit in its last
# place, which is that of each value as well. At 127 steps of an 8-bit block it is 0.06 of a step. Of values further
# than all levels from zero, which vary by less than half precision tells apart, it would allow any.
_HALF_SCALE = 2.0**-11
# Tensors beyond this are judged on a palette by their distinct values only after a sample says that there are few.
_PALETTE_SAMPLE = 1 << 16
# Levels of 4 bits that groups share up to a factor, and how near the shares of the largest come to them: in single
# precision, and where both were rounded to 16 bits.
_MOST_SHARED = 16
_LEVEL, _LEVEL_HALF = 1e-5, 2.0**-6
# Groups without which any few values would be levels of their own.
_LEAST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class _Grid:
    """Per group of values: where the grid starts and its step; a step of 0 where a group has one value only."""

    start: Array
    step: Array
    levels: int


def quantised(expected: Array, actual: Array, stored: str | None) -> dict[str, Any] | None:
    """Return what is known of the grid that actual lies on, expected rounded to it; None if it does not.

    Parameters
    ----------
    expected, actual : arrays of one shape, known to be alike
    stored : how the file holds actual
    """
    said = {} if stored is None else {"stored": stored}
    off = _OFF_FP16 if _is_half(actual) else _OFF
    certain = _CERTAIN if stored is None else math.inf  # the file says that there is a grid
    for label, axis, width in _groupings(actual):
        # A few groups first: most groupings are wrong, and the arrays may be large.
        if _fit(_some(_split(actual, axis, width)), off, certain / 3) is None:
            continue
        a, e = (_flat(_split(side, axis, width)) for side in (actual, expected))
        grid = _fit(a, off, certain)
        if grid is None:
            continue
        beyond = _beyond(e, a, grid, off)
        if beyond == 0:
            step = grid.step[grid.step > 0]
            return {**said, "grid": label, "step": float(np.median(step)), "bits": _bits(grid.levels)}
        if beyond < _FEW:
            return None  # that is the grid: groups of few values would only excuse those that are wrong
    return _palette(expected, actual, said) or _scaled_palette(expected, actual, said)


def _groupings(array: Array) -> Iterator[tuple[str, int | None, int]]:
    """Yield what may share a step: label, the axis, and the number of values; 0 where an index is a group."""
    yield "one for the tensor", None, 0
    axes = range(array.ndim) if array.ndim > 1 else ()
    for axis in axes:
        yield f"one for each index of axis {axis}", axis, 0
    for axis in range(array.ndim - 1, -1, -1):
        for width in _GROUPS:
            if array.shape[axis] > width and array.shape[axis] % width == 0:
                yield f"one for every {width} values along axis {axis}", axis, width


def _split(array: Array, axis: int | None, width: int) -> tuple[Array, int]:
    """Return a view whose first axes number the groups, and how many of them do."""
    if axis is None:
        return array[np.newaxis], 1
    if not width:
        return np.moveaxis(array, axis, 0), 1
    moved = np.moveaxis(array, axis, -1)
    return moved.reshape(*moved.shape[:-1], moved.shape[-1] // width, width), moved.ndim


def _flat(split: tuple[Array, int]) -> Array:
    """Return one row per group."""
    view, count = split
    rows: Array = np.ascontiguousarray(view).reshape(math.prod(view.shape[:count]), -1)
    return rows


def _some(split: tuple[Array, int]) -> Array:
    """Return a few of the rows, from all over the array."""
    view, count = split
    shape = view.shape[:count]
    chosen = np.unique(np.linspace(0, math.prod(shape) - 1, 8).astype(int))
    rows = view[np.unravel_index(chosen, shape)]
    if rows.size > _PALETTE_SAMPLE * len(rows):
        rows = rows[(slice(None),) + (slice(0, 256),) * (rows.ndim - 1)]
    flat: Array = np.ascontiguousarray(rows).reshape(len(rows), -1)
    return flat


def _is_half(a: Array) -> bool:
    with np.errstate(over="ignore"):
        sample = a[tuple(slice(0, 16) for _ in a.shape)]
        return a.dtype.name == "float16" or bool((sample.astype(np.float16) == sample).all())


def _fit(a: Array, off: float, certain: float) -> _Grid | None:
    """Return the grid of every group, or None when some group lies on none, or too little speaks for it."""
    picked = a[:, np.unique(np.linspace(0, a.shape[1] - 1, min(_SAMPLE, a.shape[1])).astype(int))].astype(np.float64)
    picked.sort(axis=1)
    span = picked[:, -1] - picked[:, 0]
    gaps = np.diff(picked, axis=1)
    gaps[gaps <= 1e-3 * span[:, None] / _MOST_LEVELS] = 0
    distinct = (gaps > 0).sum(axis=1) + (span >= 0)
    varied = span > 0
    if not varied.any():
        return None
    step, found = _matched(picked, span, _counted(gaps), off, np.zeros(len(a)), ~varied)
    # The coarsest range that explains the rest: any finer one that holds it as a part would as well.
    chosen = (_matched(picked, span, _chosen(picked, span, bits), off, step, found) for bits in _BITS)
    if not found.all():
        step, found = next((one for one in chosen if one[1].all()), (step, found))
    if not found.all():
        return None
    evidence = float((np.maximum(0, distinct[varied] - 2) * math.log10(2 * off) + _TRIED).sum())
    if evidence > certain:
        return None
    levels = int(np.round(np.divide(span, step, out=np.zeros(len(a)), where=step > 0)).max()) + 1
    return _Grid(picked[:, 0].copy(), step, levels)


def _matched(
    picked: Array, span: Array, counts: Iterator[Array], off: float, step: Array, found: Array
) -> tuple[Array, Array]:
    """Return the step of each group, and which have one, where the first of some counts of steps puts all on a grid."""
    step, found = step.copy(), found.copy()
    for count in counts:
        left = np.flatnonzero(~found & (count > 0) & (count < _MOST_LEVELS))
        tried = span[left] / count[left]
        places = (picked[left] - picked[left, :1]) / tried[:, None]
        left = left[np.abs(places - np.round(places)).max(axis=1) <= off]
        step[left], found[left] = span[left] / count[left], True
        if found.all():
            break
    return step, found


def _counted(gaps: Array) -> Iterator[Array]:
    """Yield how many steps the range of each group may have, as its smallest gaps say."""
    smallest = np.where(gaps > 0, gaps, np.inf).min(axis=1, initial=np.inf)
    # Rounded to half precision the smallest of many gaps is too small, their mean is not.
    small = (gaps > 0) & (gaps < 1.5 * smallest[:, None])
    mean = np.divide(gaps.sum(axis=1, where=small), small.sum(axis=1), out=np.ones(len(gaps)), where=small.any(axis=1))
    for divisor in (1, 2, 3):
        yield np.round(gaps * divisor / mean[:, None]).sum(axis=1)
    for more in (-1, 1):  # one wide gap may be rounded to a step too few
        yield np.round(gaps / mean[:, None]).sum(axis=1) + more


def _chosen(picked: Array, span: Array, bits: int) -> Iterator[Array]:
    """Yield how many steps the range of each group has where a quantiser of so many bits chose them."""
    largest = np.abs(picked[:, [0, -1]]).max(axis=1)
    for levels in ((1 << (bits - 1)) - 1, 1 << (bits - 1), (1 << bits) - 1):
        yield np.round(np.divide(span * levels, largest, out=np.zeros(len(span)), where=largest > 0))
    for levels in ((1 << bits) - 1, (1 << bits) - 2):
        yield np.full(len(span), float(levels))


def _beyond(e: Array, a: Array, grid: _Grid, off: float) -> float:
    """Return the share of values that are not the nearest of the grid, but for a few clipped; 1 where it is no grid."""
    rows = max(1, (1 << 18) // a.shape[1])
    clipped = wrong = 0
    # A group of one value has no step of its own: it may be off as far as the finest of the others.
    lone = float(grid.step[grid.step > 0].min())
    for first in range(0, len(a), rows):
        part = slice(first, first + rows)
        exact, given = e[part].astype(np.float64), a[part].astype(np.float64)
        step = np.where(grid.step[part] > 0, grid.step[part], lone)[:, None]
        places = (given - grid.start[part][:, None]) / step
        if np.abs(places - np.round(places)).max(initial=0.0) > off:
            return 1.0
        rounded = _HALF_SCALE * np.minimum(np.abs(given), _MOST_LEVELS * step)
        far = np.abs(given - exact) > (0.5 * _SLACK + off) * step + rounded
        ends = (given <= given.min(axis=1, keepdims=True)) & (exact < given)
        ends |= (given >= given.max(axis=1, keepdims=True)) & (exact > given)
        wrong += int(np.count_nonzero(far & ~ends))
        clipped += int(np.count_nonzero(far & ends & (np.abs(given - exact) > 1.5 * step)))
    return (wrong + (clipped if clipped > _CLIPPED * a.size else 0)) / a.size


def _palette(expected: Array, actual: Array, said: dict[str, Any]) -> dict[str, Any] | None:
    """Whether actual has few distinct values and each is the one nearest to its expected value."""
    flat_a, flat_e = (np.ascontiguousarray(side).reshape(-1) for side in (actual, expected))
    values = np.unique(flat_a[:_PALETTE_SAMPLE].astype(np.float64))
    if not _LEAST_LEVELS <= len(values) <= _MOST_LEVELS or 4 * len(values) > flat_a.size:
        return None
    values = np.unique(flat_a.astype(np.float64))
    if len(values) > _MOST_LEVELS or 4 * len(values) > flat_a.size:
        return None
    middles = (values[1:] + values[:-1]) / 2
    for first in range(0, flat_a.size, 1 << 18):
        exact, given = (side[first : first + (1 << 18)].astype(np.float64) for side in (flat_e, flat_a))
        nearest = values[np.searchsorted(middles, exact)]
        error, best = np.abs(given - exact), np.abs(nearest - exact)
        if (error > best * 1.01 + 1e-6 * float(np.ptp(values))).any():
            return None
    return {**said, "grid": "a palette", "values": len(values), "bits": _bits(len(values))}


def _scaled_palette(expected: Array, actual: Array, said: dict[str, Any]) -> dict[str, Any] | None:
    """Whether every so many values are 16 levels at most times their largest, as NF4 has them, each the nearest one."""
    flat_a, flat_e = (np.ascontiguousarray(side).reshape(-1) for side in (actual, expected))
    close = _LEVEL_HALF if _is_narrow(flat_a) else _LEVEL
    for width in _GROUPS:
        if flat_a.size % width or flat_a.size < _LEAST_GROUPS * width:
            continue
        levels = _levels(flat_a[: _PALETTE_SAMPLE // width * width].reshape(-1, width), close)
        if levels is not None and _are_nearest(flat_e.reshape(-1, width), flat_a.reshape(-1, width), levels, close):
            return {**said, "grid": f"a palette times a factor for every {width} values", "bits": _bits(len(levels))}
    return None


def _is_narrow(flat: Array) -> bool:
    """Whether values were rounded to a type of 16 bits, bfloat16 among them."""
    sample = np.ascontiguousarray(flat[:256], np.float32)
    return bool((sample.view(np.uint32) & 0xFFF == 0).all())


def _shares(rows: Array) -> Array:
    """Return values beside the largest of their row; those of a row of zeros are zeros."""
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True)
    return np.asarray(np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0))


def _levels(rows: Array, close: float) -> Array | None:
    """Return the few levels that the shares of all rows lie on, or None."""
    shares = np.sort(_shares(rows).reshape(-1))
    ends = np.flatnonzero(np.diff(shares) > close)
    if not _LEAST_LEVELS <= len(ends) + 1 <= _MOST_SHARED:
        return None
    groups = np.split(shares, ends + 1)
    if max(float(np.ptp(group)) for group in groups) > close:
        return None
    return np.array([group.mean() for group in groups])


def _are_nearest(e: Array, a: Array, levels: Array, close: float) -> bool:
    middles = (levels[1:] + levels[:-1]) / 2
    rows = max(1, (1 << 18) // a.shape[1])
    for first in range(0, len(a), rows):
        part = slice(first, first + rows)
        given = _shares(a[part])
        largest = np.abs(a[part].astype(np.float64)).max(axis=1, keepdims=True)
        exact = e[part].astype(np.float64) / np.where(largest > 0, largest, np.inf)
        level, nearest = (levels[np.searchsorted(middles, side)] for side in (given, exact))
        beyond = np.abs(level - exact) - np.abs(nearest - exact)
        if np.abs(given - level).max() > close or beyond.max() > close / 2 or (e[part] != 0)[largest[:, 0] == 0].any():
            return False
    return True


def _bits(levels: int) -> int:
    return max(1, math.ceil(math.log2(levels)))
