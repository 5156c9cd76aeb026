"""Values on a coarser grid than expected: half precision, or integers with a scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import PARTIAL, Explanation
from pytest_audioparity.diagnosis.problem import Problem, energy, rows_of, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Steps between 0 and the largest magnitude, or over the range, of 16, 8, 4 and other bits.
_COUNTS = (32767, 32768, 127, 128, 7, 8, 63, 31, 15, 3)
_RANGES = (65535, 255, 15, 63, 31, 7)
# Mean distance to a grid, of values that lie on it (rounding may be on top) and of values that do not.
_ON, _OFF = 0.2, 0.7
# Share of the values that has to be beyond the first level; where nearly all are below it, any grid fits.
_OCCUPIED = 0.02
_FEWEST, _MOST_ROWS = 32, 4096
# A layer that computes in half precision rounds its input, its weights and its output: so many times the squared error
# of the last one alone, with room for a sum of values of both signs.
_ROUNDINGS = 16.0
# Most differences are at most half a step, with some room for what else differs.
_HALF = 0.6
# Rounded down or to zero, values differ by any part of a step, in one direction; so many of them do.
_STEP, _NEARLY_ALL = 1.01, 0.995
# Values that each level of an uneven grid needs, how many times as many values expected has, and which share of them is
# at the nearest level.
_PER_LEVEL, _FINER, _NEAREST = 16, 4, 0.95
# Levels nearer than this to each other, as part of the largest, are one that float32 has rounded.
_NOISE = 1e-6


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield quantised explanations: casts to shorter floats, one grid for all, one per channel."""
    if problem.is_codes:
        return
    e, a = problem.expected, problem.actual
    shorter = None
    for name, cast in (("float16", _float16), ("bfloat16", _bfloat16)):
        if np.array_equal(cast(a), a) and not np.array_equal(cast(e), e):
            message = f"actual holds {name} values where expected has finer ones; check a cast to {name} on the way"
            left = min(squared(cast(e), a), problem.error)
            # Values that were rounded on the way differ by a step here and there; the grid itself is the evidence.
            bound = (
                np.abs(a - e) <= 4 * np.abs(np.spacing(a.astype(np.float16)).astype(float))
                if name == "float16"
                else None
            )
            if bound is not None and bound.mean() > 0.99:
                left = min(left, 0.0)
            if left < PARTIAL * problem.error:  # else a coarser grid, whose values a short float happens to have
                yield Explanation("quantised", message, 1, cast(e), a, {"dtype": name}, left)
                return
            if problem.error <= _ROUNDINGS * squared(cast(e), e) and shorter is None:
                shorter = Explanation("quantised", message, 1, cast(e), a, {"dtype": name}, 0.0)
    grid = next(_grids(problem), None)
    if grid is None:
        grid = _uneven(problem)
    found = shorter if grid is None else grid
    if found is not None:
        yield found


def _uneven(problem: Problem) -> Explanation | None:
    """Return the explanation by few levels at any distances, as 8-bit floats, µ-law, codebooks: each value is near."""
    if problem.error > PARTIAL * problem.variances[0]:
        return None  # levels that keep less than half of what varies, as zeros with a click among them
    e, a = problem.expected.ravel(), problem.actual.ravel()
    levels = np.unique(a)
    if not 2 <= len(levels) <= a.size / _PER_LEVEL or len(np.unique(e)) < _FINER * len(levels):
        return None
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, e)
    # Near the middle between two levels either may be right: µ-law rounds logarithms.
    off = np.abs(np.searchsorted(levels, a) - nearest)
    if np.mean(off == 0) < _NEAREST or np.mean(off <= 1) < _NEARLY_ALL:
        return None
    message = (
        f"actual lies on {len(levels)} levels at uneven distances where expected has finer values, each near it; "
        "check 8-bit floats, µ-law, and codebooks of weights"
    )
    detail = {"step": None, "levels": len(levels)}
    beyond = energy((a - e)[off > 1])
    return Explanation("quantised", message, len(levels), problem.expected, problem.actual, detail, beyond)


def _grids(problem: Problem) -> Iterator[Explanation]:
    """Look for one even grid for all values, then for one per index of an axis."""
    e, a = problem.expected, problem.actual
    step = float(_steps(a.reshape(1, -1), e.reshape(1, -1))[0])
    if math.isnan(step):
        step = _own_step(a.ravel(), e.ravel())
    if not math.isnan(step):
        levels = round(float(np.ptp(a)) / step) + 1
        detail: dict[str, Any] = {"step": step, "levels": levels}
        yield _explained(problem, np.array(step), f"{levels} levels with a step of {step:.4g}", detail, 1)
        return
    for axis in range(e.ndim):
        rows_e, rows_a = (rows_of(side, axis) for side in (e, a))
        if not 2 <= len(rows_a) <= _MOST_ROWS or rows_a.shape[1] < _FEWEST:
            continue
        steps = _steps(rows_a, rows_e)
        found = steps[~np.isnan(steps)]
        if len(found) >= 0.8 * len(steps):
            label = problem.labels[axis]
            said = f"a grid of its own for each index of {label}"
            by_index = np.expand_dims(steps, tuple(other for other in range(e.ndim) if other != axis))
            detail = {"step": float(np.median(found)), "axis": label}
            yield _explained(problem, by_index, said, detail, len(found))
            return


