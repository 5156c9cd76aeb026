"""A gain and an offset for each index of some axes: a normalisation by mean and deviation; or one gain for all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis import scale
from pytest_audioparity.diagnosis.channels import along, gains_of, left_by, per_index_gain, per_index_offset, powers_of
from pytest_audioparity.diagnosis.explanation import PARTIAL, explains
from pytest_audioparity.diagnosis.problem import Problem, restate, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.channels import Axes
    from pytest_audioparity.diagnosis.explanation import Explanation

    Array = np.ndarray[Any, Any]
    Pair = tuple[Explanation, Explanation]

# Values per index that its two numbers need.
_FEWEST = 16


def find(problem: Problem) -> Iterator[Pair]:
    """Yield one gain, or one for each index of an axis, each with an offset for each index on top."""
    if problem.is_codes:
        return
    for axes in problem.groups(_FEWEST):
        rows_e, rows_a = (rows_of(side, axes) for side in (problem.expected, problem.actual))
        left = float(left_by(rows_e, rows_a, _lines, _on_line).sum())
        # Offsets alone tell of the level of each index; what varies within it has to be there too.
        if left > PARTIAL * float(powers_of(_centred(rows_a)).sum()):
            continue
        yield from _of_one_slope(problem, axes, rows_e, rows_a)
        slopes, offsets = _lines(rows_e, rows_a)[:, :, 0]
        if (gain := per_index_gain(problem, axes, slopes)) is not None:
            yield gain, replace(_shifted(problem, axes, gain, offsets), parameters=len(rows_e), left=left)


def _of_one_slope(problem: Problem, axes: Axes, rows_e: Array, rows_a: Array) -> Iterator[Pair]:
    """Yield a gain, a sign or another logarithm of what varies within the indices, and their offsets."""
    inner = restate(_centred(rows_e), _centred(rows_a), ("index", "rest"), problem.meta, problem.allowed)
    for found in scale.find(inner):
        slope = found.detail.get("slope", found.detail.get("gain"))
        if slope is None or found.detail.get("offset") or explains(inner, found) < PARTIAL:
            continue
        first = replace(found, expected=slope * problem.expected, actual=problem.actual, left=-1.0)
        offsets = (rows_a - slope * rows_e).mean(axis=1)
        yield first, _shifted(problem, axes, first, offsets)


def _shifted(problem: Problem, axes: Axes, first: Explanation, offsets: Array) -> Explanation:
    predicted = first.expected + along(problem, axes, offsets)
    return per_index_offset(problem, axes, offsets, predicted, -1.0)


def _centred(rows: Array) -> Array:
    centred: Array = rows - rows.mean(axis=1, keepdims=True)
    return centred


def _lines(rows_e: Array, rows_a: Array) -> Array:
    """Return slope and intercept of the least-squares line of each row, as two columns."""
    slopes = gains_of(_centred(rows_e), _centred(rows_a))
    return np.stack([slopes, (rows_a - slopes * rows_e).mean(axis=1, keepdims=True)])


def _on_line(rows_e: Array, line: Array) -> Array:
    predicted: Array = rows_e * line[0] + line[1]
    return predicted
