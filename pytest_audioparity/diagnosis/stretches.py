"""The right values, run at another speed: the ratio of two sample rates, or none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import Problem, product

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# The part of a signal on which stretches are tried, in frames; over it a stretch of 1 % moves by tens of frames.
_STRETCHED = 6000
_COLUMNS = 32
# Frames that tell a stretch by a few percent from a shift.
_FRAMES = 48
# Linear interpolation of the right stretch leaves less of the signal than this.
_MISFIT = 0.5
# Samples on either side that a place between two of them is read from.
HALF = 24
# Beyond so many products, more than those of a sample of one channel, values between frames lie on straight lines.
_MOST_READ, _AT_ONCE = 5e7, 1 << 12
# How far from the ratio of two rates the one that fits is followed, and in which steps: by how many frames the last one
# is read earlier or later. It refutes the two rates where it leaves less than this share of what they leave.
_NEAR, _STEPS, _REFUTED = 0.03, (1.0, 0.25), 0.5


def stretched(problem: Problem, e: Array, a: Array, axis: int) -> Iterator[Explanation]:
    """Yield sample_rate: actual is expected, played at the ratio of two familiar rates, or at one near it that fits."""
    if len(e) < _FRAMES:
        return
    columns = slice(None, None, max(1, e.shape[1] // _COLUMNS))
    short_e, short_a = e[: 2 * _STRETCHED, columns], a[:_STRETCHED, columns]
    ratios = {x / y: (x, y) for x in RATES for y in RATES if x != y and 0.3 < x / y < 3.4}
    scored = sorted((_misfit(short_e, short_a, ratio), ratio) for ratio in ratios)
    for misfit, ratio in scored[:2]:
        if misfit > _MISFIT:
            break
        measured = _measured(short_e, short_a, ratio, misfit)
        used = measured or ratio
        n = min(len(a), int((len(e) - 1) / used))
        if n < _FRAMES // 2:
            continue
        label = problem.labels[axis]
        said, detail = _said(used, rates=None if measured else ratios[ratio])
        digits = 4 if measured else 6
        message = f"actual is expected with time along {label} run {used:.{digits}g} times as fast, {said}"
        predicted = _resampled(e, used, n)
        yield Explanation("sample_rate", message, 2 if measured else 1, predicted, a[:n], {"axis": label, **detail})
        if measured:  # the next ratio would be a worse guess at the same stretch
            break


def _said(ratio: float, rates: tuple[int, int] | None) -> tuple[str, dict[str, Any]]:
    """Return what a ratio is, what to check then, and its numbers."""
    if rates is None:
        return "the ratio of no two usual rates; check hop lengths, frame rates and tempo", {"ratio": ratio}
    said = f"the ratio of {rates[0]} to {rates[1]} Hz; check the sample rate that the input or a resampler is told"
    return said, {"ratio": ratio, "rates": list(rates)}


def _measured(e: Array, a: Array, ratio: float, misfit: float) -> float | None:
    """Return the ratio that fits, where it is another than that of two rates, None where it is theirs."""
    n = min(len(a), int((len(e) - 1) / ratio))
    best, least = ratio, misfit
    for step in _STEPS:
        for by in (ratio * step / n, -ratio * step / n):
            while abs(best / ratio - 1) < _NEAR and (left := _misfit(e, a, best + by)) < least:
                best, least = best + by, left
    is_other = abs(best / ratio - 1) * n > 1 and least < _REFUTED * misfit
    return best if is_other else None


def _misfit(e: Array, a: Array, ratio: float) -> float:
    """Return the share of actual's energy that expected, stretched, does not explain; linear interpolation will do."""
    n = min(len(a), int((len(e) - 1) / ratio))
    if n < _FRAMES // 2:
        return 1.0
    predicted = _linear(e, np.arange(n) * ratio)
    p, q = predicted - predicted.mean(axis=0), a[:n] - a[:n].mean(axis=0)
    power = product(p, p) * product(q, q)
    return 1.0 - abs(product(p, q)) / math.sqrt(power) if power > 0 else 1.0


def _resampled(e: Array, ratio: float, n: int) -> Array:
    """Return expected read at every ratio-th place, with a windowed sinc that keeps what both rates can carry."""
    if n * e.shape[1] * 2 * HALF >= _MOST_READ:
        return _linear(e, np.arange(n) * ratio)
    parts = (np.arange(first, min(first + _AT_ONCE, n)) * ratio for first in range(0, n, _AT_ONCE))
    return np.concatenate([_read(e, at, ratio) for at in parts])


def _read(e: Array, at: Array, ratio: float) -> Array:
    """Return expected at places between its frames."""
    places = np.floor(at).astype(int)[:, None] + np.arange(1 - HALF, HALF + 1)
    weights = sinc(at[:, None] - places, min(1.0, 1.0 / ratio))
    between: Array = np.einsum("nk,nkd->nd", weights, e[np.clip(places, 0, len(e) - 1)])
    return between


def sinc(distance: Array, band: float = 1.0) -> Array:
    """Return the weights of samples at a distance from where a signal is read: a sinc of that band, windowed."""
    window = 0.5 * (1 + np.cos(np.clip(np.pi * distance / HALF, -np.pi, np.pi)))
    weights: Array = band * np.sinc(band * distance) * window
    return weights


def _linear(e: Array, at: Array) -> Array:
    left = at.astype(int)
    part = (at - left)[:, None]
    between: Array = e[left] * (1 - part) + e[np.minimum(left + 1, len(e) - 1)] * part
    return between
