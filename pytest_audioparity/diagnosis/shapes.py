"""Two shapes that differ: frames or channels too many or missing, axes exchanged, memory in another shape."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.layout import permuted_axes, reshaped
from pytest_audioparity.diagnosis.problem import Problem, restate, rows_of, squared
from pytest_audioparity.diagnosis.stretches import stretched
from pytest_audioparity.diagnosis.timing import best_lag, follow, near, overlap
from pytest_audioparity.records import Finding, StageMeta

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

_MOST_AXES = 5
# Two arrays are one in another order when the line between them leaves this little of the variance.
_LEFT = 0.05
# Frames of which a line leaves more than this are others.
_UNLIKE = 0.5
# Larger stages are not compared with every order of their axes.
MOST_ELEMENTS = 1 << 22


def explain_shapes(expected: Array, actual: Array, meta: StageMeta, allowed: float) -> list[Finding]:
    """Return findings for two float64 arrays of different shapes; empty when nothing fits.

    Parameters
    ----------
    expected, actual : finite, at most `MOST_ELEMENTS` and at least one element
    meta : what is declared
    allowed : residual (rms) that the tolerance allows
    """
    labels = tuple(meta.axes) if meta.axes else tuple(f"axis {i}" for i in range(expected.ndim))
    found = list(_reordered(expected, actual, labels, meta, allowed))
    if found:
        return found
    if expected.ndim != actual.ndim:
        return []
    differ = [i for i, (n, m) in enumerate(zip(expected.shape, actual.shape, strict=True)) if n != m]
    if len(differ) != 1:
        return []
    axis = differ[0]
    if _is_time(labels, axis, expected.ndim):
        return _length(expected, actual, labels, meta, allowed, axis)
    return _channels(expected, actual, labels, axis)


def _is_time(labels: tuple[str, ...], axis: int, ndim: int) -> bool:
    """Whether an axis is time: by its letter, or, undeclared, by being the last one of a few or the only one."""
    return labels[axis] == "T" or (labels[axis].startswith("axis") and (axis == ndim - 1 or ndim == 1))


def _reordered(
    expected: Array, actual: Array, labels: tuple[str, ...], meta: StageMeta, allowed: float
) -> Iterator[Finding]:
    """Yield axes_permuted or reshaped, with a gain on top where there is one."""
    long_e, long_a = ([n for n in side.shape if n > 1] for side in (expected, actual))
    # Axes of length 1 that are there or not change no order.
    if expected.size != actual.size or expected.ndim > _MOST_AXES:
        return
    if expected.ndim != actual.ndim and long_e == long_a:
        return
    tried = []
    same = sorted(expected.shape) == sorted(actual.shape) and expected.ndim == actual.ndim
    for order in itertools.permutations(range(expected.ndim)) if expected.ndim > 1 else [(0,)]:
        moved = expected.transpose(order)
        kind = "axes_permuted" if same and moved.shape == actual.shape else "reshaped"
        tried.append((_left(moved.reshape(actual.shape), actual), kind != "axes_permuted", order, moved, kind))
    left, _, order, moved, kind = min(tried, key=lambda item: item[:2])
    if left > _LEFT:
        return
    problem = Problem(expected, expected, labels, meta, 0.0, allowed, 1.0)
    describe = permuted_axes if kind == "axes_permuted" else reshaped
    found = describe(problem, moved.reshape(actual.shape), actual, order)
    yield Finding(kind, found.message, explains=1.0 - left, detail=found.detail)
    names = (
        tuple(labels[i] for i in order) if kind == "axes_permuted" else tuple(f"axis {i}" for i in range(actual.ndim))
    )
    rest = restate(found.expected, actual, names, meta, allowed)
    if math.sqrt(rest.error / rest.size) > allowed:
        yield from _of_values(rest)


def _left(e: Array, a: Array) -> float:
    """Return the share of actual's variance that a straight line in expected leaves."""
    p, q = e.ravel() - e.mean(), a.ravel() - a.mean()
    power = float(p @ p) * float(q @ q)
    if power == 0:
        return 0.0 if squared(e, a) == 0 else 1.0
    return max(0.0, 1.0 - float(p @ q) ** 2 / power)


