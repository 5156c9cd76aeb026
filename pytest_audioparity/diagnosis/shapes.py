"""Two shapes that differ: frames or channels too many or missing, axes exchanged, memory in another shape."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import PARTIAL
from pytest_audioparity.diagnosis.layout import permuted_axes, reshaped
from pytest_audioparity.diagnosis.moves import few_of, turned
from pytest_audioparity.diagnosis.orders import delayed_rows
from pytest_audioparity.diagnosis.problem import (
    SAMPLE,
    Problem,
    elements,
    labels_of,
    places_in,
    restate,
    rows_of,
    squared,
    unit_of,
)
from pytest_audioparity.diagnosis.sample import sizes
from pytest_audioparity.diagnosis.stretches import stretched
from pytest_audioparity.diagnosis.timing import best_lag, follow, near, overlap
from pytest_audioparity.records import Finding, StageMeta

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

_MOST_AXES = 5
# Two arrays are one in another order when the line between them leaves this little of the variance.
_LEFT = 0.05
# Of a few elements, a line may leave so much more by chance.
_MAYBE = 0.1
# Frames of which a line leaves more than this are others.
_UNLIKE = 0.5
# Beyond this many channels, the table of all pairs takes more memory than the stage.
_MOST_CHANNELS = 2048
# Frames of each side that are looked at, from the start.
_LONGEST = 1 << 20
# Frames that tell whether what was found for the beginning holds to the end.
_TAIL = 1 << 12


def explain_shapes(expected: Array, actual: Array, meta: StageMeta, allowed: float) -> list[Finding]:
    """Return findings for two arrays of different shapes; empty when nothing fits.

    Parameters
    ----------
    expected, actual : finite, of at least one element; of large ones a part is looked at
    meta : what is declared
    allowed : residual (rms) that the tolerance allows
    """
    labels = labels_of(expected, meta)
    if is_complex := "c" in (expected.dtype.kind, actual.dtype.kind):
        if expected.dtype.kind != actual.dtype.kind:
            return []
        expected, actual, labels = _parts(expected), _parts(actual), (*labels, "part")
    found = list(_reordered(expected, actual, labels, meta, allowed))
    if found:
        return found
    if expected.ndim != actual.ndim:
        return []
    differ = [i for i, (n, m) in enumerate(zip(expected.shape, actual.shape, strict=True)) if n != m]
    if len(differ) != 1:
        return []
    axis = differ[0]
    e, a = _rows(axis, expected, actual)
    if _is_time(labels, axis, expected):
        delayed = list(delayed_rows(expected, actual, axis, labels)) if meta.kind == "codes" else []
        return delayed + _length(
            e, a, (labels[axis], "rest", "part") if is_complex else (labels[axis], "rest"), meta, allowed
        )
    return _channels(np.asarray(e, np.float64), np.asarray(a, np.float64), labels[axis])


def _parts(side: Array) -> Array:
    """Return the real and the imaginary parts in a last axis, without a copy where the memory is in order."""
    side = np.ascontiguousarray(side)
    return side.view(side.real.dtype).reshape(*side.shape, 2)


def _rows(axis: int, *sides: Array) -> list[Array]:
    """Return what stands at each index of the axis along which sides differ in a row, a part of it if there is much."""
    others = [slice(0, n) for n in sides[0].shape]
    others[axis] = slice(None)
    most = max(1, _LONGEST // max(side.shape[axis] for side in sides))
    while math.prod(part.stop for part in others if part.stop is not None) > most:
        longest = max((i for i in range(len(others)) if i != axis), key=lambda i: others[i].stop)
        others[longest] = slice(0, others[longest].stop // 2)
    return [rows_of(side[tuple(others)], axis) for side in sides]


def _is_time(labels: tuple[str, ...], axis: int, expected: Array) -> bool:
    """Whether an axis is time: by its letter, or, undeclared, by being the last one, or the smoothest by far."""
    if not labels[axis].startswith("axis"):
        return labels[axis] == "T"
    if axis == len(labels) - 1 - (labels[-1] == "part"):
        return True
    block = np.asarray(expected[tuple(slice(0, n) for n in sizes(expected.shape, labels))], np.float64)
    return restate(block, block, labels, StageMeta(""), 0.0).time_axes == [axis]


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
    same = sorted(expected.shape) == sorted(actual.shape) and expected.ndim == actual.ndim
    # A block from the beginning of a large stage: an order of axes is the same everywhere.
    block = sizes(actual.shape, labels if same else ())
    places = places_in(actual.shape, [slice(0, n) for n in block])
    tried = []
    last = (expected.ndim - 1,) if labels[-1:] == ("part",) else ()
    for first in itertools.permutations(range(expected.ndim - len(last))):
        order = (*first, *last)
        is_permuted = same and tuple(expected.shape[i] for i in order) == actual.shape
        tried.append((_left_in_order(expected, actual, places, order), not is_permuted, order))
    left, is_reshaped, order = min(tried)
    kind = "reshaped" if is_reshaped else "axes_permuted"
    if left > _LEFT:
        return
    moved = _wide(expected, turned(places, expected.shape, order)).reshape(block)
    there = _wide(actual, places).reshape(block)
    problem = Problem(there, there, labels, meta, 0.0, allowed, 1.0)
    describe = permuted_axes if kind == "axes_permuted" else reshaped
    found = describe(problem, moved, there, order)
    yield Finding(kind, found.message, explains=1.0 - left, detail=found.detail)
    names = (
        tuple(labels[i] for i in order) if kind == "axes_permuted" else tuple(f"axis {i}" for i in range(actual.ndim))
    )
    rest = restate(moved, there, names, meta, allowed)
    if math.sqrt(rest.error / rest.size) > allowed:
        yield from _of_values(rest)


def _left_in_order(expected: Array, actual: Array, places: Array, order: tuple[int, ...]) -> float:
    """Return what a line from expected in another order of axes leaves of actual; about that if it is too much."""
    few = places[few_of(places.size)]
    left = 1.0
    for at in (few, places) if few.size < places.size else (places,):
        left = _left(_wide(expected, turned(at, expected.shape, order)), _wide(actual, at))
        if left > _MAYBE:
            break
    return left


def _wide(side: Array, places: Array) -> Array:
    return np.asarray(elements(side, places), np.float64)


def _left(e: Array, a: Array) -> float:
    """Return the share of actual's variance that a straight line in expected leaves."""
    p, q = e.ravel() - e.mean(), a.ravel() - a.mean()
    power = float(p @ p) * float(q @ q)
    if power == 0:
        return 0.0 if squared(e, a) == 0 else 1.0
    return max(0.0, 1.0 - float(p @ q) ** 2 / power)


