"""What another interpolation leaves: places that run slowly away from their own, and values that are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import PARTIAL, Explanation
from pytest_audioparity.diagnosis.problem import Problem, product, rows_of, squared
from pytest_audioparity.diagnosis.speeds import linear
from pytest_audioparity.diagnosis.stretches import read
from pytest_audioparity.diagnosis.timing import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Frames that tell two numbers from chance, and frames that either end may be off by: beyond, the speed is looked for.
_FEWEST, _FARTHEST = 16, 3.0
# What the slope of expected has to explain of the difference for its places to be followed: of a whole frame that
# is off it explains less than of a small part of one.
_HINT = 0.15
# Newton's method with a slope that is taken between frames converges by a digit or so with each step.
_STEPS = 8
# Columns that are followed.
_COLUMNS = 16
# Steps by which an end is off that are none, in frames.
_IN_PLACE = 0.005
# Share of the frames that stay as they were where expected moves on, a third where each is held for one and a half; and
# of those in runs that are as long as most, or a frame longer or shorter.
_STAY, _EVEN = 0.3, 0.9


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield, along every axis that may be time, time_shift, sample_rate of a few frames in all, and repeated_frames."""
    if problem.is_codes:
        return
    for axis in problem.time_axes:
        e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
        if len(e) < _FEWEST:
            continue
        some = slice(None, None, -(-e.shape[1] // _COLUMNS))
        if (away := _followed(problem, e[:, some], a[:, some], degree=0)) is not None:
            message, detail = spoken(problem, axis, -float(away[0]))
            why = "check where frames begin, and the centres that an interpolation reads at"
            yield Explanation("time_shift", f"{message}; {why}", 2, _read(problem, e, a, away), a, detail)
        if (away := _followed(problem, e[:, some], a[:, some], degree=1)) is not None:
            yield _warped(problem, e, a, axis, away)
        yield from _held(problem, e, a, axis)


def _followed(problem: Problem, e: Array, a: Array, *, degree: int) -> Array | None:
    """Return how far ahead of its own place each frame of actual is read in expected; None where that is no cause."""
    n = len(e)
    basis = np.linspace(-1.0, 1.0, n)[:, None] ** np.arange(degree + 1)
    away, error = np.zeros(n), squared(e, a)
    step = _step(e, a, basis)
    if step is None or step[1] < _HINT * error:
        return None
    for _ in range(_STEPS):
        if step is None:
            return None
        away = away + step[0]
        if not np.abs(away).max() <= _FARTHEST:
            return None
        step = _step(_read(problem, e, a, away), a, basis)
    return away if squared(_read(problem, e, a, away), a) < PARTIAL * error else None


def _step(e: Array, a: Array, basis: Array) -> tuple[Array, float] | None:
    """Return how much further along its slope expected is most like actual, and what that takes of the difference."""
    slope = np.gradient(e, axis=0)
    moves = [(slope * column[:, None]).ravel() for column in basis.T]
    gram = np.array([[product(p, q) for q in moves] for p in moves])
    taken = np.array([product(move, (a - e).ravel()) for move in moves])
    if not np.linalg.cond(gram) < 1 / np.finfo(np.float32).eps:
        return None
    by = np.linalg.solve(gram, taken)
    return basis @ by, float(by @ taken)


def _read(problem: Problem, e: Array, a: Array, away: Array) -> Array:
    """Return expected at places between its frames, by the line or the filter that is more like actual.

    Of samples a line is a low-pass as well, and called that.
    """
    at = np.clip(np.arange(len(e)) + away, 0, len(e) - 1)
    exact = read(e, at)
    return exact if problem.meta.kind == "waveform" else min((linear(e, at), exact), key=lambda side: squared(side, a))


def _warped(problem: Problem, e: Array, a: Array, axis: int, away: Array) -> Explanation:
    label, ahead = problem.labels[axis], (float(away[0]), float(away[-1]))
    ratio = 1.0 + (ahead[1] - ahead[0]) / (len(e) - 1)
    ends = [f"{_off(by)} at {label}={problem.at(label, at)}" for by, at in zip(ahead, (0, len(e) - 1), strict=True)]
    message = (
        f"actual is expected with time along {label} run {ratio:.6g} times as fast, {ends[0]} and {ends[1]}; check "
        "align_corners and half-pixel centres of an interpolation, hop lengths, and times that are summed up"
    )
    return Explanation(
        "sample_rate", message, 3, _read(problem, e, a, away), a, {"axis": label, "ratio": ratio, "ahead": list(ahead)}
    )


def _off(ahead: float) -> str:
    if abs(ahead) < _IN_PLACE:
        return "in place"
    by = round(abs(ahead), 2)
    return f"{by:g} frame{'s' if by != 1 else ''} {'early' if ahead > 0 else 'late'}"


def _held(problem: Problem, e: Array, a: Array, axis: int) -> Iterator[Explanation]:
    """Yield repeated_frames where actual holds values evenly between which expected moves on."""
    moves_e, moves_a = ((side[1:] != side[:-1]).any(axis=1) for side in (e, a))
    if not moves_a.any() or np.count_nonzero(moves_e & ~moves_a) < _STAY * len(moves_a):
        return
    starts = np.r_[0, np.flatnonzero(moves_a) + 1]
    lengths = np.diff(np.r_[starts, len(a)])
    usual = float(np.median(lengths))
    is_even = np.abs(lengths - usual) <= 1  # some neighbours are equal by chance
    if lengths[is_even].sum() < _EVEN * len(a):
        return
    taken = (e[starts], e[starts + lengths // 2], np.add.reduceat(e, starts) / lengths[:, None])
    predicted = min((np.repeat(side, lengths, axis=0) for side in taken), key=lambda side: squared(side, a))
    label, each = problem.labels[axis], float(lengths[is_even].mean())
    message = (
        f"actual holds each value for {each:.3g} frames along {label} where expected goes on from one to the next; "
        "check the mode of an interpolation, nearest for linear, and how conditions come to the rate of the output"
    )
    yield Explanation("repeated_frames", message, 2, predicted, a, {"axis": label, "each": each})
