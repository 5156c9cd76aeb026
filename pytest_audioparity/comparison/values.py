"""The comparison kernel: all sums of two arrays in one pass, block by block.

Both arrays are walked in C order in blocks that stay in the processor's cache; each block is widened to float64,
subtracted, and reduced. Nothing of the size of the arrays is allocated, so a memory-mapped golden is read where it
lies. What bounds it is the arithmetic of a dozen numpy calls per block, not memory (benchmarks/kernel.py). Two threads
were tried twice and left out: the calls take 15 to 70 µs, and to hand over the interpreter lock takes as long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_audioparity.comparison import blocks as cut
from pytest_audioparity.comparison.allowance import largest_excess
from pytest_audioparity.comparison.blocks import flat_blocks, real_blocks, strided_blocks
from pytest_audioparity.comparison.scales import scale_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    Array = np.ndarray[Any, Any]

# OpenBLAS starts threads for a dot product above 10 000 elements, which costs more than it gains at this size.
_DOT = 1 << 13
# Above, float64 skips integers.
_EXACT_INTEGERS = 2.0**53


@dataclass(slots=True)
class Sums:
    """Sums over all pairs of elements, or over those of the blocks that were added so far.

    Attributes
    ----------
    size, count : elements, and the real numbers they are made of (twice as many for complex elements)
    expected_min … actual_max, difference_max, worst, excess : of the values themselves; `worst` is a flat C-order index
    expected_sum … difference_abs, peak : of scale·x − shift, with a `scale` and a `shift` for expected and for actual;
        `peak` is the largest difference, for which float64 may have no number unscaled
    finite : False when there is a NaN or an infinity, and the other numbers are meaningless
    """

    size: int
    count: int
    scales: tuple[float, float]
    shifts: tuple[float, float]
    expected_min: float = math.inf
    expected_max: float = -math.inf
    actual_min: float = math.inf
    actual_max: float = -math.inf
    expected_sum: float = 0.0
    difference_sum: float = 0.0
    expected_squares: float = 0.0
    actual_squares: float = 0.0
    difference_squares: float = 0.0
    difference_abs: float = 0.0
    peak: float = -1.0
    difference_max: float = -1.0
    worst: int = 0
    excess: float = -math.inf
    finite: bool = True

    @property
    def scale(self) -> float:
        """What `measure` has multiplied both sides with."""
        return self.scales[0]


class Job(NamedTuple):
    """What one pass computes: what `measure` was asked for, of sides that may be scaled and then shifted first."""

    absolute: bool = False
    rtol: float | None = None
    scales: tuple[float, float] | None = None
    shifts: tuple[float, float] = (0.0, 0.0)


def measure(expected: Array, actual: Array, *, absolute: bool = False, rtol: float | None = None) -> Sums:
    """Return the sums of two arrays of equal shape.

    Parameters
    ----------
    expected, actual : arrays of equal shape, at least one element, any numeric dtype, strides and byte order. Of
        complex arrays the sums are over real and imaginary parts, and differences of single elements are moduli
    absolute : also sum |actual − expected|
    rtol : also find the largest |actual − expected| − rtol·|expected|

    Returns
    -------
    Sums : with one `scale` for both sides, which is not 1 where squares would overflow or vanish
    """
    sums = run(expected, actual, Job(absolute=absolute, rtol=rtol))
    if not sums.finite:
        return sums
    largest = max(map(abs, (sums.expected_min, sums.expected_max, sums.actual_min, sums.actual_max)))
    if largest >= _EXACT_INTEGERS and all(side.dtype.kind in "iu" for side in (expected, actual)):
        sums = _with_exact_difference(expected, actual, sums, rtol)
    scale = scale_for(largest)
    if scale == 1.0:
        return sums
    scaled = run(expected, actual, Job(absolute=absolute, scales=(scale, scale)))
    # Scaling flushes what is tiny beside the largest value to zero, so single elements keep their first numbers.
    worst = sums.worst if math.isfinite(sums.difference_max) else scaled.worst
    return replace(scaled, difference_max=sums.difference_max, worst=worst, excess=sums.excess)


def run(expected: Array, actual: Array, job: Job) -> Sums:
    """Make one pass over two arrays."""
    contiguous = expected.flags.c_contiguous and actual.flags.c_contiguous
    blocks = flat_blocks(expected, actual) if contiguous else strided_blocks(expected, actual)
    parts = 2 if "c" in (expected.dtype.kind, actual.dtype.kind) else 1
    with np.errstate(all="ignore"):
        return _reduce(real_blocks(blocks) if parts == 2 else blocks, job, expected.size, parts)


def _reduce(blocks: Iterable[tuple[int, Array, Array]], job: Job, size: int, parts: int) -> Sums:
    sums = Sums(size, size * parts, job.scales or (1.0, 1.0), job.shifts)
    buffers = np.empty((2, parts * min(size, cut.BLOCK)))
    may_be_same = job.scales is None and job.rtol is None
    for place, block_e, block_a in blocks:
        wide = buffers[:, : len(block_e)]
        if may_be_same and _same_bits(block_e, block_a):
            _add_same(sums, block_e, wide[:1], place)
        else:
            _add(sums, block_e, block_a, wide, place, job, parts)
        if not sums.finite:
            break
    sums.peak = sums.difference_max
    return sums


def _same_bits(block_e: Array, block_a: Array) -> bool:
    """Whether two blocks are equal bit by bit, as all are when nothing has changed; the first element tells most."""
    if block_e[0] != block_a[0] or block_e.dtype != block_a.dtype:
        return False
    bits = f"u{block_e.dtype.itemsize}"
    return bool((block_e.view(bits) == block_a.view(bits)).all())


def _add_same(sums: Sums, block: Array, wide: Array, place: int) -> None:
    """Add a block whose two sides are the same: the work of one side, and no difference."""
    np.copyto(wide[0], block)
    (squares,) = sums_of_squares(wide).tolist()
    # A sum of squares is finite unless an element is not, or squares overflow: only then is a closer look needed.
    sums.finite = math.isfinite(squares) or bool(np.isfinite(wide).all())
    low, high = _extremes(block, wide[0])
    sums.expected_min, sums.actual_min = min(sums.expected_min, low), min(sums.actual_min, low)
    sums.expected_max, sums.actual_max = max(sums.expected_max, high), max(sums.actual_max, high)
    sums.expected_squares += squares
    sums.actual_squares += squares
    sums.expected_sum += _totals(wide)[0]
    if sums.difference_max < 0:
        sums.difference_max, sums.worst = 0.0, place


def _add(sums: Sums, block_e: Array, block_a: Array, wide: Array, place: int, job: Job, parts: int) -> None:
    """Add a block. The two rows of `wide` are expected and actual first, expected and difference from half-way on."""
    np.copyto(wide[0], block_e)
    np.copyto(wide[1], block_a)
    low, high = _extremes(block_e, wide[0])
    sums.expected_min, sums.expected_max = min(sums.expected_min, low), max(sums.expected_max, high)
    low, high = _extremes(block_a, wide[1])
    sums.actual_min, sums.actual_max = min(sums.actual_min, low), max(sums.actual_max, high)
    if job.scales is not None:
        wide *= np.reshape(job.scales, (2, 1))
        wide -= np.reshape(job.shifts, (2, 1))
    squares_e, squares_a = sums_of_squares(wide).tolist()
    sums.finite = math.isfinite(squares_e + squares_a) or bool(np.isfinite(wide).all())
    sums.expected_squares += squares_e
    sums.actual_squares += squares_a
    difference = np.subtract(wide[1], wide[0], out=wide[1])
    sums.difference_squares += float(sums_of_squares(difference))
    sum_e, sum_difference = _totals(wide)
    sums.expected_sum += sum_e
    sums.difference_sum += sum_difference
    _add_elements(sums, place, wide[0], difference, job, parts)


def _extremes(block: Array, wide: Array) -> tuple[float, float]:
    # float32 is scanned as it is, twice as fast; other types may have no vectorised comparison.
    values = block if block.dtype.char == "f" else wide
    return float(np.minimum.reduce(values)), float(np.maximum.reduce(values))


def _add_elements(sums: Sums, place: int, wide_e: Array, difference: Array, job: Job, parts: int) -> None:
    """Add what concerns single elements. `difference` is overwritten by its magnitude."""
    if parts == 2:
        sizes, wide_e = (np.hypot(wide[::2], wide[1::2]) for wide in (difference, wide_e))
    else:
        sizes = np.abs(difference, out=difference)
    worst = int(sizes.argmax())
    if (largest := float(sizes[worst])) > sums.difference_max:
        sums.difference_max, sums.worst = largest, place + worst
    if job.absolute:
        sums.difference_abs += _totals(sizes[np.newaxis])[0]
    if job.rtol is not None:
        sums.excess = max(sums.excess, largest_excess(sizes, wide_e, job.rtol))


def sums_of_squares(rows: Array) -> Array:
    """Sum squares over the last axis of a float64 array, as dot products of pieces that BLAS does not split further."""
    size = rows.shape[-1]
    whole = size - size % _DOT
    sums = _dots(rows[..., whole:])
    if whole:
        sums = sums + _dots(rows[..., :whole].reshape(*rows.shape[:-1], -1, _DOT)).sum(axis=-1)
    return sums


def _dots(rows: Array) -> Array:
    # matmul calls BLAS' dot for a row by a column; einsum takes three times as long.
    products: Array = np.matmul(rows[..., np.newaxis, :], rows[..., np.newaxis])[..., 0, 0]
    return products


def _totals(rows: Array) -> list[float]:
    """Sum each row of a float64 array; einsum takes two thirds of the time of `np.add.reduce`."""
    totals: list[float] = np.einsum("ij->i", rows).tolist()
    return totals


def _with_exact_difference(expected: Array, actual: Array, sums: Sums, rtol: float | None) -> Sums:
    """Correct the differences of 64-bit integers, of which float64 holds the first 53 bits alone."""
    largest, worst, excess = -1.0, 0, -math.inf
    squares = total = signed = 0.0
    for place, block_e, block_a in strided_blocks(expected, actual):
        # Subtracting the smaller from the larger in uint64 is exact; where even that wraps around, no digit is missed.
        wide_e, wide_a = block_e.astype(np.uint64), block_a.astype(np.uint64)
        wrapped = np.where(np.greater(block_a, block_e), wide_a - wide_e, wide_e - wide_a).astype(np.float64)
        rounded = np.abs(block_a.astype(np.float64) - block_e.astype(np.float64))
        exact = np.where(rounded < 2.0**62, wrapped, rounded)
        squares += float(sums_of_squares(exact))
        total += _totals(exact[np.newaxis])[0]
        signed += _totals(np.where(np.greater(block_a, block_e), exact, -exact)[np.newaxis])[0]
        if (here := float(exact.max())) > largest:
            largest, worst = here, place + int(exact.argmax())
        if rtol is not None:
            excess = max(excess, largest_excess(exact, block_e.astype(np.float64), rtol))
    return replace(
        sums,
        difference_squares=squares,
        difference_sum=signed,
        difference_abs=total,
        peak=largest,
        difference_max=largest,
        worst=worst,
        excess=excess,
    )
