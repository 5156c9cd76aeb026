"""A factor or a constant of its own for each index of an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.problem import Explanation, Problem, product, rows_of, squared
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]
    _Fit = Callable[[Array, Array], Array]

# Values per index that a parameter of its own needs.
_FEWEST = 8
# Indices that make a trend.
_FRAMES = 8
# Factors outside of this are no gains: an index at zero, or with other content, is wrong as a whole.
_SMALLEST, _LARGEST = 0.02, 50.0


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield channel_gain and channel_offset for every axis with enough values per index."""
    if problem.is_codes:
        return
    for axis, n in enumerate(problem.expected.shape):
        if n >= _FRAMES and axis in problem.time_axes:
            yield from _trends(problem, axis)
        if n >= 2 and problem.size // n >= _FEWEST:
            yield from _per_index(problem, axis)


def _trends(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Yield drift where gain or offset follows a straight line along an axis."""
    e, a = problem.expected, problem.actual
    n, label = e.shape[axis], problem.labels[axis]
    shape = [1] * e.ndim
    shape[axis] = n
    t = (np.arange(n) / (n - 1)).reshape(shape)
    for word, basis in (("gain", e), ("offset", np.ones_like(e))):
        start = a - e if word == "offset" else a
        both = np.array([[product(basis, basis), product(basis, basis * t)], [0.0, product(basis * t, basis * t)]])
        both[1, 0] = both[0, 1]
        right = np.array([product(basis, start), product(basis * t, start)])
        if not np.linalg.det(both) > 0:
            continue
        first, slope = np.linalg.solve(both, right)
        predicted = basis * (first + slope * t) + (e if word == "offset" else 0.0)
        message = (
            f"the {word} drifts along {label}, from {first:.4g} at its start to {first + slope:.4g} at its end; check "
            f"envelopes, positions, and steps that are summed up"
        )
        detail = {"axis": label, word: [float(first), float(first + slope)]}
        yield Explanation("drift", message, 2, predicted, a, detail)


def _per_index(problem: Problem, axis: int) -> Iterator[Explanation]:
    e, a = problem.expected, problem.actual
    n, label = e.shape[axis], problem.labels[axis]
    rows_e, rows_a = (rows_of(side, axis) for side in (e, a))
    shape = [1] * e.ndim
    shape[axis] = n
    offsets = _offsets(rows_e, rows_a)[:, 0]
    yield Explanation(
        "channel_offset",
        *_offset(problem, label, offsets),
        e + offsets.reshape(shape),
        a,
        _numbers("offset", label, offsets),
        _left(rows_e, rows_a, _offsets, np.add),
    )
    squares = (rows_e**2).sum(axis=1)
    gains = _gains(rows_e, rows_a)[:, 0]
    used = squares > 1e-12 * squares.max() if squares.max() > 0 else squares > 0
    if used.any() and (np.abs(gains[used]) > _SMALLEST).all() and (np.abs(gains[used]) < _LARGEST).all():
        low, high = float(gains[used].min()), float(gains[used].max())
        moved = np.abs(gains - 1) * np.sqrt(squares / rows_e.shape[1])
        changed = int((moved > 0.1 * problem.floor).sum())
        message = (
            f"each index of {label} has a gain of its own, from {low:.4g} to {high:.4g} ({changed} of {n} not 1); "
            "check normalisation layers (eps, mean square against variance), weight norm that is not folded, and "
            "scales per channel"
        )
        yield Explanation(
            "channel_gain",
            message,
            max(changed, 1),
            e * gains.reshape(shape),
            a,
            _numbers("gain", label, gains),
            _left(rows_e, rows_a, _gains, np.multiply),
        )


def _left(rows_e: Array, rows_a: Array, fit: _Fit, apply: np.ufunc) -> float:
    """Return what numbers per index leave of the half of the values that they were not fitted to, and vice versa.

    Rounding of a few large values looks like a gain of its own wherever one number is fitted to them.
    """
    halves = [(rows_e[:, start::2], rows_a[:, start::2]) for start in (0, 1)]
    return sum(squared(apply(e, fit(*other)), a) for (e, a), other in zip(halves, halves[::-1], strict=True))


def _offsets(rows_e: Array, rows_a: Array) -> Array:
    """Return the mean difference of each row as a column."""
    offsets: Array = (rows_a - rows_e).mean(axis=1, keepdims=True)
    return offsets


def _gains(rows_e: Array, rows_a: Array) -> Array:
    """Return the least-squares gain of each row as a column, 1 where expected is silent."""
    squares = (rows_e**2).sum(axis=1, keepdims=True)
    products = (rows_e * rows_a).sum(axis=1, keepdims=True)
    gains: Array = np.where(squares > 0, products / np.where(squares > 0, squares, 1), 1.0)
    return gains


def _offset(problem: Problem, label: str, offsets: Array) -> tuple[str, float]:
    factor = DB_PER_UNIT.get(problem.meta.unit or "", 0.0) if problem.meta.kind == "log_spectrum" else 0.0
    low, high = float(offsets.min()), float(offsets.max())
    span = f"from {low:+.4g} to {high:+.4g}" if not factor else f"from {low * factor:+.3f} to {high * factor:+.3f} dB"
    changed = int((np.abs(offsets) > problem.floor).sum())
    message = (
        f"each index of {label} has an offset of its own, {span} ({changed} of {offsets.size} not 0); check a bias "
        "vector that is missing or doubled, and means of a normalisation"
    )
    return message, float(max(changed, 1))


def _numbers(word: str, label: str, values: Array) -> dict[str, Any]:
    return {"axis": label, f"{word}s": values.tolist() if values.size <= 256 else None}
