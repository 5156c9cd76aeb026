"""Sample-rate conversion by a rational factor, with the filter that the reference code of STOI uses.

Pure numpy, since it stands in front of every score: `scipy.signal`, which pystoi takes for it, needs most of a second
to import. The filter is Kaiser's windowed sinc as Octave's `resample` designs it.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Octave's `resample`: 60 dB of rejection, a roll-off of a tenth of the cut-off frequency.
_REJECTION_DB = 60.0
_ROLL_OFF = 0.1
# Kaiser and Schafer 1980: the length and the shape of the window for that rejection.
_LENGTH_SLOPE, _LENGTH_OFFSET_DB = 28.714, 8.0
_BETA_SLOPE, _BETA_OFFSET_DB = 0.1102, 8.7


def resample(signal: Array, *, sample_rate: int, new_rate: int) -> Array:
    """Return a signal at another sample rate.

    Parameters
    ----------
    signal : shape (time,), float64
    sample_rate, new_rate : Hz, positive integers

    Returns
    -------
    shape (ceil(time·new_rate/sample_rate),); the signal itself where the rates are equal. Sample m of the result stands
    at the time of sample m·sample_rate/new_rate of the input; beyond its ends the signal is zero
    """
    common = math.gcd(sample_rate, new_rate)
    up, down = new_rate // common, sample_rate // common
    if up == down:
        return signal
    window = _window(up, down)
    half = window.size // 2
    count = -(-signal.size * up // down)
    result = np.empty(count)
    taps = window.size // up + 1
    # y[m] = Σ_j w[m·down + half − j·up]·x[j]: outputs m with the same (m·down) mod up share their taps, and their
    # inputs start `down` samples apart.
    padded = np.concatenate([np.zeros(taps), signal, np.zeros(taps + down)])
    for first in range(min(up, count)):
        last_input, phase = divmod(first * down + half, up)
        filtered = window[phase::up]
        start = last_input - filtered.size + 1 + taps
        rows = np.lib.stride_tricks.sliding_window_view(padded[start:], filtered.size)[::down]
        result[first::up] = np.einsum("ij,j", rows[: -(-(count - first) // up)], filtered[::-1])
    return result


def by_soxr(signal: Array, sample_rate: int, new_rate: int) -> Array:
    """Return a signal at another rate by soxr's best filter, for scores whose users expect an ordinary resampler."""
    if sample_rate == new_rate:
        return signal
    import soxr

    return np.asarray(soxr.resample(signal, sample_rate, new_rate, quality="VHQ"))


@functools.lru_cache(maxsize=8)
def _window(up: int, down: int) -> Array:
    """Return the low-pass filter at the rate of `up` times the input; its sum is `up`."""
    cutoff = 1 / (2 * max(up, down))
    half = math.ceil((_REJECTION_DB - _LENGTH_OFFSET_DB) / (_LENGTH_SLOPE * cutoff * _ROLL_OFF))
    t = np.arange(-half, half + 1)
    shape: Array = np.kaiser(2 * half + 1, _BETA_SLOPE * (_REJECTION_DB - _BETA_OFFSET_DB)) * np.sinc(2 * cutoff * t)
    return np.asarray(shape * (up / shape.sum()))
