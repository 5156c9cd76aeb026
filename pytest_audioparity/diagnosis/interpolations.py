"""What another interpolation leaves: places that run slowly away from their own, and values that are held."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_audioparity.diagnosis.explanation import PARTIAL, Explanation
from pytest_audioparity.diagnosis.problem import Problem, numbers_for, product, rows_of, squared
from pytest_audioparity.diagnosis.speeds import linear
from pytest_audioparity.diagnosis.stretches import read
from pytest_audioparity.diagnosis.timing import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]
    _Reader = Callable[[Array, Array], Array]

# Frames that tell two numbers from chance, and frames that either end may be off by: beyond, the speed is looked for.
_FEWEST, _FARTHEST = 16, 3.0
# What the slope of expected has to explain of the difference for its places to be followed: of a whole frame that
# is off it explains less than of a small part of one.
_HINT = 0.15
# Newton's method with a slope that is taken between frames converges by a digit or so with each step; a step by this
# much of a frame is none.
_STEPS, _STILL = 8, 1e-3
# Columns that are followed, and values of them all, evenly spread over time: enough for two numbers.
_COLUMNS, _VALUES = 16, 1 << 11
# Steps by which an end is off that are none, in frames.
_IN_PLACE = 0.005
# Share of the frames that stay as they were where expected moves on, a third where each is held for one and a half; and
# of those in runs that are as long as most, or a frame longer or shorter.
_STAY, _EVEN = 0.3, 0.9


class _Followed(NamedTuple):
    """How far ahead of its own place each frame is read, what that leaves of the difference, and how it is read."""

    ahead: Array
    left: float
    reader: _Reader


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield, along every axis that may be time, time_shift, sample_rate of a few frames in all, and repeated_frames."""
    if problem.is_codes:
        return
    for axis in problem.time_axes:
        e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
        if len(e) >= _FEWEST:
            yield from _away(problem, e, a, axis)
            yield from _held(problem, e, a, axis)


def _away(problem: Problem, e: Array, a: Array, axis: int) -> Iterator[Explanation]:
    """Yield what reads each frame at another place: all as far ahead, or ever farther."""
    # Of samples a line is a low-pass, and called that; that all come late by a part of one is found by `delays`.
    is_wave = problem.meta.kind == "waveform"
    readers, least = (read,) if is_wave else (linear, read), PARTIAL
    for degree in (0, 1):
        tried = [found for reader in readers if (found := _followed(e, a, reader, degree)) is not None]
        best = min(tried, key=operator.attrgetter("left"), default=None)
        if best is None or best.left > least:
            continue
        least = PARTIAL * best.left
        if is_wave and degree == 0:
            continue
        predicted = best.reader(e, np.clip(np.arange(len(e)) + best.ahead, 0, len(e) - 1))
        if degree:
            yield _warped(problem, predicted, a, axis, best.ahead)
        else:
            message, detail = spoken(problem, axis, -float(best.ahead[0]))
            why = "check where frames begin, and the centres that an interpolation reads at"
            yield Explanation("time_shift", f"{message}; {why}", 2, predicted, a, detail)


def _followed(e: Array, a: Array, reader: _Reader, degree: int) -> _Followed | None:
    """Follow some frames of actual through expected; None where its slope does not tell where they are."""
    basis = np.linspace(-1.0, 1.0, len(e))[:, None] ** np.arange(degree + 1)
    e, wanted = (side[:, :: -(-side.shape[1] // _COLUMNS)] for side in (e, a))
    frames = np.unique(np.linspace(0, len(e) - 1, _VALUES // e.shape[1]).astype(int))
    wanted, numbers = wanted[frames], np.zeros(degree + 1)
    if not (error := squared(e[frames], wanted)):
        return None
    for step in range(_STEPS + 1):
        at = frames + basis[frames] @ numbers
        here, behind, before = (reader(e, np.clip(at + by, 0, len(e) - 1)) for by in (0.0, -0.5, 0.5))
        further = _step(before - behind, wanted - here, basis[frames])
        if further is None or (step == 0 and further[1] < _HINT * error):
            return None
        left = squared(here, wanted)
        if step == _STEPS or np.abs(further[0]).max() < _STILL:
            break
        numbers = numbers + further[0]
        if not np.abs(numbers).sum() <= _FARTHEST:
            return None
    return _Followed(basis @ numbers, left / error, reader)


def _step(slope: Array, rest: Array, basis: Array) -> tuple[Array, float] | None:
    """Return by which numbers places have to move along a slope to take most of the rest, and how much that is."""
    moves = [slope * column[:, None] for column in basis.T]
    by = numbers_for(moves, rest)
    if by is None:
        return None
    return by, sum(float(number) * product(move, rest) for number, move in zip(by, moves, strict=True))


def _warped(problem: Problem, predicted: Array, a: Array, axis: int, places: Array) -> Explanation:
    label, ahead, last = problem.labels[axis], (float(places[0]), float(places[-1])), len(a) - 1
    ratio = 1.0 + (ahead[1] - ahead[0]) / last
    ends = [f"{_off(by)} at {label}={problem.at(label, at)}" for by, at in zip(ahead, (0, last), strict=True)]
    message = (
        f"actual is expected with time along {label} run {ratio:.6g} times as fast, {ends[0]} and {ends[1]}; check "
        "align_corners and half-pixel centres of an interpolation, symmetric windows for periodic ones, and hop lengths"
    )
    detail = {"axis": label, "ratio": ratio, "ahead": list(ahead)}
    return Explanation("sample_rate", message, 3, predicted, a, detail)


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
