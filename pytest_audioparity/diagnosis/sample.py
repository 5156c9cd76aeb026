"""The part of a large stage that its diagnosis looks at: around the first place that is wrong.

A stage of up to `SAMPLE` elements is looked at whole. Of a larger one a block is taken, in which neighbours stay
neighbours: of all channels if they fit, along time around the first frame that is wrong. What is wrong from the start
is seen from the start, where stretched signals are still near each other, and of what goes wrong later the block holds
what came before. Moves that take values from far away read them from the whole stage, see `Problem.read`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.problem import SAMPLE, Problem, Whole, hashed, labels_of, restate, strides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_audioparity.records import StageMeta

    Array = np.ndarray[Any, Any]

# No axis is cut below this while another one is longer, so that lags have room, and no time axis below that, so that
# channels stay together; a batch is the first that goes.
_KEEP, _KEEP_FRAMES = 512, 128
# Elements among which the first wrong one is looked for, in so many parts of an axis at a time.
_LOOKED_AT = 1 << 22
_PARTS = 64
# A part is wrong when its error is no less than this share of the mean: as what is clean beside a place that is not, so
# that rounding before it does not count (20 dB; `margins.CLEANER` is 26 dB, beside the signal). And when it is as wrong
# as most that is.
BEGUN, MOST = 0.01, 0.5


def pose(
    expected: Array,
    actual: Array,
    meta: StageMeta,
    allowed: float,
    worst: Sequence[int] | None = None,
    *,
    share: float = BEGUN,
) -> Problem:
    """Take what a diagnosis looks at of two arrays of one shape.

    Parameters
    ----------
    expected, actual : finite, of one shape
    meta : what is declared; axes that are not declared are numbered
    allowed : residual (rms) that the tolerance allows
    worst : the index of the largest difference, around which the sample is taken if it cannot be told where it begins
    share : of the mean error, from which on a place is taken for wrong
    """
    labels = labels_of(expected, meta)
    where = _window(expected, actual, labels, meta.kind, worst, share)
    origin = {
        label: (part.start, n)
        for label, part, n in zip(labels, where, expected.shape, strict=False)
        if part.stop - part.start < n
    }
    e, a = _wide(expected[where], actual[where])
    if meta.kind == "codes":
        e, a = hashed(e), hashed(a)
    is_pair = e.ndim > len(labels)
    problem = restate(e, a, (*labels, "part") if is_pair else labels, meta, allowed, origin)
    # The parts of complex numbers are moved within the sample.
    if not origin or is_pair:
        return problem
    part = _level(problem.expected, problem.actual, meta.kind)
    spread = _level(*_spread(expected, actual, [slice(0, n) for n in expected.shape]), meta.kind)
    return replace(problem, whole=Whole(expected, actual, where, part / spread if spread > 0 else 1.0))


def _window(
    expected: Array, actual: Array, labels: Sequence[str], kind: str | None, worst: Sequence[int] | None, share: float
) -> tuple[slice, ...]:
    """Return the part to work on: all of a small stage."""
    whole = tuple(slice(0, n) for n in expected.shape)
    size = sizes(expected.shape, labels)
    if size == expected.shape:
        return whole
    where = list(whole)
    # The first that is wrong along time, then along what else is cut, of what is looked at by then.
    cut = [i for i, n in enumerate(size) if n < expected.shape[i]]
    for axis in sorted(cut, key=lambda i: (labels[i] != "T", -expected.shape[i])):
        at = _onset(expected, actual, where, axis, kind, share)
        where[axis] = _around(expected.shape[axis], size[axis], at)
    if worst is not None:
        alone = _mean_error(expected, actual, [slice(at, at + 1) for at in worst], kind)
        # A single element holds most of the error, and was not among those that were looked at.
        if alone > expected.size * _mean_error(expected, actual, whole, kind):
            where = [_around(n, taken, at) for n, taken, at in zip(expected.shape, size, worst, strict=True)]
    return tuple(where)


def sizes(shape: Sequence[int], labels: Sequence[str]) -> tuple[int, ...]:
    """Return how long a part of at most `SAMPLE` elements is along each axis."""
    taken = list(shape)
    # Without a name, the longest axis is taken for time.
    time = labels.index("T") if "T" in labels else taken.index(max(taken, default=0)) if taken else None
    batch = labels.index("B") if "B" in labels else None
    for axis, least in ((time, _KEEP), (batch, 1), (time, _KEEP_FRAMES)):
        if axis is not None and math.prod(taken) > SAMPLE:
            others = math.prod(taken) // taken[axis]
            taken[axis] = min(taken[axis], max(SAMPLE // others, least))
    while math.prod(taken) > SAMPLE:
        longest = int(np.argmax(taken))
        others = math.prod(taken) // taken[longest]
        taken[longest] = max(SAMPLE // others, min(_KEEP_FRAMES, taken[longest] // 2), 1)
    return tuple(taken)


def _onset(expected: Array, actual: Array, where: Sequence[slice], axis: int, kind: str | None, share: float) -> int:
    """Return the first wrong index of an axis within a part of a stage."""
    start, stop, mean = int(where[axis].start), int(where[axis].stop), None
    while True:
        edges = np.unique(np.linspace(start, stop, min(_PARTS, stop - start) + 1).astype(int))
        errors = np.array(
            [
                _mean_error(expected, actual, [*where[:axis], slice(first, last), *where[axis + 1 :]], kind)
                for first, last in itertools.pairwise(edges)
            ]
        )
        mean = float(np.average(errors, weights=np.diff(edges))) if mean is None else mean
        wrong = np.flatnonzero(errors > share * mean)
        if wrong.size == 0:
            return start
        start, stop = int(edges[wrong[0]]), int(edges[wrong[0] + 1])
        if stop - start == 1:
            return start


def _mean_error(expected: Array, actual: Array, where: Sequence[slice], kind: str | None) -> float:
    """Return the mean squared difference of evenly spread elements of a part; of codes the share that differs."""
    return _error(*_spread(expected, actual, where), kind)


def _error(e: Array, a: Array, kind: str | None) -> float:
    if kind == "codes":
        return float(np.mean(e != a))
    e, a = _wide(e, a)
    return float(np.mean((a - e) ** 2))


def _level(e: Array, a: Array, kind: str | None) -> float:
    """Return the mean squared difference beside the signal, where there is such a thing; of codes the share."""
    error = _error(e, a, kind)
    if kind in ("codes", "log_spectrum"):
        return error
    e, a = _wide(e, a)
    signal = float(np.mean(e**2) + np.mean(a**2))
    return error / signal if signal > 0 else 0.0


def _spread(expected: Array, actual: Array, where: Sequence[slice]) -> tuple[Array, Array]:
    """Return evenly spread elements of a part, of both sides."""
    steps = strides([part.stop - part.start for part in where], _LOOKED_AT / _PARTS)
    places = tuple(slice(part.start, part.stop, step) for part, step in zip(where, steps, strict=True))
    return expected[places], actual[places]


def _around(n: int, size: int, at: int) -> slice:
    start = min(max(0, at - size // 2), n - size)
    return slice(start, start + size)


def _wide(*sides: Array) -> list[Array]:
    """Return float64; where one side is complex, both become pairs in a last axis."""
    if not any(side.dtype.kind == "c" for side in sides):
        return [np.asarray(side, np.float64) for side in sides]
    whole = [np.ascontiguousarray(side, np.complex128) for side in sides]
    return [wide.view(np.float64).reshape(*side.shape, 2) for wide, side in zip(whole, sides, strict=True)]
