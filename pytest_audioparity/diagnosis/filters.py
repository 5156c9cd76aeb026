"""A linear filter along time: pre-emphasis, a resampler's low-pass, a DC blocker, another window."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.echoes import echoes
from pytest_audioparity.diagnosis.explanation import Explanation, in_units_of_actual, is_complete
from pytest_audioparity.diagnosis.problem import Problem, rows_of
from pytest_audioparity.diagnosis.recursions import recursions
from pytest_audioparity.golden.provenance import our_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Taps on either side of the present sample. Filters with longer memory are found by their inverse, or, of samples, with
# so many more: steep ones, notches, rooms. The longest is solved for where the one before explains this much.
_SIDES, _LONG, _HINT = (1, 2, 8, 32), (256, 2048), 0.1
# What a filter that is undone has to explain in its own direction, of what it explains backwards.
_FORWARD = 0.25
# Samples per tap that the fit needs, so that it cannot explain by chance: of a long one a tenth at the most.
_PER_TAP, _PER_LONG_TAP = 30, 10
_RIDGE = 1e-10
_ONE_TAP = 0.98
# Points of a response.
_SPECTRUM = 512


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield filtered explanations: actual is filtered, or expected is, or one of them has an echo."""
    if problem.is_codes:
        return
    for axis in problem.time_axes:
        rows_e, rows_a = (rows_of(side, axis).T for side in (problem.expected, problem.actual))
        yield from echoes(problem, axis, rows_e, rows_a)
        is_whole = False
        for side in _SIDES:
            taps = 2 * side + 1
            if rows_e.shape[1] < 4 * taps or rows_e.size < _PER_TAP * taps:
                continue
            for found in _fits(problem, rows_e, rows_a, side):
                is_whole |= is_complete(problem, found)
                yield found
        if not is_whole:
            for found in _recursive(rows_e, rows_a):
                is_whole |= is_complete(problem, found)
                yield found
        if problem.meta.kind == "waveform" and not is_whole:
            yield from _long(problem, rows_e, rows_a)


def _long(problem: Problem, rows_e: Array, rows_a: Array) -> Iterator[Explanation]:
    for side in _LONG:
        if rows_e.size < _PER_LONG_TAP * (2 * side + 1) or rows_e.shape[1] < 8 * side:
            return
        fits = list(_fits(problem, rows_e, rows_a, side))
        yield from fits
        if not any(1.0 - found.left / problem.error >= _HINT and not is_complete(problem, found) for found in fits):
            return


def _recursive(rows_e: Array, rows_a: Array) -> Iterator[Explanation]:
    for b, a, predicted in recursions(rows_e, rows_a):
        decibels = _decibels(np.abs(np.fft.rfft(b, _SPECTRUM) / np.fft.rfft(a, _SPECTRUM)))
        message = (
            f"actual is expected through a recursive filter of order {a.size - 1} ({_shape(decibels)}); check DC "
            "blockers, pre-emphasis, notches, smoothing and window functions"
        )
        detail = {"side": "actual", "numerator": b.tolist(), "denominator": a.tolist(), "response": _response(decibels)}
        yield Explanation("filtered", message, b.size + a.size - 1, predicted.T, rows_a.T, detail)


