"""A factor or a constant of its own for each index of an axis, or of several together, as in each item of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.envelopes import envelopes
from pytest_audioparity.diagnosis.explanation import COMPLETE, PARTIAL, Explanation, is_complete
from pytest_audioparity.diagnosis.problem import Problem, product, rows_of
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]
    Axes = tuple[int, ...]
    _Fit = Callable[[Array, Array], Array]

# Values per index that a parameter of its own needs.
_FEWEST = 8
# So many do where the numbers leave nothing of values that they were not fitted to, and where the values of an index
# vary by this share of what all do: the items of a batch may be one clip.
_FEWEST_EXACT, _VARIED = 2, 0.05
# Numbers that a finding lists.
_SHOWN = 256
# Indices that make a trend.
_FRAMES = 8
# An index of expected this far below the loudest (120 dB) is silence and its rounding: its gain is not worth telling.
_SILENT = 1e-12
# Steps between the ranks of neighbours, squared, beside those of independent numbers. Ratios of two windows of 400
# samples have 0.01 at most; gains per frame of a norm on speech have 0.035 and more, and of channels about 1.
_SMOOTH = 0.03


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield channel_gain and channel_offset for all axes with enough values per index."""
    if problem.is_codes:
        return
    for axis, n in enumerate(problem.expected.shape):
        if n >= _FRAMES and axis in problem.time_axes:
            yield from _trends(problem, axis)
            yield from envelopes(problem, axis)
    for axes in problem.groups(_FEWEST):
        yield from _per_index(problem, axes)
    # As of the embeddings of a few clips: a number that fits another clip as well, to the last bit, is no chance.
    for axes in set(problem.groups(_FEWEST_EXACT)) - set(problem.groups(_FEWEST)):
        if _vary(rows_of(problem.expected, axes)):
            yield from (found for found in _per_index(problem, axes) if is_complete(problem, found))


def _vary(rows: Array) -> bool:
    """Whether the values of each row differ from each other as those of all rows do, so that they are no repetition."""
    return float(rows.var(axis=1).mean()) > _VARIED * float(rows.var())


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
        ends = ("its start", "its end")
        if label in problem.origin:
            ends = (f"{label}={problem.at(label, 0)}", f"{label}={problem.at(label, n - 1)}")
        message = (
            f"the {word} drifts along {label}, from {first:.4g} at {ends[0]} to {first + slope:.4g} at {ends[1]}; "
            f"check envelopes, positions, and steps that are summed up"
        )
        detail = {"axis": label, word: [float(first), float(first + slope)]}
        yield Explanation("drift", message, 2, predicted, a, detail)


def _per_index(problem: Problem, axes: Axes) -> Iterator[Explanation]:
    e, a = problem.expected, problem.actual
    rows_e, rows_a = (rows_of(side, axes) for side in (e, a))
    offsets = _offsets(rows_e, rows_a)[:, 0]
    left_by_offsets = float(left_by(rows_e, rows_a, _offsets, np.add).sum())
    yield per_index_offset(problem, axes, offsets, e + along(problem, axes, offsets), left_by_offsets)
    gains, left = _known_gains(rows_e, rows_a)
    if (found := per_index_gain(problem, axes, gains)) is not None:
        yield replace(found, left=float(left.sum()))


def per_index_gain(problem: Problem, axes: Axes, gains: Array) -> Explanation | None:
    """Return channel_gain with the numbers that each index of some axes has, None where expected is silent."""
    said = _gain(problem, axes, rows_of(problem.expected, axes), gains)
    if said is None:
        return None
    detail = _numbers(problem, "gain", axes, gains)
    return Explanation("channel_gain", *said, problem.expected * along(problem, axes, gains), problem.actual, detail)


def per_index_offset(problem: Problem, axes: Axes, offsets: Array, predicted: Array, left: float) -> Explanation:
    """Return channel_offset with the numbers that each index of some axes has, and what they predict and leave."""
    said = _offset(problem, axes, offsets)
    detail = _numbers(problem, "offset", axes, offsets)
    return Explanation("channel_offset", *said, predicted, problem.actual, detail, left)


def along(problem: Problem, axes: Axes, values: Array) -> Array:
    """Return one value for each index of some axes in the shape that multiplies or adds to a side."""
    return values.reshape([n if i in axes else 1 for i, n in enumerate(problem.expected.shape)])


def left_by(rows_e: Array, rows_a: Array, fit: _Fit, apply: _Fit) -> Array:
    """Return what numbers per index leave, in each row, of the half that they were not fitted to, and vice versa.

    Rounding of a few large values looks like a gain of its own wherever one number is fitted to them.
    """
    halves = [(rows_e[:, start::2], rows_a[:, start::2]) for start in (0, 1)]
    left: Array = np.zeros(len(rows_e))
    for (e, a), other in zip(halves, halves[::-1], strict=True):
        left += powers_of(a - apply(e, fit(*other)))
    return left


