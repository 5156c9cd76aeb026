"""The comparison kernel: all sums of two arrays in one pass, block by block.

Both arrays are walked in C order in blocks that stay in the processor's cache; each block is widened to float64,
subtracted, and reduced. Nothing of the size of the arrays is allocated, so a memory-mapped golden is read where it
lies. What bounds it is the arithmetic of a dozen numpy calls per block, not memory (benchmarks/kernel.py); threads were
tried and left out: the calls are so short that the interpreter lock ate most of the gain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Array = np.ndarray[Any, Any]

# Long enough to hide the interpreter's cost per numpy call, short enough for three float64 buffers to stay in cache.
# Times are flat between 2^16 and 2^18 elements.
BLOCK = 1 << 17
# OpenBLAS starts threads for a dot product above 10 000 elements, which costs more than it gains at this size.
_DOT = 1 << 13
# Squares of float64 values beyond these would overflow or vanish; they are scaled by a power of two first.
_LARGEST, _SMALLEST = 1e150, 1e-140
# Σx² − n·mean² has lost half of float64's 16 digits when mean² is this much larger than the variance.
_DOMINANT_MEAN = 1e8


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over all pairs of elements, of `scale`·(x − `shift`). Extremes are of the values themselves."""

    size: int
    expected_min: float
    expected_max: float
    actual_min: float
    actual_max: float
    expected_sum: float
    difference_sum: float
    expected_squares: float
    actual_squares: float
    difference_squares: float
    difference_abs: float
    difference_max: float
    worst: int
    excess: float
    finite: bool
    scale: float = 1.0
    shift: float = 0.0


def measure(expected: Array, actual: Array, *, absolute: bool = False, rtol: float | None = None) -> Sums:
    """Return the sums of two arrays of equal shape.

    Parameters
    ----------
    expected, actual : arrays of equal shape, at least one element, any numeric dtype, strides and byte order. Complex
        arrays are compared by real and imaginary parts
    absolute : also sum |actual − expected|
    rtol : also find the largest |actual − expected| − rtol·|expected|

    Returns
    -------
    Sums : with `finite` False, and the other numbers meaningless, when there is a NaN or an infinity
    """
    if np.iscomplexobj(expected) or np.iscomplexobj(actual):
        return _measure_complex(expected, actual, absolute=absolute, rtol=rtol)
    job = _Job(absolute=absolute, rtol=rtol)
    sums = _run(expected, actual, job)
    largest = max(map(abs, (sums.expected_min, sums.expected_max, sums.actual_min, sums.actual_max)))
    if sums.finite and largest > 0 and not _SMALLEST < largest < _LARGEST:
        sums = _run(
            expected, actual, _Job(absolute=absolute, rtol=rtol, scale=math.ldexp(1.0, -math.frexp(largest)[1]))
        )
    return sums


def moments(expected: Array, actual: Array, sums: Sums) -> Sums:
    """Return sums about a point near the mean, from which variances can be taken without cancellation.

    These are the sums given, unless a mean is so large beside its spread that a second pass is needed.
    """
    n = sums.size
    mean_e, mean_a = sums.expected_sum / n, (sums.expected_sum + sums.difference_sum) / n
    for mean, squares in ((mean_e, sums.expected_squares), (mean_a, sums.actual_squares)):
        if mean * mean > _DOMINANT_MEAN * abs(squares / n - mean * mean):
            return _run(expected, actual, _Job(scale=sums.scale, shift=mean_e / sums.scale))
    return sums


@dataclass(frozen=True, slots=True)
class _Job:
    absolute: bool = False
    rtol: float | None = None
    scale: float = 1.0
    shift: float = 0.0


def _measure_complex(expected: Array, actual: Array, *, absolute: bool, rtol: float | None) -> Sums:
    """Measure complex arrays as pairs of floats, with the largest difference taken of the modulus."""
    parts_e, parts_a = _parts(expected), _parts(actual)
    sums = measure(parts_e, parts_a, absolute=absolute, rtol=rtol)
    if not sums.finite:
        return sums
    largest, worst = -1.0, 0
    flat_e, flat_a = parts_e.reshape(-1, 2), parts_a.reshape(-1, 2)
    for start in range(0, len(flat_e), BLOCK):
        block = slice(start, start + BLOCK)
        modulus = np.hypot(*(flat_a[block].astype(np.float64) - flat_e[block]).T)
        place = int(modulus.argmax())
        if modulus[place] > largest:
            largest, worst = float(modulus[place]), start + place
    return replace(sums, difference_max=largest * sums.scale, worst=worst)


def _parts(array: Array) -> Array:
    """View (or, where strides forbid it, copy) an array as real and imaginary parts in a new last dimension."""
    wide = array if np.iscomplexobj(array) else array.astype(np.complex128)
    wide = np.ascontiguousarray(wide).reshape(array.shape)
    parts: Array = wide.view(wide.real.dtype).reshape(*array.shape, 2)
    return parts


