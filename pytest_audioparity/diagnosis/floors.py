"""A straight line between values that stop at a floor: a log-mel of an input that is quieter, a bias before a ReLU.

Actual is max(f(expected), its floor). Where expected is at its own floor, what it was before is lost, so actual may be
anything from its floor up to f of that: such elements fit, and say nothing of f (Tobin 1958 calls them censored).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis import scale
from pytest_audioparity.diagnosis.channels import along, per_index_offset
from pytest_audioparity.diagnosis.explanation import PARTIAL, explains
from pytest_audioparity.diagnosis.problem import Problem, energy, restate, rows_of, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.channels import Axes
    from pytest_audioparity.diagnosis.explanation import Explanation

    Array = np.ndarray[Any, Any]

# Elements that have the smallest value in common, at least and as a share; values that were not clamped have no ties.
_TIED, _TIED_SHARE = 8, 0.001
# What is above both floors must be this share of the elements to tell of a line.
_ABOVE = 0.1
# Elements of an index above both floors that tell of its offset.
_FEWEST = 4
# A line that only some elements can show takes a little more to believe than one that all do.
_DEARER = 0.5


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield lines, and an offset for each index, between values above their floors."""
    yield from lines(problem)
    above = _above(problem)
    if above is None:
        return
    for axes in problem.groups(2 * _FEWEST):
        found = _offsets(problem, axes, above)
        before, after = (squared(side[above], problem.actual[above]) for side in (problem.expected, found.expected))
        if after <= (1 - PARTIAL) * before:
            yield found


def lines(problem: Problem) -> Iterator[Explanation]:
    """Yield gain, offset, affine and log_base between values above their floors."""
    above = _above(problem)
    if above is None:
        return
    e, a = problem.expected, problem.actual
    inner = restate(e[above], a[above], ("above",), problem.meta, problem.allowed)
    for found in scale.find(inner):
        slope = float(found.detail.get("slope", found.detail.get("gain", 1.0)))
        if slope > 0 and math.isfinite(slope) and explains(inner, found) >= PARTIAL:
            shift = float(found.detail.get("offset", 0.0))
            predicted = _clamped(problem, slope * e + shift, slope * float(e.min()) + shift)
            message = f"{found.message}; values at the floor of a side say nothing of it"
            yield replace(
                found, message=message, parameters=found.parameters + _DEARER, expected=predicted, actual=a, left=-1.0
            )


def _above(problem: Problem) -> Array | None:
    """Return which elements are above the floors of both sides; None without floors, or with too little above them."""
    if problem.is_codes:
        return None
    at = [_is_at_floor(side) for side in (problem.expected, problem.actual)]
    above: Array = ~(at[0] | at[1])
    if above.all() or above.mean() < _ABOVE:
        return None
    # Where only the floors differ, there is nothing above them to explain.
    rest = (problem.actual - problem.expected)[above]
    return above if energy(rest) > problem.floor**2 * rest.size else None


def _is_at_floor(side: Array) -> Array:
    tied: Array = side == side.min()
    return tied if np.count_nonzero(tied) >= max(_TIED, _TIED_SHARE * side.size) else np.zeros_like(tied)


def _clamped(problem: Problem, predicted: Array, at_floor: Array | float) -> Array:
    """Return a prediction from values of expected, where they are at its floor anything up to `at_floor`."""
    e, a = problem.expected, problem.actual
    floor = float(a.min()) if _is_at_floor(a).any() else -math.inf
    least = floor if math.isfinite(floor) else float(a.min())
    lost = np.clip(a, least, np.maximum(at_floor, least))
    clamped: Array = np.where(_is_at_floor(e), lost, np.maximum(predicted, floor))
    return clamped


def _offsets(problem: Problem, axes: Axes, above: Array) -> Explanation:
    """Return channel_offset, each from what its index has above both floors."""
    e, a = problem.expected, problem.actual
    difference, used = rows_of(a - e, axes), rows_of(above, axes)

    def predicted(offsets: Array) -> Array:
        shift = along(problem, axes, offsets)
        return _clamped(problem, e + shift, float(e.min()) + shift)

    # What is left is measured in the half that the offsets were not taken from, and vice versa.
    squares = rows_of((a - predicted(np.zeros(len(used)))) ** 2, axes)
    for half in (slice(0, None, 2), slice(1, None, 2)):
        other = slice(1 - half.start, None, 2)
        fitted = predicted(_means(difference[:, other], used[:, other]))
        squares[:, half] = rows_of((a - fitted) ** 2, axes)[:, half]
    offsets = _means(difference, used)
    found = per_index_offset(problem, axes, offsets, predicted(offsets), float(squares.sum()))
    return replace(found, parameters=found.parameters + _DEARER)


def _means(rows: Array, used: Array) -> Array:
    """Return the mean of what is used of each row, 0 where that is too little."""
    counts = used.sum(axis=1)
    means: Array = np.where(counts >= _FEWEST, (rows * used).sum(axis=1) / np.maximum(counts, 1), 0.0)
    return means
