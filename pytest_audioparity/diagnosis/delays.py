"""The right values a part of a sample or of a frame early or late, which no whole number of them takes back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import COVERED, PARTIAL, Explanation
from pytest_audioparity.diagnosis.problem import Problem, product, rows_of
from pytest_audioparity.diagnosis.stretches import HALF, sinc
from pytest_audioparity.diagnosis.timing import best_lag, overlap, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Of fewer frames most are read from beyond an end.
_FEWEST = 4 * HALF
# Newton's method doubles the right digits with each step, and a parabola gives the first.
_STEPS = 4
# The whole lag is the nearest one, so that the rest is about half a frame at most.
_NEAREST = 0.75


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield time_shift by no whole number, along every axis that may be time."""
    if problem.is_codes:
        return
    for axis in problem.time_axes:
        e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
        lag = best_lag(e, a)
        e, a = overlap(e, a, lag)
        part = _part(e, a) if len(e) >= _FEWEST else None
        if part is None:
            continue
        later, inner = _later(e, part), slice(HALF, -HALF)
        # Between the ends it has to do better than whole frames; leaving out the ends alone would cure wrong ends.
        if _unlike(later[inner], a[inner]) >= PARTIAL * _unlike(e[inner], a[inner]):
            continue
        # What stands beyond the ends is not known: the frame at the end goes on, or what needs it is left out.
        yield _delayed(problem, axis, lag + part, later, a)
        if len(e) - 2 * HALF >= COVERED * problem.expected.shape[axis]:
            yield _delayed(problem, axis, lag + part, later[inner], a[inner])


def _part(e: Array, a: Array) -> float | None:
    """Return how much later actual comes, in frames: where the cross-correlation between its samples is largest.

    The correlation at a lag of τ is Σ X(ω)·exp(iωτ) over the cross-spectrum X, so its slope and its curvature are known
    exactly at every τ (Newton), and a parabola through three lags is near enough to begin with.
    """
    size = 1 << (len(e) + 1).bit_length()
    spectrum_e, spectrum_a = (np.fft.rfft(side - side.mean(axis=0), size, axis=0) for side in (e, a))
    cross = np.einsum("fc,fc->f", spectrum_a, np.conj(spectrum_e))
    omega = 2 * np.pi * np.arange(len(cross)) / size
    turn = np.exp(1j * omega)
    before, here, after = (float((cross * by).real.sum()) for by in (turn.conj(), 1.0, turn))
    bend = before - 2 * here + after
    part = (before - after) / (2 * bend) if bend else math.nan
    for _ in range(_STEPS):
        if not abs(part) <= _NEAREST:
            return None
        turned = cross * np.exp(1j * omega * part)
        curvature = float((omega**2 * turned.real).sum())
        part = part - float((omega * turned.imag).sum()) / curvature if curvature else math.nan
    return part if abs(part) <= _NEAREST else None


def _unlike(e: Array, a: Array) -> float:
    """Return what no gain of one side explains of the other, around the means: the gain is named by itself."""
    e, a = e - e.mean(axis=0), a - a.mean(axis=0)
    power = product(e, e)
    return product(a, a) - product(e, a) ** 2 / power if power > 0 else product(a, a)


def _later(rows: Array, part: float) -> Array:
    """Return rows read a part of a frame earlier."""
    kernel = sinc(np.arange(-HALF, HALF + 1) - part)
    padded = np.pad(rows, ((HALF, HALF), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], axis=1)


def _delayed(problem: Problem, axis: int, shift: float, e: Array, a: Array) -> Explanation:
    if problem.meta.kind == "waveform":
        why = "check filters with an even number of taps, which leave half a sample, and the delay of a resampler"
    else:
        why = "check where frames begin: centring, and padding that is no multiple of the hop"
    message, detail = spoken(problem, axis, shift)
    return Explanation("time_shift", f"{message}; {why}", 2, e, a, detail)