def _known_gains(rows_e: Array, rows_a: Array) -> tuple[Array, Array]:
    """Return the gain of each row, and what it leaves there: 1, and all of the difference, where no gain is known.

    A gain may be 0, as at the ends of a window. Where expected is silent, or actual has other content, the best gain
    leaves most of actual, or more than nothing of the difference; there it is none.
    """
    gains, left = gains_of(rows_e, rows_a)[:, 0], left_by(rows_e, rows_a, gains_of, np.multiply)
    error = powers_of(rows_a - rows_e)
    unknown = (left > PARTIAL * powers_of(rows_a)) & (left > (1 - COMPLETE) * error)
    return np.where(unknown, 1.0, gains), np.where(unknown, error, left)


def powers_of(rows: Array) -> Array:
    """Return the sum of squares of each row."""
    powers: Array = np.einsum("ij,ij->i", rows, rows)
    return powers


def _offsets(rows_e: Array, rows_a: Array) -> Array:
    """Return the mean difference of each row as a column."""
    offsets: Array = (rows_a - rows_e).mean(axis=1, keepdims=True)
    return offsets


def gains_of(rows_e: Array, rows_a: Array) -> Array:
    """Return the least-squares gain of each row as a column, 1 where expected is silent."""
    squares = (rows_e**2).sum(axis=1, keepdims=True)
    products = (rows_e * rows_a).sum(axis=1, keepdims=True)
    gains: Array = np.where(squares > 0, products / np.where(squares > 0, squares, 1), 1.0)
    return gains


def _gain(problem: Problem, axes: Axes, rows_e: Array, gains: Array) -> tuple[str, float] | None:
    """Return message and number of parameters of gains, or None where expected is silent."""
    squares = powers_of(rows_e)
    used = squares > _SILENT * squares.max()
    if not used.any():
        return None
    n, label = gains.size, _named(problem, axes)
    low, high = float(gains[used].min()), float(gains[used].max())
    moved = np.abs(gains - 1) * np.sqrt(squares / rows_e.shape[1])
    changed = int((moved > 0.1 * problem.floor).sum())
    is_frame = axes == (problem.expected.ndim - 1,) or (len(axes) == 1 and axes[0] in problem.time_axes)
    windows = "window functions, " if is_frame and _is_smooth(gains[used]) else ""
    message = (
        f"each index of {label} has a gain of its own, from {low:.4g} to {high:.4g} ({changed} of {n} not 1); "
        f"check {windows}normalisation layers (eps, mean square against variance), weight norm that is not folded, and "
        "scales per channel"
    )
    return message, float(max(changed, 1))


def _is_smooth(gains: Array) -> bool:
    """Whether gains are a smooth function of the index; by their ranks, since at the ends of a window they explode."""
    n = gains.size
    if n < _FRAMES:
        return False
    ranks = gains.argsort(kind="stable").argsort(kind="stable")
    # The mean square of the difference of two different ranks is n(n + 1)/6.
    return float((np.diff(ranks) ** 2).mean()) < _SMOOTH * n * (n + 1) / 6


def _offset(problem: Problem, axes: Axes, offsets: Array) -> tuple[str, float]:
    factor = DB_PER_UNIT.get(problem.meta.unit or "", 0.0) if problem.meta.kind == "log_spectrum" else 0.0
    low, high = float(offsets.min()), float(offsets.max())
    span = f"from {low:+.4g} to {high:+.4g}" if not factor else f"from {low * factor:+.3f} to {high * factor:+.3f} dB"
    changed = int((np.abs(offsets) > problem.floor).sum())
    message = (
        f"each index of {_named(problem, axes)} has an offset of its own, {span} ({changed} of {offsets.size} not 0); "
        "check a bias vector that is missing or doubled, and means of a normalisation"
    )
    return message, float(max(changed, 1))


def _named(problem: Problem, axes: Axes) -> str:
    *others, last = (problem.labels[i] for i in axes)
    return f"{', '.join(others)} and {last}" if others else last


def _numbers(problem: Problem, word: str, axes: Axes, values: Array) -> dict[str, Any]:
    labels = [problem.labels[i] for i in axes]
    # Of an axis within each item of a batch, that axis is meant.
    inner = [label for label in labels if label != "B"] or labels
    numbers = {f"{word}s": values.tolist() if values.size <= _SHOWN else None}
    return {"axis": ", ".join(inner), **({"each": "B"} if len(inner) < len(labels) else {}), **numbers}
