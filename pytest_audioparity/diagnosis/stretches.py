"""The right values, run at another speed: the ratio of two sample rates, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import squared
from pytest_audioparity.diagnosis.speeds import ALIKE, FASTEST, FEWEST, SLOWEST, linear, misfit, speed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# The part of a signal on which the ratios of two rates are tried, in frames; over it a stretch of 1 % moves by tens of
# frames. The speed is looked for in more of it, since speech may begin with a second of silence.
_STRETCHED, _SEEN = 6000, 1 << 17
_COLUMNS = 32
# Frames that tell a stretch by a few percent from a shift.
_FRAMES = 48
# Samples on either side that a place between two of them is read from.
HALF = 24
# Beyond so many products, more than those of a sample of one channel, values between frames lie on straight lines.
_MOST_READ, _AT_ONCE = 5e7, 1 << 12
# Up to so many frames apart at the end, two run as fast as each other: windows of n and n + 1 points, a slow clock.
_AS_FAST = 2
# The speed that fits refutes the ratios of two rates where it leaves less than this share of what they leave.
_REFUTED = 0.5


def stretched(problem: Problem, e: Array, a: Array, axis: int) -> Iterator[Explanation]:
    """Yield sample_rate: actual is expected, played at the ratio of two familiar rates, or at another speed."""
    if len(e) < _FRAMES:
        return
    columns = slice(None, None, max(1, e.shape[1] // _COLUMNS))
    rates = {x / y: (x, y) for x in RATES for y in RATES if x != y and SLOWEST < x / y < FASTEST}
    for used in _ratios(e[:, columns], a[:, columns], list(rates)):
        n = min(len(a), int((len(e) - 1) / used))
        if n < FEWEST:
            continue
        label = problem.labels[axis]
        said, detail = _said(used, rates.get(used))
        digits = 6 if used in rates else 4
        message = f"actual is expected with time along {label} run {used:.{digits}g} times as fast, {said}"
        at = np.arange(n) * used
        read_at = [read(e, at, used)]
        if problem.meta.kind != "waveform":  # another hop takes frames as they are, a line what is between them
            read_at.append(linear(e, at))
        predicted = min(read_at, key=lambda side: squared(side, a[:n]))
        parameters = 1 if used in rates else 2
        yield Explanation("sample_rate", message, parameters, predicted, a[:n], {"axis": label, **detail})


def _ratios(e: Array, a: Array, usual: list[float]) -> list[float]:
    """Return those of the usual ratios that may be the right one, or the speed that fits where it is none of them."""
    short = e[: 2 * _STRETCHED], a[:_STRETCHED]
    scored = sorted((misfit(*short, ratio), ratio) for ratio in usual)
    may_be = [ratio for left, ratio in scored[:2] if left <= ALIKE]
    seen = e[: 2 * _SEEN], a[:_SEEN]
    found = speed(*seen)
    if abs(found - 1) * len(seen[1]) <= _AS_FAST:
        return may_be
    near = min(usual, key=lambda ratio: abs(ratio / found - 1))
    if abs(near / found - 1) * len(seen[1]) <= 1:
        return list(dict.fromkeys((near, *may_be)))
    left = misfit(*seen, found)
    is_other = left <= ALIKE and left < _REFUTED * min((misfit(*seen, ratio) for ratio in may_be), default=1.0)
    return [found] if is_other else may_be


def _said(ratio: float, rates: tuple[int, int] | None) -> tuple[str, dict[str, Any]]:
    """Return what a ratio is, what to check then, and its numbers."""
    if rates is None:
        return "the ratio of no two usual rates; check hop lengths, frame rates and tempo", {"ratio": ratio}
    said = f"the ratio of {rates[0]} to {rates[1]} Hz; check the sample rate that the input or a resampler is told"
    return said, {"ratio": ratio, "rates": list(rates)}


def read(e: Array, at: Array, ratio: float = 1.0) -> Array:
    """Return expected at places between its frames, with a windowed sinc that keeps what both rates can carry."""
    if at.size * e.shape[1] * 2 * HALF >= _MOST_READ:
        return linear(e, at)
    return np.concatenate([_read(e, at[first : first + _AT_ONCE], ratio) for first in range(0, at.size, _AT_ONCE)])


def _read(e: Array, at: Array, ratio: float) -> Array:
    places = np.floor(at).astype(int)[:, None] + np.arange(1 - HALF, HALF + 1)
    weights = sinc(at[:, None] - places, min(1.0, 1.0 / ratio))
    between: Array = np.einsum("nk,nkd->nd", weights, e[np.clip(places, 0, len(e) - 1)])
    return between


def sinc(distance: Array, band: float = 1.0) -> Array:
    """Return the weights of samples at a distance from where a signal is read: a sinc of that band, windowed."""
    window = 0.5 * (1 + np.cos(np.clip(np.pi * distance / HALF, -np.pi, np.pi)))
    weights: Array = band * np.sinc(band * distance) * window
    return weights