def _length(whole_e: Array, whole_a: Array, labels: tuple[str, ...], meta: StageMeta, allowed: float) -> list[Finding]:
    label, more = labels[0], len(whole_a) - len(whole_e)
    said = f"actual is {abs(more)} {unit_of(meta, abs(more))} {'longer' if more > 0 else 'shorter'} along {label}"
    e, a = (np.asarray(side[:_LONGEST], np.float64) for side in (whole_e, whole_a))
    n = min(len(e), len(a))
    part = Problem(e[:n], a[:n], (label, "rest"), meta, 0.0, allowed, max(squared(e[:n], a[:n]), 1e-300))
    # Whatever became of phases, magnitudes are at their times.
    like_e, like_a = (side if labels[-1] != "part" else np.hypot(side[:, ::2], side[:, 1::2]) for side in (e, a))
    left, lag = _lag(like_e, like_a, more, allowed)
    if (rate := _rate(part, e, a, len(whole_a) / len(whole_e), left)) is not None:
        return [rate, Finding("length", said, detail={"axis": label, "difference": more})]
    # Behind the last frame of expected stands what was added, which may be that frame again.
    pieces = [piece for piece in follow(e, a, near=near(part, e)) if piece.start < len(e)]
    covered = sum(piece.stop - piece.start for piece in pieces) / n
    if len(pieces) > 1 and covered > 0.8 and len({piece.lag for piece in pieces}) > 1:
        at = pieces[1].start
        where, word = "inside", f", inside: from {label}={at} on it is {abs(pieces[1].lag - pieces[0].lag)} off"
    elif lag is None or (n < min(len(whole_e), len(whole_a)) and _ends_otherwise(whole_e, whole_a, lag, allowed)):
        where, word, at, lag = "unknown", "", None, None
    elif lag == 0:
        where, word, at = "end", ", at the end", min(len(whole_e), len(whole_a))
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
    taken_e, taken_a = (side.reshape(len(side), -1, *[2] * (len(labels) - 2)) for side in overlap(e, a, lag))
    common = restate(taken_e, taken_a, labels, meta, allowed)
    return findings + (_of_values(common) if math.sqrt(common.error / common.size) > allowed else [])


