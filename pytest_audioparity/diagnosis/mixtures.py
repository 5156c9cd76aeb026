"""Each index of an axis is a mixture: of those around it, as of another mel scale, or of a few channels in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import rows_of, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# Fewer indices are no scale; more are a hidden layer, whose neighbours have nothing in common.
_INDICES, _MOST_INDICES = 8, 513
# Rows on either side of the most alike one that are mixed, and values that each number of a fit needs.
_REACH, _PER_NUMBER = 2, 8
# Filters keep their order: so many of the steps between the partners of neighbours go up, or stay.
_IN_ORDER, _STEP = 0.9, 4
# By how much more alike another row has to be than the own one, so that silent rows stay; and how many rows have their
# partner to themselves where rows are moved and not mixed.
_STAYS, _APART = 1e-7, 0.9
# Rows that tell whether it is worth the fit, the share of them that no gain explains, and what a mixture has to leave
# there of what a gain leaves.
_ROWS, _SOME, _WORTH = 16, 0.25, 0.5
# How far away other rows are taken, as a share of all, and what neighbours leave at most of what those do: of other mel
# filters 0.21 to 0.72, of other or coarser weights of a layer 0.94 and more.
_ELSEWHERE, _BETTER = 0.4, 0.85
# Columns that tell which row is the most alike.
_COLUMNS = 512
# What a mixture of a few channels leaves of the difference at most.
_LEFT = 0.01
# The share that is rounding. Of log-mels whose bins were moved, noise, a floor, a coarser grid or a lag leaves what the
# rows beside a partner explain to 11 % at most; of other mel filters, half.
_EXACT, _MIXED = 1e-3, 0.85


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield filtered where each index of an axis is a mixture of some that are near each other, in order, or of few."""
    if problem.is_codes:
        return
    for axis in problem.channel_axes():
        n = problem.expected.shape[axis]
        numbers = 2 * _REACH + 2
        if n < _INDICES and problem.labels[axis] == "C":
            yield from _of_channels(problem, axis)
        if not _INDICES <= n <= _MOST_INDICES or problem.size // n < 2 * _PER_NUMBER * numbers:
            continue
        rows_e, rows_a = (_centred(rows_of(side, axis)) for side in (problem.expected, problem.actual))
        partners = nearest(rows_e, rows_a)
        if is_in_order(partners) and _is_worth(rows_e, rows_a, partners):
            yield _mixture(problem, axis, partners)