def _fits(problem: Problem, rows_e: Array, rows_a: Array, side: int) -> Iterator[Explanation]:
    forward = 0.0
    for source, target, who in ((rows_e, rows_a, "actual"), (rows_a, rows_e, "expected")):
        h = _filter(source, target, side)
        if h is None or _is_delay(h):
            continue
        # What a filter does at the ends is charged to it, or it would explain wrong edges away.
        padded = np.pad(source, ((0, 0), (side, side)), mode="edge")
        predicted = _through(padded, h)
        left = in_units_of_actual(problem, float(((target - predicted) ** 2).sum()), who)
        share = 1.0 - left / problem.error
        if who == "actual":
            forward = share
        elif forward < _FORWARD * share:
            continue  # noise on top of actual is taken off by a filter too (Wiener's), and is none
        other = "expected" if who == "actual" else "actual"
        decibels = _decibels(np.abs(np.fft.rfft(h, max(_SPECTRUM, 1 << h.size.bit_length()))))
        message = (
            f"{who} is {other} through a linear filter of {h.size} taps ({_shape(decibels)}); check pre-emphasis, the "
            "low-pass of a resampler, DC blockers and window functions"
        )
        detail = {"side": who, "response": _response(decibels)} | ({"taps": h.tolist()} if side <= _SIDES[-1] else {})
        yield Explanation("filtered", message, h.size, predicted.T, target.T, detail, left)


def _filter(source: Array, target: Array, reach: int) -> Array | None:
    """Return the least-squares filter h[-reach..reach] from one signal to another, by their correlations."""
    taps = 2 * reach + 1
    frames = source.shape[1]
    size = 1 << (frames + taps).bit_length()
    spectrum_s, spectrum_t = (np.fft.rfft(side, size) for side in _ended(source, target, reach))
    auto = np.fft.irfft((np.abs(spectrum_s) ** 2).sum(axis=0), size)[:taps]
    cross = np.fft.irfft((spectrum_t * np.conj(spectrum_s)).sum(axis=0), size)
    right = np.concatenate([cross[-reach:], cross[: reach + 1]])
    if not auto[0] > 0:
        return None
    auto[0] *= 1.0 + _RIDGE
    if reach > _SIDES[-1]:
        our_own("scipy")
        from scipy.linalg import solve_toeplitz

        with suppress(np.linalg.LinAlgError):  # Levinson's recursion ends where a part of the matrix has no inverse
            return np.asarray(solve_toeplitz(auto, right))
        return None
    gram = auto[np.abs(np.subtract.outer(np.arange(taps), np.arange(taps)))]
    solved: Array = np.linalg.solve(gram, right)
    return solved


def _through(rows: Array, h: Array) -> Array:
    """Return rows through a filter, without what would need samples beyond their ends."""
    if h.size <= 2 * _SIDES[-1] + 1:
        return np.stack([np.convolve(row, h, "valid") for row in rows])
    our_own("scipy")
    from scipy.signal import oaconvolve

    return np.asarray(oaconvolve(rows, h[np.newaxis], "valid", axes=1))


def _ended(source: Array, target: Array, reach: int) -> tuple[Array, Array]:
    """Return both as they are, or around their means where that leaves less than half at the ends.

    Beyond those the sums take zeros, which are far from the values of a log spectrum.
    """
    ends = [*range(reach), *range(-reach, 0)]
    around = [side - side.mean(axis=1, keepdims=True) for side in (source, target)]
    there = [sum(float((side[:, ends] ** 2).sum()) for side in sides) for sides in ((source, target), around)]
    return (around[0], around[1]) if there[1] < 0.5 * there[0] else (source, target)


def _is_delay(h: Array) -> bool:
    """Whether a filter is one tap away from the middle: a shift, which is said more simply."""
    largest = int(np.abs(h).argmax())
    return largest != h.size // 2 and float(h[largest] ** 2) > _ONE_TAP * float((h**2).sum())


def _decibels(gains: Array) -> Array:
    """Return gains from 0 to half of the sample rate in dB."""
    return np.asarray(20 * np.log10(np.maximum(gains, 1e-10)))


def _response(decibels: Array) -> list[float]:
    """Return the gain in dB at nine frequencies from 0 to half of the sample rate."""
    return [round(float(gain), 2) for gain in decibels[:: decibels.size // 8]]


def _shape(decibels: Array) -> str:
    low, middle, high = decibels[[0, decibels.size // 2, -1]]
    return f"{low:+.1f} dB at the lowest, {middle:+.1f} in the middle, {high:+.1f} at the highest frequency"
