"""Each index has a function of its own: Snake's alpha per channel, a bias before an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation, in_units_of_actual
from pytest_audioparity.diagnosis.problem import Problem, energy, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Values of an index that tell of a function, the numbers that it takes, and more indices than channels.
_FEWEST, _NUMBERS, _MOST_INDICES = 64, 16, 4096
# A straight line leaves so much more where a function bends; where it does not, other values lie on a line as well.
# A function of actual has to be plainer, as few values of expected are large in both.
_BENDS, _UNDONE = 0.5, 0.1
# Share of the values that are no repetition.
_DISTINCT = 0.25
# Frames in a row that are read off others.
_STRETCH = 8
# Functions read off between two values leave a little where they bend; what leaves more is no function.
_BENT = 0.05
# Indices that tell whether a function is worth reading off all of them.
_FEW = 16


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield pointwise explanations with a function for each index of an axis."""
    # None of the values of a log spectrum is an activation, and a floor bends every line.
    if problem.is_codes or problem.meta.kind == "log_spectrum":
        return
    for axis in problem.channel_axes():
        n = problem.expected.shape[axis]
        # The items of a batch go through one layer.
        if 2 <= n <= _MOST_INDICES and problem.size // n >= _FEWEST and problem.labels[axis] != "B":
            yield from _curves(problem, axis)


def _curves(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Each index of actual is a function of the same index of expected, or the other way round."""
    e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
    few = slice(None, None, max(1, len(e) // _FEW))
    for source, target, who in ((e, a, "actual"), (a, e, "expected")):
        if _are_labels(source[few]) or _share_left(source[few], target[few]) > _BENT * _in_units(problem, who):
            continue
        left = _share_left(source, target) / _in_units(problem, who)
        if left > _BENT:
            continue
        predicted = _read_off(source, target)
        if _beside_lines(source, target, predicted) > (_BENDS if who == "actual" else _UNDONE):
            continue
        if left * _in_units(problem, who) > _BENDS * _share_left(source.reshape(1, -1), target.reshape(1, -1)):
            continue  # one function of all says as much
        label, other = problem.labels[axis], "expected" if who == "actual" else "actual"
        message = (
            f"at each index of {label}, {who} is a function of {other} of its own, element by element, and no "
            "straight line; check activations with numbers per channel (alpha of Snake and its exponential, slopes of "
            "PReLU), and a bias before an activation"
        )
        moved = np.moveaxis(problem.expected, axis, 0).shape
        there = (
            np.moveaxis(np.where(np.isnan(predicted), source, predicted).reshape(moved), 0, axis),
            np.moveaxis(target.reshape(moved), 0, axis),
        )
        detail = {"side": who, "axis": label}
        yield Explanation("pointwise", message, _NUMBERS * len(e), *there, detail, left * problem.error)


def _in_units(problem: Problem, who: str) -> float:
    """Return the units of what is left of a side, in those of actual."""
    return 1.0 / max(in_units_of_actual(problem, 1.0, who), 1e-300)


def _are_labels(rows: Array) -> bool:
    """Whether a few values come again and again, as of an embedding: any other table of it is a function of them."""
    ordered = np.sort(rows, axis=1)
    return bool(np.mean(ordered[:, 1:] > ordered[:, :-1]) < _DISTINCT)


def _share_left(source: Array, target: Array) -> float:
    """Return the share of the difference that functions leave, where they are known."""
    predicted = _read_off(source, target)
    known = ~np.isnan(predicted)
    error = energy((target - source)[known])
    return energy((target - predicted)[known]) / error if error > 0 else 1.0


def _beside_lines(source: Array, target: Array, predicted: Array) -> float:
    """Return the share that a function leaves of what a straight line for each row leaves."""
    x, y = (side - side.mean(axis=1, keepdims=True) for side in (source, target))
    powers = np.einsum("ij,ij->i", x, x)
    slopes = np.einsum("ij,ij->i", x, y) / np.where(powers > 0, powers, 1)
    known = ~np.isnan(predicted)
    left = energy((y - slopes[:, None] * x)[known])
    return energy((target - predicted)[known]) / left if left > 0 else 1.0


def _read_off(source: Array, target: Array) -> Array:
    """Return each row of target from the values of source: on the line between the nearest two of other stretches.

    Neighbours in time are near in value whatever the function, so they are not asked; of what is beyond all others
    nothing is known, which is NaN.
    """
    is_odd = np.arange(source.shape[1]) // _STRETCH % 2 == 1
    predicted = np.full(source.shape, np.nan)
    for here in (is_odd, ~is_odd):
        order = np.argsort(source[:, ~here], axis=1)
        x, y = (np.take_along_axis(side[:, ~here], order, 1) for side in (source, target))
        rows = zip(source[:, here], x, y, strict=True)
        predicted[:, here] = [np.interp(at, xs, ys, left=np.nan, right=np.nan) for at, xs, ys in rows]
    return predicted