def _of_channels(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Each channel of actual is a mixture of all of expected: middle and sides, a down-mix, other loudspeakers."""
    rows_e, rows_a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
    n, columns = rows_e.shape
    errors = ((rows_a - rows_e) ** 2).sum(axis=1)
    # Where one is as it was, the others are a place.
    if n < 2 or columns < 2 * _PER_NUMBER * n or errors.min() <= _EXACT * errors.max():
        return
    halves = (slice(0, None, 2), slice(1, None, 2))
    left = sum(
        squared(_weights(rows_e[:, there], rows_a[:, there]) @ rows_e[:, here], rows_a[:, here])
        for here, there in (halves, halves[::-1])
    )
    if left > _LEFT * problem.error:
        return
    weights, label = _weights(rows_e, rows_a), problem.labels[axis]
    said = "; ".join(
        f"{at} = " + " ".join(f"{weight:+.4g} * {other}" for other, weight in enumerate(row) if abs(weight) > _EXACT)
        for at, row in enumerate(weights.tolist())
    )
    message = (
        f"each index of {label} is a mixture of all ({said}); check the down-mix to mono, middle and side for left and "
        "right, and the order of loudspeakers"
    )
    shape = np.moveaxis(problem.expected, axis, 0).shape
    predicted = np.moveaxis((weights @ rows_e).reshape(shape), 0, axis)
    detail = {"axis": label, "weights": weights.tolist()}
    yield Explanation("filtered", message, weights.size, predicted, problem.actual, detail, left)


def _weights(rows_e: Array, rows_a: Array) -> Array:
    """Return the matrix by which rows of actual are mixed from those of expected, by least squares."""
    weights: Array = np.linalg.lstsq(rows_e.T, rows_a.T, rcond=None)[0].T
    return weights


def nearest(rows_e: Array, rows_a: Array) -> Array:
    """Return for each row of actual the row of expected that is most alike by angle."""
    step = max(1, rows_e.shape[1] // _COLUMNS)
    unit_e, unit_a = (_unit(rows[:, ::step]) for rows in (rows_e, rows_a))
    alike = np.abs(unit_a @ unit_e.T)
    alike[np.diag_indices(len(alike))] += _STAYS
    partners: Array = alike.argmax(axis=1)
    return partners


def is_in_order(partners: Array) -> bool:
    """Whether the partners of neighbours are neighbours, in the same order, with no block of them elsewhere."""
    steps = np.diff(partners)
    back = float(-steps[steps < 0].sum())
    return bool(((steps >= 0) & (steps <= _STEP)).mean() >= _IN_ORDER and back <= (1 - _IN_ORDER) * partners.size)


def _unit(rows: Array) -> Array:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Array = rows / np.where(norms > 0, norms, 1)
    return unit


def _centred(rows: Array) -> Array:
    centred: Array = rows - rows.mean(axis=1, keepdims=True)
    return centred


def _is_worth(rows_e: Array, rows_a: Array, partners: Array) -> bool:
    """Whether neighbours of the own row leave less than that row with a gain, and than as many rows from elsewhere.

    Not only of a few rows, such as silent ones; and where any rows explain any other, neighbours say nothing.
    """
    single, mixed, others, looked_at = [], [], [], range(0, len(rows_a), max(1, len(rows_a) // _ROWS))
    for at in looked_at:
        left = _left_by(rows_e[at : at + 1], rows_a[at])
        if left > _EXACT * float(rows_a[at] @ rows_a[at]) / rows_a.shape[1]:
            there = np.arange(len(rows_e))[_around(partners[at])]
            single.append(left)
            mixed.append(_left_by(rows_e[there], rows_a[at]))
            away = (there[there != partners[at]] + int(_ELSEWHERE * len(rows_e))) % len(rows_e)
            others.append(_left_by(rows_e[np.append(away, partners[at])], rows_a[at]))
    is_less = sum(mixed) < min(_WORTH * sum(single), _BETTER * sum(others))
    return len(single) >= _SOME * len(looked_at) and is_less


def _around(partner: int) -> slice:
    return slice(max(0, int(partner) - _REACH), int(partner) + _REACH + 1)


def _mixture(problem: Problem, axis: int, partners: Array) -> Explanation:
    rows_e, rows_a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
    predicted, left, numbers = np.empty_like(rows_a), 0.0, 0
    ones = np.ones((1, rows_e.shape[1]))
    for at, partner in enumerate(partners.tolist()):
        basis = np.concatenate([rows_e[_around(partner)], ones])
        predicted[at] = _fit(basis, rows_a[at]) @ basis
        numbers += len(basis)
        for start in (0, 1):  # measured in the half that it was not fitted to
            here, there = slice(start, None, 2), slice(1 - start, None, 2)
            rest = rows_a[at, here] - _fit(basis[:, there], rows_a[at, there]) @ basis[:, here]
            left += float(rest @ rest)
    label = problem.labels[axis]
    message = (
        f"each index of {label} is a mixture of those around it, with weights of its own; check the filters of a mel "
        "scale: HTK against Slaney, lowest and highest frequency, the rate and the FFT size they are made for"
    )
    shape = np.moveaxis(problem.expected, axis, 0).shape
    there = np.moveaxis(predicted.reshape(shape), 0, axis)
    return Explanation("filtered", message, numbers, there, problem.actual, {"axis": label}, left)


def _fit(basis: Array, row: Array) -> Array:
    weights: Array = np.linalg.lstsq(basis.T, row, rcond=None)[0]
    return weights


def are_mixed(rows_e: Array, rows_a: Array, order: Array) -> bool:
    """Whether rows that seem moved are mixtures of rows beside each other, as of other mel filters: none has moved.

    What another fault leaves of a row that did move, the rows beside its partner do not explain.
    """
    rows_e, rows_a = _centred(rows_e), _centred(rows_a)
    if order.size <= _MOST_INDICES:
        vary = np.any(rows_e != 0, axis=1) & np.any(rows_a != 0, axis=1)
        partners = nearest(rows_e[vary], rows_a[vary]) if vary.any() else np.arange(0)
        if partners.size > 1 and np.unique(partners).size < _APART * partners.size and is_in_order(partners):
            return True
    moved = np.flatnonzero(order != np.arange(order.size))
    columns = rows_e.shape[1]
    if columns < _PER_NUMBER:
        return False
    single = mixed = total = 0.0
    for at in moved[:: max(1, moved.size // (2 * _ROWS))].tolist():
        row, partner = rows_a[at], order[at]
        single += _left_by(rows_e[partner : partner + 1], row)
        mixed += _left_by(rows_e[max(0, partner - 1) : partner + 2], row)
        total += float(row @ row) / columns
    return single > _EXACT * total and mixed < _MIXED * single


def _left_by(rows: Array, row: Array) -> float:
    """Return the variance that other rows leave of one; every number that is fitted takes one of its free values."""
    left = row - _fit(rows, row) @ rows
    return float(left @ left) / (row.size - 1 - len(rows))
