"""The diagnosis of one failing stage, from its two arrays to findings."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.tolerances import PRESET_DB
from pytest_audioparity.diagnosis import byteorder, codes, degenerate, draws
from pytest_audioparity.diagnosis.increments import SURELY, explained_by_increment
from pytest_audioparity.diagnosis.problem import labels_of, strides
from pytest_audioparity.diagnosis.sample import MOST, pose
from pytest_audioparity.diagnosis.search import explain
from pytest_audioparity.diagnosis.shapes import explain_shapes
from pytest_audioparity.records import DB_PER_UNIT, Comparison, Finding, StageMeta, StageTensor, Tolerance

if TYPE_CHECKING:
    from collections.abc import Iterable

    Array = np.ndarray[Any, Any]

# Twice the rms by which integers are off that were truncated, in units: no cause leaves less of integer samples.
_TRUNCATED = 2 / math.sqrt(3)
# More is no tolerance, and its ratio overflows.
_MOST_DB = 600.0
_SAME = 1e-4
_SMALLEST, _LARGEST = 1e-70, 1e70
# Other stages that are looked at.
_OTHERS = 64
# Faults that are small where they begin, and have to be seen there.
_BEGINS_SMALL = ("drift", "sample_rate", "repeated_frames", "dropped_frames")


def diagnose(
    expected: Array,
    actual: Array,
    comparison: Comparison,
    meta: StageMeta,
    tolerance: Tolerance,
    others: Iterable[StageTensor] = (),
) -> tuple[Finding, ...]:
    """Return the findings of a failing stage, best explanation first.

    Parameters
    ----------
    expected, actual : of one shape or of two
    comparison : their numbers
    meta : what is declared of them
    tolerance : what the stage is allowed
    others : other stages of the golden, which actual may be by mistake
    """
    if expected.size and (finding := byteorder.find(expected, actual)) is not None:
        return (finding,)
    found = tuple(degenerate.find(expected, actual, comparison))
    if found or 0 in (expected.size, actual.size):
        return found
    # A constant has no pattern that actual could have kept, or lost.
    if not _is_computable(expected, actual) or comparison.expected.min == comparison.expected.max:
        return ()
    if (finding := degenerate.held(expected, actual, meta)) is not None:
        return (finding,)
    with np.errstate(all="ignore"):  # what is not finite explains nothing, and is dropped
        worst = None if comparison.worst is None else comparison.worst.index
        return _explained(expected, actual, meta, tolerance, others, worst)


def _explained(
    expected: Array,
    actual: Array,
    meta: StageMeta,
    tolerance: Tolerance,
    others: Iterable[StageTensor],
    worst: tuple[int, ...] | None,
) -> tuple[Finding, ...]:
    allowed = _allowed(expected, actual, meta, tolerance)
    if expected.shape != actual.shape:
        return tuple(explain_shapes(expected, actual, meta, allowed))
    others = list(itertools.islice(others, _OTHERS))
    if (finding := _stale(expected, actual, meta, others)) is not None:
        return (finding,)
    if meta.kind == "codes":
        if "c" in (expected.dtype.kind, actual.dtype.kind):
            return ()
        finding = codes.find(expected, actual, labels_of(expected, meta)) or draws.find(expected, actual, meta, others)
        if finding is not None:
            return (finding,)
    problem = pose(expected, actual, meta, allowed, worst)
    if problem.error == 0:
        return ()
    found = explain(problem)
    if not problem.is_typical and found[0].code not in _BEGINS_SMALL:
        # A little is wrong before the most is, which may be another fault.
        problem = pose(expected, actual, meta, allowed, worst, share=MOST)
        found = explain(problem) if problem.error else found
    before = {other.meta.name: other.array for other in others}
    return explained_by_increment(tuple(found), expected, actual, before, least=SURELY)


def _is_computable(*sides: Array) -> bool:
    """Whether squares of squares of all values stay within float64; others are compared and not explained."""
    largest = [float(np.abs(_spread(side).astype(np.complex128)).max(initial=0.0)) for side in sides]
    return all(size == 0 or _SMALLEST < size < _LARGEST for size in largest)


def _allowed(expected: Array, actual: Array, meta: StageMeta, tolerance: Tolerance) -> float:
    """Return the rms of the residual that the tolerance of a stage allows."""
    tol_db = PRESET_DB["fp32"] if tolerance.tol_db is None else min(tolerance.tol_db, _MOST_DB)
    if meta.kind == "log_spectrum" and meta.unit in DB_PER_UNIT:
        return tol_db / DB_PER_UNIT[meta.unit]
    sizes = [math.sqrt(float(np.mean(np.abs(_spread(side).astype(np.complex128)) ** 2))) for side in (expected, actual)]
    allowed = (10 ** (tol_db / 20) - 1) * min(size for size in (*sizes, max(sizes)) if size > 0 or max(sizes) == 0)
    are_samples = meta.kind == "waveform" and expected.dtype.kind in "iu" and actual.dtype.kind in "iu"
    return max(allowed, _TRUNCATED) if are_samples else allowed


def _spread(array: Array) -> Array:
    """Return some 100 000 elements, evenly spread and never copied as a whole: enough for a level."""
    return array[tuple(slice(None, None, step) for step in strides(array.shape, 100_000))].reshape(-1)


def _stale(expected: Array, actual: Array, meta: StageMeta, others: Iterable[StageTensor]) -> Finding | None:
    """Say that actual is another stage of the golden."""
    for other in others:
        if (
            other.meta.name == meta.name
            or other.array.shape != actual.shape
            or other.array.dtype.kind != actual.dtype.kind
        ):
            continue
        taken_o, taken_a, taken_e = (_spread(side).astype(np.complex128) for side in (other.array, actual, expected))
        error = float(np.sum(np.abs(taken_a - taken_e) ** 2))
        left = float(np.sum(np.abs(taken_a - taken_o) ** 2))
        if left <= _SAME * error and float(np.ptp(np.abs(taken_o))) > 0:
            message = (
                f"actual is what expected has as stage {other.meta.name!r}; check that a buffer or a state is not "
                "used again, and that the right tensor is recorded"
            )
            return Finding("stale", message, explains=1.0 - left / error, detail={"stage": other.meta.name})
    return None