def _of_values(problem: Problem) -> list[Finding]:
    """Return what else is wrong with values that have been brought together."""
    from pytest_audioparity.diagnosis.search import explain

    return [found for found in explain(problem) if found.code not in ("unexplained", "uncorrelated", "rounding")]


def _ends_otherwise(e: Array, a: Array, lag: int, allowed: float) -> bool:
    """Whether the last frames are not alike at the lag of the first ones."""
    part_e, part_a = (np.asarray(side[-_TAIL:], np.float64) for side in overlap(e, a, lag))
    return squared(part_e, part_a) > allowed**2 * part_e.size and _left(part_e, part_a) > _UNLIKE


def _lag(e: Array, a: Array, more: int, allowed: float) -> tuple[float, int | None]:
    """Return what the lag leaves at which the common frames are most alike, up to a gain, and the lag.

    It is 0 if they are there, and None if they are nowhere.
    """
    lags = dict.fromkeys((0, more, best_lag(e, a)))
    scored = []
    for lag in lags:
        part_e, part_a = overlap(e, a, lag)
        if len(part_e):
            is_right = squared(part_e, part_a) <= allowed**2 * part_e.size
            scored.append((0.0 if is_right else _left(part_e, part_a), lag))
    left, lag = min(scored, key=lambda item: item[0])
    return left, lag if left <= _UNLIKE else None


def _rate(part: Problem, e: Array, a: Array, lengths: float, otherwise: float) -> Finding | None:
    """Return sample_rate where that is also the ratio of the lengths, and leaves half of what a lag leaves."""
    for found in stretched(part, e[:SAMPLE], a[:SAMPLE], 0):
        spread = float(((found.actual - found.actual.mean()) ** 2).sum())
        ratio = found.detail["ratio"]
        if found.left < min(_LEFT, PARTIAL * otherwise) * spread and abs(lengths * ratio - 1) < 0.02:
            return Finding("sample_rate", found.message, explains=1.0 - found.left / spread, detail=found.detail)
    return None


def _channels(rows_e: Array, rows_a: Array, label: str) -> list[Finding]:
    more = len(rows_a) - len(rows_e)
    few, many = (rows_a, rows_e) if more < 0 else (rows_e, rows_a)
    absent = _absent(few, many) if len(many) <= _MOST_CHANNELS else None
    word = "missing" if more < 0 else "too many"
    message = f"actual has {abs(more)} indices of {label} {'less' if more < 0 else 'more'} than expected"
    if absent is not None and len(absent) == abs(more):
        shown = ", ".join(map(str, absent[:8])) + (" ..." if len(absent) > 8 else "")
        message += f"; {word}: {shown}"
    message += "; check the count of channels, codebooks or mel bins, and slices"
    detail = {"axis": label, "difference": more, "indices": None if absent is None else absent[:256]}
    return [Finding("missing_channels", message, detail=detail)]


def _absent(few: Array, many: Array) -> list[int] | None:
    """Return which of many rows none of few is, None where those have no partners."""
    energies = (few**2).sum(axis=1)
    distance = (energies[:, None] + (many**2).sum(axis=1)[None, :] - 2 * few @ many.T).clip(0)
    chosen = distance.argmin(axis=1)
    close = distance[np.arange(len(few)), chosen] <= 1e-4 * np.maximum(energies, 1e-300)
    return sorted(set(range(len(many))) - set(chosen.tolist())) if close.mean() > 0.9 else None
