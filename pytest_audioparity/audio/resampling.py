"""Sample-rate conversion by a rational factor, with the filter that the reference code of STOI uses.

Pure numpy, since it stands in front of every score: `scipy.signal`, which pystoi takes for it, needs most of a second
to import. The filter is Kaiser's windowed sinc as Octave's `resample` designs it.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.products import product

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
    count = -(-signal.size * up // down)
    # y[m] = Σ_n w[m·down + half − n·up]·x[n]. Outputs m that are `up` apart, a column of the result, have the same
    # weights, and their inputs start `down` samples apart. Neighbours share inputs. So some columns are the product
    # of two matrices: rows of inputs, one every `down` samples, and the weights, zero where an output does not reach.
    result = np.empty((-(-count // up), up))
    padded, before = _padded(signal, up, down)
    for first in range(0, min(up, count), _neighbours(up, down)):
        outputs = range(first, min(first + _neighbours(up, down), up))
        start, weights = _weights(up, down, outputs)
        rows = np.lib.stride_tricks.sliding_window_view(padded[before + start :], len(weights))[::down][: len(result)]
        product(rows, weights, out=result[:, outputs.start : outputs.stop])
    return result.reshape(-1)[:count]


def _neighbours(up: int, down: int) -> int:
    """Return how many outputs to compute together: their inputs are half as many again as those of one."""
    taps = _window(up, down).size // up
    return max(1, min(up, taps * up // (2 * down)))


def _padded(signal: Array, up: int, down: int) -> tuple[Array, int]:
    """Return the signal between as many zeros as outputs reach beyond its ends, and how many stand before it."""
    reach = _window(up, down).size // up + 1 + 2 * down
    return np.concatenate([np.zeros(reach), signal, np.zeros(reach)]), reach


def _weights(up: int, down: int, outputs: range) -> tuple[int, Array]:
    """Return the first input of these outputs, and the weights, shape (inputs, outputs)."""
    window = _window(up, down)
    half = window.size // 2
    start = -((half - outputs[0] * down) // up)
    end = (half + outputs[-1] * down) // up + 1
    places = np.array(outputs) * down + half - np.arange(start, end)[:, None] * up
    inside = (places >= 0) & (places < window.size)
    return start, np.where(inside, window[np.where(inside, places, 0)], 0.0)


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
