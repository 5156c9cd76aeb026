"""The pitch of speech over time, and how far one side's is from the other's.

YIN: de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111(4), 2002, steps
1 to 5, at a rate at which little more than the first harmonics is left, and which costs little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.differences import RANGE_DB
from pytest_audioparity.audio.intelligibility import RATE

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# The first harmonics of every voice, and little else, by a filter short enough to cost little.
_STEP, _CUT_HZ, _TAPS = 4, 800.0, 32
_RATE = RATE // _STEP
LOWEST_HZ, HIGHEST_HZ = 60.0, 400.0
_SHORTEST, _LONGEST = int(_RATE // HIGHEST_HZ), math.ceil(_RATE / LOWEST_HZ)
# A frame every 16 ms, over 32 ms.
_HOP, _HOPS = 40, 2
# A frame is voiced where the aperiodic part of its power is below this. Of five clips of five speakers, 10 % of the
# frames are then judged otherwise than by Praat 6.1 (autocorrelation, 60 to 400 Hz), most at the ends of voiced parts;
# no pitch is an octave off, and the root mean square of what differs is 18 cents.
_APERIODIC = 0.25
# A pitch that is further off is another one, as Rabiner and others have it (IEEE TASSP 24(5), 1976).
_GROSS_CENTS = 1200 * math.log2(1.2)
# What a frame and the longest period behind it take.
SHORTEST_SECONDS = (_HOPS * _HOP + _LONGEST + 1) / _RATE
# Of fewer frames a median says little: 0.16 s.
FEWEST = 10
# Frames that are computed at once: what they take stays in the cache of a core.
_HELD = 512
# Beside a sum of squares, so that what is silent (and has no pitch for that) is not divided by zero.
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class PitchErrors:
    """How far the pitch of the estimate is from that of the reference.

    Attributes
    ----------
    cents : the median of |1200·log2(f₀ of the estimate / f₀ of the reference)| over the frames in which both are
        voiced, so that a shift by x cents scores x, and a few octave errors nothing; None for fewer than 10 frames
    share : of all frames, those in which one side alone is voiced, or their pitches are more than 20 % apart: the F₀
        frame error of Chu and Alwan (ICASSP 2009); None where neither side has a voiced frame, which says nothing
    """

    cents: float | None
    share: float | None


def pitch_errors(reference: Array, estimate: Array) -> PitchErrors:
    """Compare the pitch of two signals of 10 kHz that stand beside each other, shape (time,)."""
    left, right = contour(reference), contour(estimate)
    voiced = left > 0, right > 0
    if not (voiced[0].any() or voiced[1].any()):
        return PitchErrors(None, None)
    both = voiced[0] & voiced[1]
    cents = np.abs(1200 * np.log2(right[both] / left[both]))
    wrong = int(np.count_nonzero(voiced[0] != voiced[1])) + int(np.count_nonzero(cents > _GROSS_CENTS))
    return PitchErrors(float(np.median(cents)) if cents.size >= FEWEST else None, wrong / left.size)


def contour(signal: Array) -> Array:
    """Return the pitch in Hz, 60 to 400, every 16 ms; 0 where there is none. Shape (frames,).

    Parameters
    ----------
    signal : shape (time,), 10 kHz. Frame k is about 16·(k + 1) ms; one that is 40 dB under the loudest has no pitch
    """
    low = _lowered(signal)
    frames = max(0, (low.size - _LONGEST - 1) // _HOP - _HOPS + 1)
    parts = [_pitches(low, at, min(frames, at + _HELD)) for at in range(0, frames, _HELD)]
    if not parts:
        return np.empty(0)
    pitch, power = (np.concatenate(part) for part in zip(*parts, strict=True))
    return np.where(power > power.max() * 10 ** (-RANGE_DB / 10), pitch, 0.0)


def _lowered(signal: Array) -> Array:
    """Take out what is above 0.8 kHz (a windowed sinc) and keep every fourth sample."""
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * _CUT_HZ / RATE * at) * np.hamming(_TAPS)
    padded = np.concatenate([np.zeros(_TAPS // 2), signal, np.zeros(_TAPS // 2)])
    rows = np.lib.stride_tricks.sliding_window_view(padded, _TAPS)[::_STEP]
    return np.asarray(np.einsum("ij,j", rows, taps / taps.sum()))


def _pitches(low: Array, start: int, end: int) -> tuple[Array, Array]:
    """Return pitch and power of some frames; shape (frames,) each."""
    hops = end - start + _HOPS - 1
    part = low[start * _HOP : (start + hops) * _HOP + _LONGEST + 1]
    lags = np.arange(1, _LONGEST + 2)[:, None]
    # Σ(x[t] − x[t+τ])² from its three sums over a frame, those of squares from what they have reached at its ends.
    reached = np.cumsum(np.concatenate([[0.0], part * part]))
    reached = np.lib.stride_tricks.sliding_window_view(reached, _LONGEST + 2)[::_HOP]
    squares = (reached[_HOPS:] - reached[:-_HOPS]).T
    here = part[: hops * _HOP].reshape(hops, _HOP)
    products = np.empty((lags.size, hops))
    for lag, out in enumerate(products, 1):
        np.einsum("ij,ij->i", here, part[lag : lag + hops * _HOP].reshape(hops, _HOP), out=out)
    common = np.add.reduce([products[:, k : k + end - start] for k in range(_HOPS)])
    difference = np.maximum(squares[0] + squares[1:] - 2 * common, 0.0)
    # The difference at a lag over its mean at all shorter ones (equation 8 of the paper).
    normal = difference * lags / (np.cumsum(difference, axis=0) + _TINY)
    return _RATE / _periods(normal), squares[0]


def _periods(normal: Array) -> Array:
    """Return the shortest lag at which the difference has a dip that is deep enough, between samples; inf for none."""
    inner = normal[1:-1]
    dips = (inner <= normal[:-2]) & (inner <= normal[2:]) & (inner < _APERIODIC)
    dips[: _SHORTEST - 2] = False
    first = dips.argmax(axis=0)
    before, at, after = np.take_along_axis(normal, first + np.arange(3)[:, None], axis=0)
    curve = before - 2 * at + after
    shift = np.divide(0.5 * (before - after), curve, out=np.zeros_like(curve), where=curve > 0)
    return np.where(dips.any(axis=0), first + 2 + shift, np.inf)