def _run(expected: Array, actual: Array, job: _Job) -> Sums:
    aligned = all(side.flags.c_contiguous and side.dtype.isnative for side in (expected, actual))
    blocks = _blocks(expected, actual) if aligned else _strided_blocks(expected, actual)
    with np.errstate(all="ignore"):
        return _reduce(blocks, job, expected.size)


def _blocks(expected: Array, actual: Array) -> Iterator[tuple[int, Array, Array]]:
    flat_e, flat_a = expected.reshape(-1), actual.reshape(-1)
    for place in range(0, flat_e.size, BLOCK):
        yield place, flat_e[place : place + BLOCK], flat_a[place : place + BLOCK]


def _strided_blocks(expected: Array, actual: Array) -> Iterator[tuple[int, Array, Array]]:
    """Yield blocks in C order of arrays with any strides and byte order; the iterator copies a block at a time."""
    place = 0
    iterator = np.nditer(
        [expected, actual],
        flags=["external_loop", "buffered"],
        op_flags=[["readonly"], ["readonly"]],
        op_dtypes=[expected.dtype.newbyteorder("="), actual.dtype.newbyteorder("=")],
        order="C",
        casting="equiv",
        buffersize=BLOCK,
    )
    for block_e, block_a in iterator:
        yield place, block_e, block_a
        place += len(block_e)


@dataclass(slots=True)
class _Running:
    """What a pass has found so far. The five sums are kept in the order in which `_reduce` computes them."""

    low: list[float]
    high: list[float]
    sums: Array
    squares: Array
    difference_abs: float = 0.0
    difference_max: float = -1.0
    worst: int = 0
    excess: float = -math.inf


def _reduce(blocks: Iterable[tuple[int, Array, Array]], job: _Job, size: int) -> Sums:
    running = _Running([math.inf, math.inf], [-math.inf, -math.inf], np.zeros(2), np.zeros(3))
    finite = True
    buffers = np.empty((3, min(size, BLOCK)))
    for place, block_e, block_a in blocks:
        wide = buffers[:, : len(block_e)]
        np.copyto(wide[0], block_e)
        np.copyto(wide[1], block_a)
        _add_extremes(running, (block_e, wide[0]), (block_a, wide[1]))
        if job.shift or job.scale != 1.0:
            wide[:2] -= job.shift
            wide[:2] *= job.scale
        np.subtract(wide[1], wide[0], out=wide[2])
        running.sums += _dots(wide[::2], _ONES)
        running.squares += _dots(wide, wide)
        # A sum of squares is finite unless an element is not, or squares overflow: only then is a closer look needed.
        if not math.isfinite(running.squares.sum()) and not np.isfinite(wide[:2]).all():
            finite = False
            break
        _add_differences(running, place, wide[0], wide[2], job)
    return Sums(
        size=size,
        expected_min=running.low[0],
        expected_max=running.high[0],
        actual_min=running.low[1],
        actual_max=running.high[1],
        expected_sum=float(running.sums[0]),
        difference_sum=float(running.sums[1]),
        expected_squares=float(running.squares[0]),
        actual_squares=float(running.squares[1]),
        difference_squares=float(running.squares[2]),
        difference_abs=running.difference_abs,
        difference_max=running.difference_max,
        worst=running.worst,
        excess=running.excess,
        finite=finite,
        scale=job.scale,
        shift=job.shift,
    )


def _add_extremes(running: _Running, *sides: tuple[Array, Array]) -> None:
    for side, (block, wide) in enumerate(sides):
        # float32 is scanned as it is, twice as fast; other types may have no vectorised comparison.
        values = block if block.dtype == np.float32 else wide
        running.low[side] = min(running.low[side], float(np.minimum.reduce(values)))
        running.high[side] = max(running.high[side], float(np.maximum.reduce(values)))


def _add_differences(running: _Running, place: int, wide_e: Array, difference: Array, job: _Job) -> None:
    """Add what concerns single elements. `difference` is overwritten by its magnitude where that is needed."""
    largest = max(float(np.maximum.reduce(difference)), -float(np.minimum.reduce(difference)))
    if largest > running.difference_max:
        running.difference_max = largest
        running.worst = place + int(np.abs(difference, out=difference).argmax())
    if job.absolute:
        running.difference_abs += float(_dots(np.abs(difference, out=difference)[np.newaxis], _ONES)[0])
    if job.rtol is not None:
        excess = np.abs(difference) - job.rtol * np.abs(wide_e)
        running.excess = max(running.excess, float(excess.max()))


_ONES = np.ones((1, BLOCK))


def _einsum_vecdot(left: Array, right: Array) -> Array:
    return np.einsum("...i,...i->...", left, right)


_vecdot = getattr(np, "vecdot", _einsum_vecdot)  # numpy 2.0


def _dots(left: Array, right: Array) -> Array:
    """Inner products of the rows of two arrays (rows, n) of float64, in pieces that BLAS does not split further."""
    size = left.shape[1]
    whole = size - size % _DOT
    total: Array = _vecdot(left[:, whole:], right[:, whole:size])
    if whole:
        pieces = (side[:, :whole].reshape(len(side), -1, _DOT) for side in (left, right))
        total = total + _vecdot(*pieces).sum(axis=1)
    return total