def _length(
    expected: Array, actual: Array, labels: tuple[str, ...], meta: StageMeta, allowed: float, axis: int
) -> list[Finding]:
    e, a = (rows_of(side, axis) for side in (expected, actual))
    label, more = labels[axis], len(a) - len(e)
    unit = ("sample" if meta.kind == "waveform" else "frame") + ("" if abs(more) == 1 else "s")
    said = f"actual is {abs(more)} {unit} {'longer' if more > 0 else 'shorter'} along {label}"
    n = min(len(e), len(a))
    part = Problem(e[:n], a[:n], (label, "rest"), meta, 0.0, allowed, max(squared(e[:n], a[:n]), 1e-300))
    if (rate := _rate(part, e, a)) is not None:
        return [rate, Finding("length", said, detail={"axis": label, "difference": more})]
    lag = _lag(e, a, allowed)
    pieces = follow(e, a, near=near(part, e))
    covered = sum(piece.stop - piece.start for piece in pieces) / n
    if len(pieces) > 1 and covered > 0.8 and len({piece.lag for piece in pieces}) > 1:
        at = pieces[1].start
        where, word = "inside", f", inside: from {label}={at} on it is {abs(pieces[1].lag - pieces[0].lag)} off"
    elif lag is None:
        where, word, at = "unknown", "", None
    elif lag == 0:
        where, word, at = "end", ", at the end", n
    else:
        where, at = "start", 0
        word = f", {abs(lag)} of them {'added' if lag > 0 else 'cut'} at the start"
    check = "check padding, trimming, centring, and the last (partial) chunk"
    if meta.kind == "codes" and where == "end" and np.array_equal(e[:n], a[:n]):
        check = "up to there all codes are equal; check when generation ends: the end token, and of which codebooks"
    message = f"{said}{word}; {check}"
    detail = {"axis": label, "difference": more, "where": where, "at": at, "shift": lag}
    findings = [Finding("length", message, explains=None, detail=detail)]
    if lag is None or where == "inside":
        return findings
    common = restate(*overlap(e, a, lag), (label, "rest"), meta, allowed)
    return findings + (_of_values(common) if math.sqrt(common.error / common.size) > allowed else [])


def _of_values(problem: Problem) -> list[Finding]:
    """Return what else is wrong with values that have been brought together."""
    from pytest_audioparity.diagnosis.search import explain

    return [found for found in explain(problem) if found.code not in ("unexplained", "uncorrelated", "rounding")]


def _lag(e: Array, a: Array, allowed: float) -> int | None:
    """Return the lag at which the common frames are most alike, up to a gain; 0 if they are there, None if nowhere."""
    lags = dict.fromkeys((0, len(a) - len(e), best_lag(e, a)))
    scored = []
    for lag in lags:
        part_e, part_a = overlap(e, a, lag)
        if len(part_e):
            is_right = squared(part_e, part_a) <= allowed**2 * part_e.size
            scored.append((0.0 if is_right else _left(part_e, part_a), lag))
    left, lag = min(scored, key=lambda item: item[0])
    return lag if left <= _UNLIKE else None


def _rate(part: Problem, e: Array, a: Array) -> Finding | None:
    for found in stretched(part, e, a, 0):
        spread = float(((found.actual - found.actual.mean()) ** 2).sum())
        ratio = found.detail["ratio"]
        if found.left < _LEFT * spread and abs(len(a) * ratio / len(e) - 1) < 0.02:
            return Finding("sample_rate", found.message, explains=1.0 - found.left / spread, detail=found.detail)
    return None


def _channels(expected: Array, actual: Array, labels: tuple[str, ...], axis: int) -> list[Finding]:
    rows_e, rows_a = (rows_of(side, axis) for side in (expected, actual))
    label, more = labels[axis], len(rows_a) - len(rows_e)
    few, many = (rows_a, rows_e) if more < 0 else (rows_e, rows_a)
    distance = ((few**2).sum(axis=1)[:, None] + (many**2).sum(axis=1)[None, :] - 2 * few @ many.T).clip(0)
    chosen = distance.argmin(axis=1)
    close = distance[np.arange(len(few)), chosen] <= 1e-4 * np.maximum((few**2).sum(axis=1), 1e-300)
    absent = sorted(set(range(len(many))) - set(chosen.tolist()))
    word = "missing" if more < 0 else "too many"
    message = f"actual has {abs(more)} indices of {label} {'less' if more < 0 else 'more'} than expected"
    if close.mean() > 0.9 and len(absent) == abs(more):
        shown = ", ".join(map(str, absent[:8])) + (" ..." if len(absent) > 8 else "")
        message += f"; {word}: {shown}"
    message += "; check the count of channels, codebooks or mel bins, and slices"
    detail = {"axis": label, "difference": more, "indices": absent[:256] if close.mean() > 0.9 else None}
    return [Finding("missing_channels", message, detail=detail)]