def _explained(problem: Problem, steps: Array, said: str, detail: dict[str, Any], parameters: float) -> Explanation:
    """Return the explanation by a grid, which accounts for differences of up to a step; `steps` may have NaN."""
    message = (
        f"actual lies on {said} where expected has finer values; check quantised weights or activations (int8, int4)"
    )
    difference = np.abs(problem.actual - problem.expected)
    beyond = energy(difference[~(difference <= steps)])
    return Explanation("quantised", message, parameters, problem.expected, problem.actual, detail, beyond)


def _own_step(a: Array, e: Array) -> float:
    """Return the step of a grid through zero that the values alone tell, as a calibrated scale or PCM; or NaN.

    It is the smallest distance between two values, then fitted to more and more of the levels, since its own rounding
    would put the last of them halfway between two others.
    """
    levels = np.unique(a)
    distances = np.diff(levels)
    largest = float(np.abs(levels).max())
    distances = distances[distances > _NOISE * largest]
    if not distances.size or 2 * len(levels) > len(a):
        return math.nan
    step = float(distances.min())
    known = levels[levels != 0]
    reach = step
    while reach < largest:
        reach *= 4
        near = known[np.abs(known) <= reach]
        numbers = np.round(near / step)
        if np.any(numbers):
            step = float(near @ numbers) / float(numbers @ numbers)
    rows_a, rows_e = a.reshape(1, -1), e.reshape(1, -1)
    fits = _fits(rows_a, rows_e, np.ones(1, bool), _farthest(rows_a, rows_e), np.array([step]), np.zeros(1))
    return step if fits[0] else math.nan


def _steps(rows_a: Array, rows_e: Array) -> Array:
    """Return per row the step of an even grid that actual lies on and expected does not, NaN where there is none.

    Quantisers divide the largest magnitude, or the range, into a number of steps given by their bits; those are tried.
    A value's distance to the grid is a quarter of a step on average where there is no grid. All rows are tried at once:
    one by one, the thousands of short rows along an axis took longer than all other causes together.
    """
    steps = np.full(len(rows_a), np.nan)
    if rows_a.shape[1] < _FEWEST:
        return steps
    low, high = rows_a.min(axis=1), rows_a.max(axis=1)
    largest, span = np.maximum(np.abs(low), np.abs(high)), high - low
    farthest = _farthest(rows_a, rows_e)
    tried = [(largest / count, np.zeros_like(low)) for count in _COUNTS] + [(span / count, low) for count in _RANGES]
    for step, start in tried:
        # Where the first of them fits, the others are not asked.
        fits = _fits(rows_a, rows_e, np.isnan(steps) & (span > 0), farthest, step, start)
        steps[fits] = step[fits]
    return steps


def _farthest(rows_a: Array, rows_e: Array) -> Array:
    """Return per row how far off most of its values are; half of that where all are off towards zero, or all down.

    Values that are rounded so are off by up to a step, and those that are rounded to the nearest by up to half of one.
    """
    difference = rows_a - rows_e
    farthest: Array = np.quantile(np.abs(difference), 0.9, axis=1)
    room = farthest * (1 - 1 / _STEP)
    for sided in (difference, -difference, difference * np.sign(rows_e)):
        cut = np.mean(sided <= room[:, np.newaxis], axis=1) >= _NEARLY_ALL
        farthest = np.where(cut, farthest / 2, farthest)
        if cut.all():
            break
    return farthest


def _fits(rows_a: Array, rows_e: Array, asked: Array, farthest: Array, step: Array, start: Array) -> Array:
    """Return which rows asked for are mostly off by a step at most, with actual on the grid and expected off it."""
    fits: Array = asked & (farthest <= _HALF * step)
    near = np.flatnonzero(fits)
    if not near.size:
        return fits
    rows_a, rows_e, step, start = rows_a[near], rows_e[near], step[near, np.newaxis], start[near, np.newaxis]
    # Values at the first level are on any grid, and those at the last on any whose step is a part of it.
    places = np.abs(rows_a - start)
    beyond = (places > step / 2) & (places < places.max(axis=1, keepdims=True) - step / 2)
    counts = np.count_nonzero(beyond, axis=1)
    fits[near] = counts >= _OCCUPIED * rows_a.shape[1]
    fits[near] &= _off_grid((rows_a - start) / step, beyond, counts) < _ON
    if fits.any():
        fits[near] &= _off_grid((rows_e - start) / step, beyond, counts) > _OFF
    return fits


def _off_grid(places: Array, beyond: Array, counts: Array) -> Array:
    """Return per row the mean distance to the nearest level, 0 on the grid and 1 where there is none."""
    distances = np.where(beyond, np.abs(places - np.round(places)), 0.0)
    means: Array = 4.0 * distances.sum(axis=1) / np.maximum(counts, 1)
    return means


def _float16(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float64)


def _bfloat16(array: Array) -> Array:
    """Round to the upper 16 bits of float32."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    wide: Array = rounded.view(np.float32).astype(np.float64)
    return wide
